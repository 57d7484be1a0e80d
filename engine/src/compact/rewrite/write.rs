//! The chosen rows are read and written, and all rows are accounted for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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

/// A rewrite under way.
pub(super) struct Writing {
    buckets: Buckets,
    pick_bytes: usize,
    dir: PathBuf,
    account: Account,
    batches: mpsc::Sender<Written>,
    writer: JoinHandle<Result<Option<BlockMeta>>>,
}

/// What the writer is given.
enum Written {
    /// Run batches whose series are counted from this one.
    Batch(u32, RecordBatch),
    /// All was given.
    End,
}

impl Writing {
    /// Starts the writer, on a thread that may block.
    pub(super) fn begin(sources: &Sources, options: RewriteOptions, dir: &Path) -> Result<Self> {
        let settings = options.settings;
        let buckets = Buckets { min_time: settings.min_time, bucket_ms: settings.bucket_ms.max(1) };
        let writer = BlockWriter::create(dir, settings, Arc::clone(&sources.table))?;
        let (batches, received) = mpsc::channel(AHEAD);
        Ok(Self {
            buckets,
            pick_bytes: options.pick_bytes,
            dir: dir.to_path_buf(),
            account: Account::new(sources.blocks.iter().map(|(meta, _)| meta)),
            batches,
            writer: tokio::task::spawn_blocking(move || write(writer, buckets, received)),
        })
    }

    /// Reads and writes everything; the result's `meta.json` is in its folder after.
    pub(super) async fn run(
        mut self,
        sources: Sources,
        context: &Arc<TaskContext>,
    ) -> Result<(BlockMeta, Account)> {
        let given = self.give(&sources, context).await;
        if given.is_ok() {
            // Whether the writer is still there shows in what it returns.
            let _ = self.batches.send(Written::End).await;
        }
        drop(self.batches);
        let written = self
            .writer
            .await
            .map_err(|e| Error::internal("the writer of a block was cut off").with_source(e))?;
        // Why the writer ended says more than that it did.
        let meta = written?;
        given?;
        let meta = meta.ok_or_else(|| Error::internal("the writer of a block ended early"))?;
        Ok((meta, self.account))
    }

    /// Reads unit by unit.
    async fn give(&mut self, sources: &Sources, context: &Arc<TaskContext>) -> Result<()> {
        let samples = |at: usize| sources.roster.samples(at);
        for unit in units::cut(&sources.table, samples) {
            let series: Vec<u32> = unit.series.clone().collect();
            let plan = Arc::new(sources.plan.part(&sources.roster, &series));
            let first = unit.series.start;
            let Chosen { kept, left_out } =
                choose(&plan, &unit, self.buckets, self.pick_bytes, &self.dir, context).await?;
            let (kept, left_out) = (Arc::new(kept), Arc::new(left_out));

            let mut accounting = Accounting::new(sources, first, kept.runs()?);
            let mut batches = read(&plan, &kept).execute(0, Arc::clone(context))?;
            while let Some(batch) = batches.next().await.transpose()? {
                accounting.add(&batch, |account| &mut account.kept, &mut self.account)?;
                if self.batches.send(Written::Batch(first, batch)).await.is_err() {
                    return Err(Error::internal("the writer of a block ended early"));
                }
            }
            accounting.end()?;
            if left_out.is_empty() {
                continue;
            }
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

/// The operators that read `picked`, which must be there until all is read.
fn read(plan: &Arc<ScanPlan>, picked: &Arc<Picks>) -> Arc<dyn ExecutionPlan> {
    let picked: Arc<dyn PickedRuns> = Arc::<Picks>::clone(picked);
    let runs = Arc::new(ScanExec::picked(Arc::clone(plan), picked));
    Arc::new(ValuesExec::new(Arc::clone(plan), runs))
}

/// Writes what comes, to the end; nothing if that was cut off.
fn write(
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
