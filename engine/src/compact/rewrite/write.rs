//! The chosen rows are read and written, and all rows are accounted for.

use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::account::Account;
use super::choose::{Buckets, Chosen, choose, chosen, every_run};
use super::picks::Picks;
use super::rows::{Row, Samples, rows};
use super::sources::Sources;
use super::windows::{AsyncEach, PickedWindows, SeriesWindows, Superseded};
use super::{RewriteOptions, units};
use crate::block::{BlockMeta, BlockWriter, Digest};
use crate::compact::downsample::{Downsampler, Folder};
use crate::model::WindowSlices;
use crate::scan::{PickedRun, PickedRuns, ScanExec, ScanPlan, ValuesExec};
use crate::{Error, Result};

/// How many batches are read ahead of the writer.
const AHEAD: usize = 4;
/// How many windows are given to the writer at once.
const WINDOWS_AT_ONCE: usize = 16 * 1024;

/// What the writer is given.
enum Written {
    /// A run batch whose series are counted from this one.
    Batch(u32, RecordBatch),
    /// The same, of windows.
    Windows(u32, SeriesWindows),
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
    let shape = Shape::of(sources, settings.resolution_ms)?;
    let buckets = Buckets { min_time: settings.min_time, bucket_ms: settings.bucket_ms.max(1) };
    let writer = BlockWriter::create(dir, settings, Arc::clone(&sources.table))?;
    let (batches, received) = mpsc::channel(AHEAD);
    let writer = tokio::task::spawn_blocking(move || write_all(writer, buckets, received));
    let mut reading = Reading::new(sources, shape, buckets, options.pick_bytes, dir);
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
    let resolution =
        sources.blocks.first().map_or(0, |(meta, _)| meta.thanos.downsample.resolution);
    let shape = Shape::of(sources, resolution)?;
    let mut reading = Reading::new(sources, shape, buckets, pick_bytes, dir);
    reading.run(context, None).await?;
    Ok(reading.account)
}

/// What is made of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Samples of samples.
    Samples,
    /// Windows of samples.
    Downsample { resolution: i64 },
    /// Windows of windows that are as long.
    Windows { resolution: i64 },
    /// Windows of shorter windows.
    Fold { from: i64, resolution: i64 },
}

impl Shape {
    /// What makes a block of `resolution` of `sources`.
    fn of(sources: &Sources, resolution: i64) -> Result<Self> {
        let mut of_sources =
            sources.blocks.iter().map(|(meta, _)| meta.thanos.downsample.resolution);
        let from = of_sources.next().unwrap_or(0);
        if of_sources.any(|other| other != from) {
            return Err(Error::invalid("sources of different resolutions"));
        }
        match (from, resolution) {
            (0, 0) => Ok(Self::Samples),
            (0, resolution) => Ok(Self::Downsample { resolution }),
            (from, resolution) if from == resolution => Ok(Self::Windows { resolution }),
            (from, resolution) if from < resolution && resolution % from == 0 => {
                Ok(Self::Fold { from, resolution })
            }
            _ => Err(Error::invalid(format!("a block of {resolution} ms of one of {from} ms"))),
        }
    }
}

/// The reading of sources.
struct Reading<'a> {
    sources: &'a Sources,
    shape: Shape,
    buckets: Buckets,
    pick_bytes: usize,
    dir: &'a Path,
    superseded: Vec<Superseded>,
    account: Account,
}

