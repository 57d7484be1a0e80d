//! The leaf: timestamps of the rows that the label index names. Where dedup reads the other replicas
//! itself ([`ScanPlan::follows`]), those of each series' first replica only. Or those of rows that were
//! chosen before ([`PickedRuns`]), in whatever order these are wanted.

use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use super::frame::{properties, run_operator};
use super::located::{BATCH_SAMPLES, BATCH_SAMPLES_MAX, LocatedBuilder, located_schema};
use super::picked::{PickedRun, PickedRuns};
use super::plan::ScanPlan;
use super::runs::{FetchedRuns, Read, RunDecoder, RunPages, RunWave, RunWaves};
use crate::Result;

/// A wave is closed when it has this much to fetch.
const WAVE_BYTES: u64 = 4 * 1024 * 1024;
/// A wave is closed when it has this many runs, so that planning stays short of a pause.
const WAVE_RUNS: usize = 32 * 1024;
/// How many waves are fetched or decoded at once.
const WAVES: usize = 2;

/// Reads the timestamps of a plan's series from all blocks, as located runs in roster order.
#[derive(Debug)]
pub struct ScanExec {
    plan: Arc<ScanPlan>,
    /// What is read instead of all that the plan has; its plan has one partition.
    picked: Option<Arc<dyn PickedRuns>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    pub(crate) fn new(plan: Arc<ScanPlan>) -> Self {
        Self::reading(plan, None)
    }

    /// Reads the runs `picked` of the plan's files, in their order, by one partition.
    pub(crate) fn picked(plan: Arc<ScanPlan>, picked: Arc<dyn PickedRuns>) -> Self {
        Self::reading(plan, Some(picked))
    }

