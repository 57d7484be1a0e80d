//! The frame of the operators that only rearrange located runs: a synchronous state machine that
//! takes batches and gives batches, driven as a stream with its metrics and memory accounted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};
use datafusion::physical_plan::{Partitioning, PlanProperties};
use futures::{Stream, StreamExt};

use super::located::located_schema;
use crate::Result;

/// The work of one partition, without waiting.
pub(crate) trait Rearrange: Send {
    /// Takes a batch.
    fn push(&mut self, batch: RecordBatch) -> Result<()>;

    /// There is no more batch.
    fn end(&mut self) -> Result<()>;

    /// A batch that is ready. Called after each `push` and after `end` until there is none.
    fn take(&mut self) -> Result<Option<RecordBatch>>;

    /// Bytes held.
    fn held(&self) -> usize;
}

/// The properties of an operator with `partitions` partitions of batches of `schema`.
pub(crate) fn properties(schema: SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// Drives `work` over `input`.
pub(crate) fn drive(
    name: &str,
    work: Box<dyn Rearrange>,
    input: SendableRecordBatchStream,
    metrics: &ExecutionPlanMetricsSet,
    partition: usize,
    context: &TaskContext,
) -> SendableRecordBatchStream {
    Box::pin(Driven {
        input: Some(input),
        work,
        metrics: BaselineMetrics::new(metrics, partition),
        peak: MetricBuilder::new(metrics).peak_memory_usage("peak_memory", partition),
        memory: MemoryConsumer::new(format!("{name}[{partition}]")).register(context.memory_pool()),
    })
}

struct Driven {
    /// None after its end.
    input: Option<SendableRecordBatchStream>,
    work: Box<dyn Rearrange>,
    metrics: BaselineMetrics,
    peak: Gauge,
    memory: MemoryReservation,
}

impl Driven {
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Option<DfResult<RecordBatch>>> {
        loop {
            {
                let time = self.metrics.elapsed_compute().clone();
                let _timer = time.timer();
                let held = self.work.held();
                self.memory.try_resize(held)?;
                self.peak.set_max(held);
                if let Some(batch) = self.work.take()? {
                    return Poll::Ready(Some(Ok(batch)));
                }
            }
            let Some(input) = &mut self.input else { return Poll::Ready(None) };
            let next = futures::ready!(input.poll_next_unpin(context)).transpose()?;
            let time = self.metrics.elapsed_compute().clone();
            let _timer = time.timer();
            match next {
                Some(batch) => self.work.push(batch)?,
                None => {
                    self.input = None;
                    self.work.end()?;
                }
            }
        }
    }
}

impl Stream for Driven {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.poll_batch(context);
        self.metrics.record_poll(polled)
    }
}

impl RecordBatchStream for Driven {
    fn schema(&self) -> SchemaRef {
        located_schema()
    }
}

/// Implements the parts of `ExecutionPlan` that are alike in all operators over located runs.
macro_rules! run_operator {
    ($name:literal) => {
        fn name(&self) -> &str {
            $name
        }

        fn properties(&self) -> &Arc<PlanProperties> {
            &self.properties
        }

        fn maintains_input_order(&self) -> Vec<bool> {
            vec![true; self.children().len()]
        }

        fn benefits_from_input_partitioning(&self) -> Vec<bool> {
            vec![false; self.children().len()]
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &Arc<dyn datafusion::physical_plan::PhysicalExpr>,
            ) -> datafusion::error::Result<
                datafusion::common::tree_node::TreeNodeRecursion,
            >,
        ) -> datafusion::error::Result<datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }

        fn replace_children(
            self: Arc<Self>,
            children: Vec<Arc<dyn ExecutionPlan>>,
            _: datafusion::physical_plan::ReplaceChildrenOptions,
        ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
            self.on(children)
        }

        fn with_new_children(
            self: Arc<Self>,
            children: Vec<Arc<dyn ExecutionPlan>>,
        ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
            self.on(children)
        }

        fn metrics(&self) -> Option<datafusion::physical_plan::metrics::MetricsSet> {
            Some(self.metrics.clone_inner())
        }
    };
}
pub(crate) use run_operator;
