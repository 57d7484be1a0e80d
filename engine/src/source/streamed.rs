//! Runs that arrive by themselves: the batches of another process, in one partition.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use super::run_schema;
use crate::Result;
use crate::scan::frame::{properties, run_operator};

/// Where such batches come from.
pub trait StreamedRuns: fmt::Debug + Send + Sync {
    /// The schema of the batches: with or without native histograms.
    fn schema(&self) -> SchemaRef;

    /// What EXPLAIN shows of it.
    fn describe(&self) -> String;

    /// The batches from their beginning, whenever this is called: [run batches](super::run_schema) in
    /// order of the roster, checked.
    fn open(&self) -> BoxStream<'static, Result<RecordBatch>>;
}

/// Hands on the batches of a [`StreamedRuns`].
#[derive(Debug)]
pub struct StreamedExec {
    runs: Arc<dyn StreamedRuns>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl StreamedExec {
    /// A plan of one partition over `runs`.
    pub fn new(runs: Arc<dyn StreamedRuns>) -> Self {
        let properties = properties(runs.schema(), 1);
        Self { runs, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
}

impl DisplayAs for StreamedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamedExec: {}", self.runs.describe())
    }
}

impl ExecutionPlan for StreamedExec {
    run_operator!("StreamedExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn execute(
        &self,
        partition: usize,
        _: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        Ok(Box::pin(Arriving { batches: self.runs.open(), metrics }))
    }
}

struct Arriving {
    batches: BoxStream<'static, Result<RecordBatch>>,
    metrics: BaselineMetrics,
}

impl Stream for Arriving {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.batches.poll_next_unpin(context).map_err(Into::into);
        self.metrics.record_poll(polled)
    }
}

impl RecordBatchStream for Arriving {
    fn schema(&self) -> SchemaRef {
        run_schema()
    }
}
