//! The leaf: timestamps of the rows that the label index names.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use super::decode::Decoder;
use super::frame::{properties, run_operator};
use super::located::{BATCH_SAMPLES, BATCH_SAMPLES_MAX, LocatedBuilder, Place, located_schema};
use super::plan::ScanPlan;
use super::wave::{Column, PageBytes, PageUse, Pages, Stretch, WavePages, fetch};
use crate::Result;
use crate::dedup::SETTLED;
use crate::model::is_stale;

/// A wave is closed when it has this much to fetch.
const WAVE_BYTES: u64 = 4 * 1024 * 1024;
/// A wave is closed when it has this many stretches, so that planning stays short of a pause.
const WAVE_STRETCHES: usize = 32 * 1024;
/// How many waves are fetched or decoded at once.
const WAVES: usize = 2;

/// Reads the timestamps of a plan's series from all blocks, as located runs in roster order.
#[derive(Debug)]
pub struct ScanExec {
    plan: Arc<ScanPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    pub(crate) fn new(plan: Arc<ScanPlan>) -> Self {
        let properties = properties(located_schema(), plan.partitions().len());
        Self { plan, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        let (blocks, series) = (plan.files.len(), plan.series());
        let range = plan.settings.range;
        write!(f, "ScanExec: blocks={blocks}, series={series}, ")?;
        write!(f, "range=[{}, {}], columns=[ts]", range.min, range.max)
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
        let series = plan.partitions()[partition].clone();
        let pages =
            |column| Arc::new(Pages::new(Arc::clone(&plan), column, &self.metrics, partition));
        let (ts, values) = (pages(Column::Ts), pages(Column::Values));
        let memory = |what: &str| {
            MemoryConsumer::new(format!("ScanExec[{partition}] {what}"))
                .register(context.memory_pool())
        };
        let jobs = Jobs::new(Arc::clone(&plan), series, &ts, &values);
        let fetched = {
            let (ts, values) = (Arc::clone(&ts), Arc::clone(&values));
            stream::iter(jobs)
                .map(move |job| fetch_job(job, Arc::clone(&ts), Arc::clone(&values)))
                .buffered(WAVES)
        };
        let scan = Scan {
            plan,
            ts: Decoder::new(ts, memory("ts"))?,
            values: Decoder::new(values, memory("stale markers"))?,
            items: Vec::new().into_iter(),
            pending: None,
            batch: LocatedBuilder::default(),
            scratch: Vec::new(),
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

/// A stretch to read, and what it is.
#[derive(Debug, Clone, Copy)]
struct Item {
    place: Place,
    stretch: Stretch,
    /// Whether stale markers are looked for.
    stale: bool,
    /// At the first stretch of a series: about how many samples it has, all blocks together.
    series_samples: usize,
}

/// A wave of stretches.
#[derive(Debug)]
struct Job {
    items: Vec<Item>,
    ts: Vec<PageUse>,
    values: Vec<PageUse>,
}

/// A wave whose pages are there.
struct Fetched {
    job: Job,
    ts: Vec<PageBytes>,
    values: Vec<PageBytes>,
}

async fn fetch_job(job: Result<Job>, ts: Arc<Pages>, values: Arc<Pages>) -> Result<Fetched> {
    let job = job?;
    let (ts, values) = futures::try_join!(fetch(&ts, &job.ts), fetch(&values, &job.values))?;
    Ok(Fetched { job, ts, values })
}

/// Plans wave after wave.
struct Jobs {
    plan: Arc<ScanPlan>,
    series: Range<u32>,
    /// Items of the series in hand that are in no wave yet.
    left: std::vec::IntoIter<Item>,
    ts: WavePages,
    values: WavePages,
}

impl Jobs {
    fn new(plan: Arc<ScanPlan>, series: Range<u32>, ts: &Arc<Pages>, values: &Arc<Pages>) -> Self {
        let (ts, values) = (WavePages::new(Arc::clone(ts)), WavePages::new(Arc::clone(values)));
        Self { plan, series, left: Vec::new().into_iter(), ts, values }
    }

    fn items(plan: &ScanPlan, series: u32) -> Vec<Item> {
        let mut items = Vec::new();
        let mut samples = 0;
        for &piece in plan.pieces(series) {
            let stale = plan.marks_stale() && plan.may_be_stale(piece);
            for run in plan.runs(piece) {
                samples += run.rows as usize;
                items.push(Item {
                    place: Place {
                        series,
                        replica: piece.replica,
                        file: piece.file,
                        row: run.start_row as i64,
                        settle: SETTLED,
                    },
                    stretch: Stretch { file: piece.file, start: run.start_row, rows: run.rows },
                    stale,
                    series_samples: 0,
                });
            }
        }
        if let Some(first) = items.first_mut() {
            first.series_samples = samples;
        }
        items
    }

    fn next_job(&mut self) -> Result<Option<Job>> {
        let mut items = Vec::new();
        loop {
            let Some(item) = self.left.next() else {
                let Some(series) = self.series.next() else { break };
                self.left = Self::items(&self.plan, series).into_iter();
                continue;
            };
            self.ts.add(item.stretch)?;
            if item.stale {
                self.values.add(item.stretch)?;
            }
            items.push(item);
            let bytes = self.ts.fetch_bytes() + self.values.fetch_bytes();
            if bytes >= WAVE_BYTES || items.len() >= WAVE_STRETCHES {
                break;
            }
        }
        let job = Job { items, ts: self.ts.close(), values: self.values.close() };
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
    ts: Decoder<i64>,
    values: Decoder<f64>,
    items: std::vec::IntoIter<Item>,
    /// An item that begins a series for which the batch had no room.
    pending: Option<Item>,
    batch: LocatedBuilder,
    scratch: Vec<f64>,
    metrics: BaselineMetrics,
    peak: Gauge,
}

impl Scan {
    fn begin(&mut self, wave: Fetched) -> Result<()> {
        self.ts.begin(wave.job.ts, wave.ts)?;
        self.values.begin(wave.job.values, wave.values)?;
        self.items = wave.job.items.into_iter();
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
            self.read(item)?;
        }
        Ok(None)
    }

    fn read(&mut self, item: Item) -> Result<()> {
        let start = self.batch.samples();
        let ts = self.batch.ts_mut();
        self.ts.read(item.stretch, ts)?;
        // What is outside of the wanted range goes.
        let wanted = self.plan.range_of(item.stretch.file);
        let run = &ts[start..];
        let (mut low, mut high) = (0, run.len());
        if run.first().is_some_and(|&first| first < wanted.min) {
            low = run.partition_point(|&t| t < wanted.min);
        }
        if run.last().is_some_and(|&last| last > wanted.max) {
            high = run.partition_point(|&t| t <= wanted.max).max(low);
        }
        ts.truncate(start + high);
        if low > 0 {
            ts.drain(start..start + low);
        }
        let place = Place { row: item.place.row + low as i64, ..item.place };
        self.scratch.clear();
        if item.stale {
            self.values.read(item.stretch, &mut self.scratch)?;
        }
        let values = self.scratch.get(low..high).unwrap_or_default();
        let markers = values.iter().enumerate().filter(|&(_, &value)| is_stale(value));
        self.batch.close_run(place, start, markers.map(|(at, _)| at as u32));
        Ok(())
    }

    /// What the batch has so far.
    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        self.plan.spend(self.batch.samples())?;
        self.peak.set_max(self.ts.memory() + self.values.memory());
        let batch = self.batch.finish()?;
        if let Some(batch) = &batch {
            self.metrics.output_batches().add(1);
            self.metrics.record_output(batch.num_rows());
        }
        Ok(batch)
    }
}
