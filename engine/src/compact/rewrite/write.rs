//! The chosen rows are read and written, and all rows are accounted for.

use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::account::Account;
use super::choose::{Buckets, Chosen, choose};
use super::picks::Picks;
use super::rows::{Row, Samples, rows};
use super::sources::Sources;
use super::{RewriteOptions, units};
use crate::block::{BlockMeta, BlockWriter, Digest};
use crate::scan::{PickedRun, PickedRuns, ScanExec, ScanPlan, ValuesExec};
use crate::{Error, Result};

/// How many batches are read ahead of the writer.
const AHEAD: usize = 4;

/// What the writer is given.
enum Written {
    /// A run batch whose series are counted from this one.
    Batch(u32, RecordBatch),
    /// All was given.
    End,
}

/// Reads `sources` and writes the result; its `meta.json` is in the folder after. The writer is on a
/// thread that may block.
pub(super) async fn write(
    sources: &Sources,
    options: RewriteOptions,
    dir: &Path,
    context: &Arc<TaskContext>,
) -> Result<(BlockMeta, Account)> {
    let settings = options.settings;
    let buckets = Buckets { min_time: settings.min_time, bucket_ms: settings.bucket_ms.max(1) };
    let writer = BlockWriter::create(dir, settings, Arc::clone(&sources.table))?;
    let (batches, received) = mpsc::channel(AHEAD);
    let writer = tokio::task::spawn_blocking(move || write_all(writer, buckets, received));
    let mut reading = Reading::new(sources, buckets, options.pick_bytes, dir);
    let read = reading.run(context, Some(&batches)).await;
    if read.is_ok() {
        // Whether the writer is still there shows in what it returns.
        let _ = batches.send(Written::End).await;
    }
    drop(batches);
    let cut_off = |e| Error::internal("the writer of a block was cut off").with_source(e);
    // Why the writer ended says more than that it did.
    let meta = writer.await.map_err(cut_off)??;
    read?;
    Ok((meta.ok_or_else(ended_early)?, reading.account))
}

/// Reads `sources`, in buckets of their own, and accounts for their samples.
pub(super) async fn read_only(
    sources: &Sources,
    buckets: Buckets,
    pick_bytes: usize,
    dir: &Path,
    context: &Arc<TaskContext>,
) -> Result<Account> {
    let mut reading = Reading::new(sources, buckets, pick_bytes, dir);
    reading.run(context, None).await?;
    Ok(reading.account)
}

/// The reading of sources.
struct Reading<'a> {
    sources: &'a Sources,
    buckets: Buckets,
    pick_bytes: usize,
    dir: &'a Path,
    account: Account,
}

impl<'a> Reading<'a> {
    fn new(sources: &'a Sources, buckets: Buckets, pick_bytes: usize, dir: &'a Path) -> Self {
        let account = Account::new(sources.blocks.iter().map(|(meta, _)| meta));
        Self { sources, buckets, pick_bytes, dir, account }
    }

    /// Reads unit by unit; what is kept goes to the writer, if there is one.
    async fn run(
        &mut self,
        context: &Arc<TaskContext>,
        writer: Option<&mpsc::Sender<Written>>,
    ) -> Result<()> {
        let sources = self.sources;
        for unit in units::cut(&sources.table, |at| sources.roster.samples(at)) {
            let series: Vec<u32> = unit.series.clone().collect();
            let plan = Arc::new(sources.plan.part(&sources.roster, &series));
            let first = unit.series.start;
            let Chosen { kept, left_out } =
                choose(&plan, &unit, self.buckets, self.pick_bytes, self.dir, context).await?;
            let kept = Arc::new(kept);
            let mut accounting = Accounting::new(sources, first, kept.runs()?);
            let mut batches = read(&plan, &kept).execute(0, Arc::clone(context))?;
            while let Some(batch) = batches.next().await.transpose()? {
                accounting.add(&batch, |account| &mut account.kept, &mut self.account)?;
                if let Some(writer) = writer {
                    let batch = Written::Batch(first, batch);
                    writer.send(batch).await.map_err(|_| ended_early())?;
                }
            }
            accounting.end()?;
            if left_out.is_empty() {
                continue;
            }
            let left_out = Arc::new(left_out);
            let mut accounting = Accounting::new(sources, first, left_out.runs()?);
            let mut batches = read(&plan, &left_out).execute(0, Arc::clone(context))?;
            while let Some(batch) = batches.next().await.transpose()? {
                accounting.add(&batch, |account| &mut account.left_out, &mut self.account)?;
            }
            accounting.end()?;
        }
        Ok(())
    }
}

