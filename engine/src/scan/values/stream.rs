//! The operator: fetches and decodes values, assembles run batches.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray, Float64Array, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use super::assemble::{Settling, left_out, remove};
use super::waves::{Fetched, ValuePages, fetch_wave, stretch, waves};
use crate::scan::decode::Decoder;
use crate::scan::frame::{properties, run_operator};
use crate::scan::histograms::DecodedHistograms;
use crate::scan::located::{Located, list};
use crate::scan::plan::ScanPlan;
use crate::scan::wave::{Column, Pages};
use crate::source::{Columns, run_schema, run_schema_with};
use crate::{Error, Result};

/// How many waves are fetched or decoded at once.
const WAVES: usize = 2;

/// Reads the values of located runs and makes run batches.
#[derive(Debug)]
pub struct ValuesExec {
    plan: Arc<ScanPlan>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ValuesExec {
    pub(crate) fn new(plan: Arc<ScanPlan>, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = properties(schema(&plan), plan.partitions().len());
        Self { plan, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(Arc::clone(&self.plan), children.swap_remove(0))))
    }
}

impl DisplayAs for ValuesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = match self.plan.settings.columns {
            _ if self.plan.has_starts() => "value, histogram, start_ts",
            Columns::Values => "value",
            _ if self.plan.has_histograms() => "value, histogram",
            Columns::Samples | Columns::All => "value",
            Columns::Timestamps => "value where stale",
        };
        write!(f, "ValuesExec: columns=[{columns}], counter={}", self.plan.settings.counter)
    }
}

impl ExecutionPlan for ValuesExec {
    run_operator!("ValuesExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let pages =
            |column| Arc::new(Pages::new(Arc::clone(&self.plan), column, &self.metrics, partition));
        let starts = self.plan.has_starts().then(|| pages(Column::Starts));
        let pages = ValuePages { values: pages(Column::Values), starts };
        let start_memory = MemoryConsumer::new(format!("ValuesExec[{partition}] start timestamps"))
            .register(context.memory_pool());
        let memory =
            MemoryConsumer::new(format!("ValuesExec[{partition}]")).register(context.memory_pool());
        let shelf = Arc::clone(self.plan.shelf(partition));
        let kept = MemoryConsumer::new(format!("ValuesExec[{partition}] shelf"));
        shelf.open(kept.register(context.memory_pool()));
        let waves = {
            let pages = pages.clone();
            waves(input, &pages, Arc::clone(&self.plan), shelf)
                .map(move |wave| fetch_wave(wave, pages.clone()))
                .buffered(WAVES)
        };
        let assembly = Assembly {
            plan: Arc::clone(&self.plan),
            decoder: Decoder::new(pages.values, memory, None)?,
            starts: match pages.starts {
                Some(pages) => Some(Decoder::new(pages, start_memory, None)?),
                None => None,
            },
            histograms: DecodedHistograms::default(),
            histogram_memory: MemoryConsumer::new(format!("ValuesExec[{partition}] histograms"))
                .register(context.memory_pool()),
            batches: Vec::new().into_iter(),
            settling: Settling::default(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            peak: MetricBuilder::new(&self.metrics).peak_memory_usage("peak_memory", partition),
        };
        let batches =
            stream::try_unfold((Box::pin(waves), assembly), |(mut waves, mut assembly)| async {
                loop {
                    if let Some(batch) = assembly.next()? {
                        return Ok(Some((batch, (waves, assembly))));
                    }
                    match waves.next().await {
                        Some(wave) => assembly.begin(wave?)?,
                        None => return Ok(None),
                    }
                }
            });
        let batches =
            batches.map(|batch: Result<RecordBatch>| batch.map_err(DataFusionError::from));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema(&self.plan), batches)))
    }
}

pub(super) fn schema(plan: &ScanPlan) -> SchemaRef {
    run_schema_with(plan.has_histograms(), plan.has_starts())
}

pub(super) struct Assembly {
    pub(super) plan: Arc<ScanPlan>,
    pub(super) decoder: Decoder<f64>,
    pub(super) starts: Option<Decoder<i64>>,
    pub(super) histograms: DecodedHistograms,
    histogram_memory: MemoryReservation,
    batches: std::vec::IntoIter<RecordBatch>,
    pub(super) settling: Settling,
    metrics: BaselineMetrics,
    peak: Gauge,
}