impl<'a> Reading<'a> {
    fn new(
        sources: &'a Sources,
        shape: Shape,
        buckets: Buckets,
        pick_bytes: usize,
        dir: &'a Path,
    ) -> Self {
        let account = Account::new(sources.blocks.iter().map(|(meta, _)| meta));
        let superseded = Superseded::of(sources);
        Self { sources, shape, buckets, pick_bytes, dir, superseded, account }
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
            let unit = Unit { plan, first: unit.series.start, unit: &unit, context, writer };
            match self.shape {
                Shape::Samples => self.samples(unit).await?,
                Shape::Downsample { resolution } => downsample(unit, resolution).await?,
                Shape::Windows { resolution } => self.windows(unit, resolution, None).await?,
                Shape::Fold { from, resolution } => {
                    self.windows(unit, from, Some(resolution)).await?;
                }
            }
        }
        Ok(())
    }

    async fn samples(&mut self, unit: Unit<'_>) -> Result<()> {
        let Unit { plan, first, unit, context, writer } = unit;
        let sources = self.sources;
        let (buckets, bytes) = (self.buckets, self.pick_bytes);
        let Chosen { kept, left_out } =
            choose(&plan, unit, buckets, bytes, self.dir, context).await?;
        let kept = Arc::new(kept);
        let mut accounting = Accounting::new(sources, first, kept.runs()?);
        let mut batches = read(&plan, &kept).execute(0, Arc::clone(context))?;
        while let Some(batch) = batches.next().await.transpose()? {
            accounting.add(&batch, |account| &mut account.kept, &mut self.account)?;
            send(writer, || Written::Batch(first, batch)).await?;
        }
        accounting.end()?;
        if left_out.is_empty() {
            return Ok(());
        }
        let left_out = Arc::new(left_out);
        let mut accounting = Accounting::new(sources, first, left_out.runs()?);
        let mut batches = read(&plan, &left_out).execute(0, Arc::clone(context))?;
        while let Some(batch) = batches.next().await.transpose()? {
            accounting.add(&batch, |account| &mut account.left_out, &mut self.account)?;
        }
        accounting.end()
    }

    /// Windows of `from` ms, made longer if that is asked.
    async fn windows(&mut self, unit: Unit<'_>, from: i64, longer: Option<i64>) -> Result<()> {
        let Unit { plan, first, unit, context, writer } = unit;
        let kept = every_run(&plan, unit, self.buckets, self.pick_bytes, self.dir)?;
        let picked = PickedWindows {
            sources: self.sources,
            plan: &plan,
            superseded: &self.superseded,
            resolution: from,
        };
        let (sources, account) = (self.sources, &mut self.account);
        let mut each = EachWindows { sources, account, first, longer, writer };
        picked.read(&kept, context, &mut each).await
    }
}

/// A unit that is read.
struct Unit<'a> {
    plan: Arc<ScanPlan>,
    /// Its first series.
    first: u32,
    unit: &'a units::Unit,
    context: &'a Arc<TaskContext>,
    writer: Option<&'a mpsc::Sender<Written>>,
}

/// Gives something to the writer, if there is one.
async fn send(
    writer: Option<&mpsc::Sender<Written>>,
    written: impl FnOnce() -> Written,
) -> Result<()> {
    match writer {
        Some(writer) => writer.send(written()).await.map_err(|_| ended_early()),
        None => Ok(()),
    }
}

/// Makes windows of the samples of a unit, replicas made one.
async fn downsample(unit: Unit<'_>, resolution: i64) -> Result<()> {
    let Unit { plan, first, context, writer, .. } = unit;
    let runs = Arc::new(ValuesExec::new(Arc::clone(&plan), chosen(&plan)));
    let mut batches = runs.execute(0, Arc::clone(context))?;
    let mut downsampler = Downsampler::new(resolution);
    let mut out = SeriesWindows::default();
    let mut current = None;
    while let Some(batch) = batches.next().await.transpose()? {
        rows(&batch, &mut |series, row| {
            if let Some(before) = current.filter(|&before| before != series) {
                out.add(before, |windows| downsampler.finish(windows));
            }
            current = Some(series);
            // Native histograms have no windows yet: their raw samples are kept.
            if let Samples::Floats(values) = row.samples {
                out.add(series, |windows| downsampler.push(row.ts, values, windows));
            }
            Ok(())
        })?;
        if out.windows.len() >= WINDOWS_AT_ONCE {
            let full = std::mem::take(&mut out);
            send(writer, || Written::Windows(first, full)).await?;
        }
    }
    if let Some(last) = current {
        out.add(last, |windows| downsampler.finish(windows));
    }
    send(writer, || Written::Windows(first, out)).await
}

/// Accounts for windows that were read, and gives them to the writer.
struct EachWindows<'a> {
    sources: &'a Sources,
    account: &'a mut Account,
    first: u32,
    longer: Option<i64>,
    writer: Option<&'a mpsc::Sender<Written>>,
}

#[async_trait::async_trait]
impl AsyncEach for EachWindows<'_> {
    fn read(&mut self, run: PickedRun, windows: WindowSlices<'_>) {
        let file = run.stretch.file;
        let key = self.sources.key(file, self.first + run.series);
        let block = self.sources.block_of[file as usize];
        self.account.sources[block].kept.windows(key, windows);
    }

    async fn series(&mut self, windows: SeriesWindows) -> Result<()> {
        let windows = match self.longer {
            None => windows,
            Some(resolution) => {
                let mut longer = SeriesWindows::default();
                let mut folder = Folder::new(resolution);
                for (series, part) in windows.parts() {
                    longer.add(series, |out| {
                        folder.push(part, out);
                        folder.finish(out);
                    });
                }
                longer
            }
        };
        send(self.writer, || Written::Windows(self.first, windows)).await
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
            Written::Windows(first, all) => {
                for (series, windows) in all.parts() {
                    let mut from = 0;
                    while from < windows.len() {
                        let to = from + buckets.length(&windows.ts[from..]);
                        writer.windows(first + series, windows.part(from..to))?;
                        from = to;
                    }
                }
            }
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