fn ended_early() -> Error {
    Error::internal("the writer of a block ended early")
}

/// The operators that read `picked`, which must be there until all is read.
fn read(plan: &Arc<ScanPlan>, picked: &Arc<Picks>) -> Arc<dyn ExecutionPlan> {
    let picked: Arc<dyn PickedRuns> = Arc::<Picks>::clone(picked);
    let runs = Arc::new(ScanExec::picked(Arc::clone(plan), picked));
    Arc::new(ValuesExec::new(Arc::clone(plan), runs))
}

/// Writes what comes, to the end; nothing if that was cut off.
fn write_all(
    mut writer: BlockWriter,
    buckets: Buckets,
    mut received: mpsc::Receiver<Written>,
) -> Result<Option<BlockMeta>> {
    while let Some(written) = received.blocking_recv() {
        match written {
            Written::End => return writer.finish().map(Some),
            Written::Batch(first, batch) => rows(&batch, &mut |series, row| {
                let mut from = 0;
                while from < row.ts.len() {
                    let to = from + buckets.length(&row.ts[from..]);
                    let Row { ts, samples, starts } = row.part(from..to);
                    match samples {
                        Samples::Floats(values) => {
                            writer.floats(first + series, ts, values, starts)?;
                        }
                        Samples::Histograms(histograms) => {
                            writer.histograms(first + series, ts, starts, histograms)?;
                        }
                    }
                    from = to;
                }
                Ok(())
            })?,
        }
    }
    Ok(None)
}

/// Tells which source each sample that was read comes from: batches have no files any more, but all
/// samples of the picked runs, in their order.
struct Accounting<'a> {
    sources: &'a Sources,
    /// The unit's first series.
    first: u32,
    runs: Box<dyn Iterator<Item = Result<PickedRun>> + Send>,
    /// What is left of the run in hand.
    run: Option<PickedRun>,
}

impl<'a> Accounting<'a> {
    fn new(
        sources: &'a Sources,
        first: u32,
        runs: Box<dyn Iterator<Item = Result<PickedRun>> + Send>,
    ) -> Self {
        Self { sources, first, runs, run: None }
    }

    /// Adds the samples of a batch to the digest that `digest` finds in the account of their source.
    fn add(
        &mut self,
        batch: &RecordBatch,
        digest: fn(&mut super::SourceAccount) -> &mut Digest,
        account: &mut Account,
    ) -> Result<()> {
        rows(batch, &mut |series, row| {
            let mut from = 0;
            while from < row.ts.len() {
                let run = match &mut self.run {
                    Some(run) => run,
                    None => match self.runs.next().transpose()? {
                        Some(run) => self.run.insert(run),
                        None => return Err(mismatch()),
                    },
                };
                if run.series != series {
                    return Err(mismatch());
                }
                let to = row.ts.len().min(from + run.stretch.rows as usize);
                let Row { ts, samples, starts } = row.part(from..to);
                let file = run.stretch.file;
                let key = self.sources.key(file, self.first + series);
                let digest = digest(&mut account.sources[self.sources.block_of[file as usize]]);
                match samples {
                    Samples::Floats(values) => digest.floats(key, ts, values, starts),
                    Samples::Histograms(all) => digest.histograms(key, ts, starts, all),
                }
                run.stretch.rows -= (to - from) as u32;
                if run.stretch.rows == 0 {
                    self.run = None;
                }
                from = to;
            }
            Ok(())
        })
    }

    /// All runs must have been read.
    fn end(mut self) -> Result<()> {
        match self.run.take().map(Ok).or_else(|| self.runs.next()).transpose()? {
            Some(_) => Err(mismatch()),
            None => Ok(()),
        }
    }
}

fn mismatch() -> Error {
    Error::internal("the samples that were read are not those that were picked")
}