impl Assembly {
    fn begin(&mut self, wave: Fetched) -> Result<()> {
        self.decoder.begin(wave.uses, wave.pages, wave.shelved)?;
        if let Some(starts) = &mut self.starts {
            starts.begin(wave.start_uses, wave.start_pages, Vec::new())?;
        }
        self.histograms = DecodedHistograms::default();
        self.histogram_memory.try_resize(wave.histograms.bytes())?;
        self.histograms = DecodedHistograms::new(&self.plan, wave.histograms)?;
        self.histogram_memory.try_resize(self.histograms.memory())?;
        self.batches = wave.batches.into_iter();
        Ok(())
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.batches.next() else { return Ok(None) };
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let batch = match self.plan.has_histograms() || self.starts.is_some() {
            true => self.assemble_mixed(&batch)?,
            false => self.assemble(&batch)?,
        };
        let starts = self.starts.as_ref().map_or(0, Decoder::memory);
        let held = self.decoder.memory() + starts + self.histogram_memory.size();
        self.peak.set_max(held + batch.get_array_memory_size());
        self.metrics.output_batches().add(1);
        self.metrics.record_output(batch.num_rows());
        Ok(Some(batch))
    }

    /// How many of the first samples of a run the counter rule leaves out.
    pub(super) fn left_out(
        &mut self,
        runs: &Located<'_>,
        at: usize,
        goes_on: bool,
        values: &[f64],
    ) -> usize {
        let (series, settle) = (runs.series[at], runs.settle[at]);
        left_out(&mut self.settling, series, settle, goes_on, runs.ts(at), values)
    }

    /// Whether the counter rule holds.
    pub(super) fn settles(&self) -> bool {
        self.plan.settings.counter && self.plan.settings.dedup.is_some()
    }

    /// One batch of located runs to one run batch: neighbouring runs of a series become one row.
    fn assemble(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let runs = Located::of(batch)?;
        let start = runs.offsets.first().copied().unwrap_or(0) as usize;
        let end = runs.offsets.last().copied().unwrap_or(0) as usize;
        let mut rows = Rows::default();
        let mut values: Vec<f64> = Vec::with_capacity(end - start);
        // Samples that the counter rule leaves out, as positions in the batch's timestamps.
        let mut out: Vec<std::ops::Range<usize>> = Vec::new();
        let counter = self.settles();
        let mut before: Option<(u32, i64)> = None;
        for at in 0..runs.len() {
            let series = runs.series[at];
            let reads = self.plan.reads_values(series);
            let from = values.len();
            if reads {
                self.decoder.read(stretch(&runs, at), &mut values)?;
            }
            let mut length = runs.ts(at).len();
            if counter && reads {
                let goes_on = before == Some((series, runs.settle[at]));
                let n = self.left_out(&runs, at, goes_on, &values[from..]);
                if n > 0 {
                    values.drain(from..from + n);
                    let first = runs.offsets[at] as usize - start;
                    out.push(first..first + n);
                    length -= n;
                }
                before = Some((series, runs.settle[at]));
            }
            rows.add(series, length, if reads { length } else { 0 }, reads);
        }
        let ts: ArrayRef = batch.column(4).as_list::<i32>().values().slice(start, end - start);
        let ts = match out.is_empty() {
            true => ts,
            false => Arc::new(Int64Array::from(remove(&runs.ts[start..end], &out))) as ArrayRef,
        };
        rows.finish(ts, Arc::new(Float64Array::from(values)))
    }
}

/// The rows of a run batch.
#[derive(Debug, Default)]
struct Rows {
    series: Vec<u32>,
    ts_lengths: Vec<usize>,
    value_lengths: Vec<usize>,
    has_values: Vec<bool>,
}

impl Rows {
    fn add(&mut self, series: u32, ts: usize, values: usize, has_values: bool) {
        match (self.series.last(), self.ts_lengths.last_mut(), self.value_lengths.last_mut()) {
            (Some(&last), Some(all_ts), Some(all_values)) if last == series => {
                *all_ts += ts;
                *all_values += values;
            }
            _ => {
                self.series.push(series);
                self.ts_lengths.push(ts);
                self.value_lengths.push(values);
                self.has_values.push(has_values);
            }
        }
    }

    fn finish(self, ts: ArrayRef, values: ArrayRef) -> Result<RecordBatch> {
        let nulls = self.has_values.contains(&false).then(|| NullBuffer::from(self.has_values));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.series)),
            list(DataType::Int64, &self.ts_lengths, ts, None)?,
            list(DataType::Float64, &self.value_lengths, values, nulls)?,
        ];
        RecordBatch::try_new(run_schema(), columns)
            .map_err(|e| Error::internal(format!("run batch: {e}")))
    }
}
