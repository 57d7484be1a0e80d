//! The operator: decodes buffered chunks in roster order into run batches.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
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
use futures::stream;

use super::decode::Decoder;
use super::{ChunkedSeries, OVERHEAD};
use crate::model::TimeRange;
use crate::scan::frame::{properties, run_operator};
use crate::scan::located::{BATCH_SAMPLES, list};
use crate::source::blocking::cut;
use crate::source::{Columns, RunBuilder, has_histograms, run_schema, run_schema_with};
use crate::{Error, Result};

/// Streams the samples of buffered chunks: one row a series, series in the order given.
///
/// While a partition streams, its chunks and the batch in the making are accounted in the memory
/// pool of the query.
#[derive(Debug)]
pub struct ChunkedExec {
    input: Arc<Input>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Debug)]
struct Input {
    series: Vec<ChunkedSeries>,
    range: TimeRange,
    /// Of its batches.
    schema: SchemaRef,
    partitions: Vec<Range<usize>>,
}

impl ChunkedExec {
    /// The samples of `series` inside `range`, in about `partitions` partitions: with
    /// native histograms, if those are wanted.
    pub fn new(
        series: Vec<ChunkedSeries>,
        range: TimeRange,
        columns: Columns,
        partitions: usize,
    ) -> Self {
        let mut chunks = series.iter().flat_map(|one| &one.chunks);
        let histograms = columns.histograms() && chunks.any(|chunk| !chunk.encoding.is_float());
        let samples = |one: &ChunkedSeries| {
            one.chunks.iter().map(|chunk| chunk.samples() as u64).sum::<u64>()
        };
        let samples: Vec<u64> = series.iter().map(samples).collect();
        let partitions = cut(&samples, partitions);
        let schema = run_schema_with(histograms, columns.starts());
        let properties = properties(Arc::clone(&schema), partitions.len());
        let input = Arc::new(Input { series, range, schema, partitions });
        Self { input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
}

impl DisplayAs for ChunkedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks: usize = self.input.series.iter().map(|one| one.chunks.len()).sum();
        write!(f, "ChunkedExec: series={}, chunks={chunks}", self.input.series.len())
    }
}

impl ExecutionPlan for ChunkedExec {
    run_operator!("ChunkedExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let range = self.input.partitions.get(partition).cloned();
        let range = range.ok_or_else(|| Error::internal(format!("no partition {partition}")))?;
        let memory = MemoryConsumer::new(format!("ChunkedExec[{partition}]"))
            .register(context.memory_pool());
        let buffered = buffered(&self.input.series[range.clone()]);
        memory.try_grow(buffered)?;
        let reading = Reading {
            input: Arc::clone(&self.input),
            left: range,
            decoder: Decoder::default(),
            buffered,
            memory,
            metrics: BaselineMetrics::new(&self.metrics, partition),
            peak: MetricBuilder::new(&self.metrics).peak_memory_usage("peak_memory", partition),
        };
        let batches = stream::try_unfold(reading, |mut reading| async move {
            let batch = reading.next().map_err(DataFusionError::from)?;
            Ok(batch.map(|batch| (batch, reading)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Bytes of chunks.
fn buffered(series: &[ChunkedSeries]) -> usize {
    series.iter().flat_map(|one| &one.chunks).map(|chunk| chunk.bytes.len() + OVERHEAD).sum()
}

struct Reading {
    input: Arc<Input>,
    left: Range<usize>,
    decoder: Decoder,
    buffered: usize,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
    peak: Gauge,
}

impl Reading {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        let batch = if has_histograms(&self.input.schema) { self.all()? } else { self.floats()? };
        self.peak.set_max(self.memory.size());
        if let Some(batch) = &batch {
            self.metrics.output_batches().add(1);
            self.metrics.record_output(batch.num_rows());
        }
        Ok(batch)
    }

    /// A batch of floats and histograms.
    fn all(&mut self) -> Result<Option<RecordBatch>> {
        let mut runs = RunBuilder::of(&self.input.schema);
        while runs.weight() < BATCH_SAMPLES
            && let Some(at) = self.left.next()
        {
            let series = &self.input.series[at];
            self.decoder.read_all(at as u32, series, self.input.range, &mut runs)?;
            self.memory.try_resize(self.buffered + runs.held())?;
        }
        runs.finish()
    }

    /// A batch of floats.
    fn floats(&mut self) -> Result<Option<RecordBatch>> {
        let (mut ids, mut lengths) = (Vec::new(), Vec::new());
        let (mut ts, mut values) = (Vec::new(), Vec::new());
        while ts.len() < BATCH_SAMPLES
            && let Some(at) = self.left.next()
        {
            let series = &self.input.series[at];
            let length = self.decoder.read(series, self.input.range, &mut ts, &mut values)?;
            if length > 0 {
                ids.push(at as u32);
                lengths.push(length);
            }
            self.memory.try_resize(self.buffered + ts.capacity() * 16)?;
        }
        if ids.is_empty() {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(ids)),
            list(DataType::Int64, &lengths, Arc::new(Int64Array::from(ts)), None)?,
            list(DataType::Float64, &lengths, Arc::new(Float64Array::from(values)), None)?,
        ];
        RecordBatch::try_new(run_schema(), columns)
            .map(Some)
            .map_err(|e| Error::internal(format!("run batch: {e}")))
    }
}
