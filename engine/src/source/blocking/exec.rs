//! The operator: a thread that may block fills run batches, a stream hands them on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::{BlockingRuns, RunSamples, cut};
use crate::model::Histogram;
use crate::scan::frame::{properties, run_operator};
use crate::scan::located::{BATCH_SAMPLES, list};
use crate::source::{RunBuilder, has_histograms, run_schema, run_schema_with};
use crate::{Error, ErrorKind, Result};

/// Batches that wait for whoever reads the stream.
const WAITING: usize = 2;
/// Bytes of a sample in a batch.
const SAMPLE_BYTES: usize = 16;

/// Streams what [`BlockingRuns`] reads as run batches.
#[derive(Debug)]
pub struct BlockingExec {
    reader: Arc<dyn BlockingRuns>,
    partitions: Vec<Range<usize>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl BlockingExec {
    /// The samples of all members of `reader`'s roster, in at most `partitions` partitions.
    pub fn new(reader: Arc<dyn BlockingRuns>, partitions: usize) -> Self {
        let partitions = cut(&reader.samples(), partitions);
        let schema = run_schema_with(reader.has_histograms(), reader.has_starts());
        let properties = properties(schema, partitions.len());
        Self { reader, partitions, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
}

impl DisplayAs for BlockingExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingExec: {}", self.reader.describe())
    }
}

impl ExecutionPlan for BlockingExec {
    run_operator!("BlockingExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let series = self.partitions.get(partition).cloned();
        let series = series.ok_or_else(|| Error::internal(format!("no partition {partition}")))?;
        let mut batch = Batch {
            memory: MemoryConsumer::new(format!("BlockingExec[{partition}]"))
                .register(context.memory_pool()),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            peak: MetricBuilder::new(&self.metrics).peak_memory_usage("peak_memory", partition),
            runs: match has_histograms(&self.schema()) {
                true => Runs::All(Box::new(RunBuilder::of(&self.schema()))),
                false => Runs::Floats(FloatRuns::default()),
            },
        };
        let mut stream = RecordBatchReceiverStream::builder(self.schema(), WAITING);
        let (reader, out) = (Arc::clone(&self.reader), stream.tx());
        stream.spawn_blocking(move || {
            let send = |batch: RecordBatch| {
                let gone = |_| Error::new(ErrorKind::Cancelled, "nobody waits for the samples");
                out.blocking_send(Ok(batch)).map_err(gone)
            };
            let read = reader.read(series, &mut |id, ts, samples, starts| {
                batch.add(id, ts, samples, starts)?;
                match batch.runs.weight() >= BATCH_SAMPLES {
                    true => batch.take()?.map_or(Ok(()), send),
                    false => Ok(()),
                }
            });
            read?;
            batch.take()?.map_or(Ok(()), send)?;
            Ok(())
        });
        Ok(stream.build())
    }
}

/// A batch in the making.
struct Batch {
    memory: MemoryReservation,
    metrics: BaselineMetrics,
    peak: Gauge,
    runs: Runs,
}

/// The runs of a batch.
enum Runs {
    Floats(FloatRuns),
    All(Box<RunBuilder>),
}

impl Runs {
    fn weight(&self) -> usize {
        match self {
            Self::Floats(runs) => runs.ts.len(),
            Self::All(runs) => runs.weight(),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Floats(runs) => runs.ts.capacity() * SAMPLE_BYTES,
            Self::All(runs) => runs.held(),
        }
    }
}

impl Batch {
    fn add(
        &mut self,
        id: u32,
        ts: &[i64],
        samples: RunSamples<'_>,
        starts: Option<&[i64]>,
    ) -> Result<()> {
        match (&mut self.runs, samples) {
            (Runs::Floats(runs), RunSamples::Floats(values)) => runs.add(id, ts, values),
            (Runs::All(runs), RunSamples::Floats(values)) => runs.floats(id, ts, values),
            (Runs::All(runs), RunSamples::Histograms(histograms)) => {
                runs.histograms(id, ts, histograms.iter().map(Histogram::parts))?;
            }
            (Runs::Floats(_), RunSamples::Histograms(_)) => {
                return Err(Error::internal("histograms from a reader that has none"));
            }
        }
        if let (Runs::All(runs), Some(starts)) = (&mut self.runs, starts) {
            runs.starts(starts);
        }
        // This batch, and those that wait in the channel.
        self.memory.try_resize(self.runs.held() * (1 + WAITING))?;
        self.peak.set_max(self.memory.size());
        Ok(())
    }

    /// The batch, if it has a row.
    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let batch = match &mut self.runs {
            Runs::Floats(runs) => runs.take()?,
            Runs::All(runs) => runs.finish()?,
        };
        if let Some(batch) = &batch {
            self.metrics.output_batches().add(1);
            self.metrics.record_output(batch.num_rows());
        }
        Ok(batch)
    }
}

/// Runs of floats.
#[derive(Default)]
struct FloatRuns {
    ids: Vec<u32>,
    lengths: Vec<usize>,
    ts: Vec<i64>,
    values: Vec<f64>,
}

impl FloatRuns {
    fn add(&mut self, id: u32, ts: &[i64], values: &[f64]) {
        self.ids.push(id);
        self.lengths.push(ts.len());
        self.ts.extend_from_slice(ts);
        self.values.extend_from_slice(values);
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Self { ids, lengths, ts, values } = std::mem::take(self);
        if ids.is_empty() {
            return Ok(None);
        }
        let (ts, values): (ArrayRef, ArrayRef) =
            (Arc::new(Int64Array::from(ts)), Arc::new(Float64Array::from(values)));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(ids)),
            list(DataType::Int64, &lengths, ts, None)?,
            list(DataType::Float64, &lengths, values, None)?,
        ];
        RecordBatch::try_new(run_schema(), columns)
            .map(Some)
            .map_err(|e| Error::internal(format!("run batch: {e}")))
    }
}