    fn reading(plan: Arc<ScanPlan>, picked: Option<Arc<dyn PickedRuns>>) -> Self {
        let partitions = if picked.is_some() { 1 } else { plan.partitions().len() };
        let properties = properties(located_schema(), partitions);
        Self { plan, picked, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        let (blocks, series) = (plan.blocks(), plan.series());
        let range = plan.settings.range;
        write!(f, "ScanExec: blocks={blocks}, series={series}, ")?;
        write!(f, "range=[{}, {}], columns=[ts]", range.min, range.max)?;
        match &self.picked {
            Some(_) => write!(f, ", rows=picked"),
            None if plan.follows() => write!(f, ", replicas=first"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    run_operator!("ScanExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let plan = Arc::clone(&self.plan);
        let pages = RunPages::new(&plan, &self.metrics, partition);
        let items: Items = match &self.picked {
            Some(picked) => Box::new(picked.runs()?.map(|run| Ok(Item::picked(run?)))),
            None => {
                let (plan, series) = (Arc::clone(&plan), plan.partitions()[partition].clone());
                Box::new(series.flat_map(move |series| Item::of_series(&plan, series)).map(Ok))
            }
        };
        let jobs = Jobs { items, waves: RunWaves::new(&pages) };
        let name = format!("ScanExec[{partition}]");
        let decoder = RunDecoder::new(Arc::clone(&plan), pages.clone(), &name, &context)?;
        let fetched =
            stream::iter(jobs).map(move |job| fetch_job(job, pages.clone())).buffered(WAVES);
        let scan = Scan {
            plan,
            decoder,
            items: Vec::new().into_iter(),
            pending: None,
            batch: LocatedBuilder::default(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            peak: MetricBuilder::new(&self.metrics).peak_memory_usage("peak_memory", partition),
        };
        let batches =
            stream::try_unfold((Box::pin(fetched), scan), |(mut waves, mut scan)| async {
                loop {
                    if let Some(batch) = scan.next()? {
                        return Ok(Some((batch, (waves, scan))));
                    }
                    match waves.next().await {
                        Some(wave) => scan.begin(wave?)?,
                        None => {
                            let last = scan.finish()?;
                            return Ok(last.map(|batch| (batch, (waves, scan))));
                        }
                    }
                }
            });
        let batches =
            batches.map(|batch: Result<RecordBatch>| batch.map_err(DataFusionError::from));
        Ok(Box::pin(RecordBatchStreamAdapter::new(located_schema(), batches)))
    }
}

/// A run to read.
#[derive(Debug, Clone, Copy)]
struct Item {
    read: Read,
    /// At the first run of a series: about how many samples it has, all blocks together.
    series_samples: usize,
}

/// Runs to read, in order.
type Items = Box<dyn Iterator<Item = Result<Item>> + Send>;

impl Item {
    /// All runs of a series that the scan reads.
    fn of_series(plan: &ScanPlan, series: u32) -> Vec<Self> {
        let mut items = Vec::new();
        let mut samples = 0;
        let (pieces, _) = plan.led(series);
        for &piece in pieces {
            for run in plan.runs(piece) {
                samples += run.rows as usize;
                items.push(Self { read: Read::new(plan, series, piece, run), series_samples: 0 });
            }
        }
        if let Some(first) = items.first_mut() {
            first.series_samples = samples;
        }
        items
    }

    fn picked(run: PickedRun) -> Self {
        Self { read: Read::picked(run), series_samples: run.stretch.rows as usize }
    }
}

/// A wave of runs.
#[derive(Debug)]
struct Job {
    items: Vec<Item>,
    wave: RunWave,
}

/// A wave whose pages are there.
struct Fetched {
    items: Vec<Item>,
    runs: FetchedRuns,
}

async fn fetch_job(job: Result<Job>, pages: RunPages) -> Result<Fetched> {
    let Job { items, wave } = job?;
    Ok(Fetched { items, runs: wave.fetch(pages).await? })
}

/// Plans wave after wave.
struct Jobs {
    items: Items,
    waves: RunWaves,
}

impl Jobs {
    fn next_job(&mut self) -> Result<Option<Job>> {
        let mut items = Vec::new();
        while self.waves.fetch_bytes() < WAVE_BYTES && items.len() < WAVE_RUNS {
            let Some(item) = self.items.next().transpose()? else { break };
            self.waves.add(&item.read)?;
            items.push(item);
        }
        let job = Job { items, wave: self.waves.close() };
        Ok((!job.items.is_empty()).then_some(job))
    }
}

impl Iterator for Jobs {
    type Item = Result<Job>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_job().transpose()
    }
}

/// Makes batches of the waves.
struct Scan {
    plan: Arc<ScanPlan>,
    decoder: RunDecoder,
    items: std::vec::IntoIter<Item>,
    /// An item that begins a series for which the batch had no room.
    pending: Option<Item>,
    batch: LocatedBuilder,
    metrics: BaselineMetrics,
    peak: Gauge,
}

impl Scan {
    fn begin(&mut self, wave: Fetched) -> Result<()> {
        self.decoder.begin(wave.runs)?;
        self.items = wave.items.into_iter();
        Ok(())
    }

    /// The next full batch; none if the wave is at its end.
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        while let Some(item) = self.pending.take().or_else(|| self.items.next()) {
            let samples = self.batch.samples();
            let no_room = item.series_samples > 0 && samples + item.series_samples > BATCH_SAMPLES;
            if samples > 0 && (no_room || samples >= BATCH_SAMPLES_MAX) {
                self.pending = Some(item);
                return self.finish();
            }
            self.decoder.read(&item.read, &mut self.batch)?;
        }
        Ok(None)
    }

    /// What the batch has so far.
    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        self.plan.limits.spend_samples(self.batch.samples())?;
        self.peak.set_max(self.decoder.memory());
        let batch = self.batch.finish()?;
        if let Some(batch) = &batch {
            self.metrics.output_batches().add(1);
            self.metrics.record_output(batch.num_rows());
        }
        Ok(batch)
    }
}
