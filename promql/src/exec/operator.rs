//! The frame of every operator: one `ExecutionPlan` that keeps the promises all of them make.
//!
//! An operator is an [`Operator`] (what it is called, its schema, its partitions) that makes a
//! [`Transform`] for each partition: a synchronous state machine that takes batches and gives
//! batches. The frame does the rest, the same for all: polling, metrics (rows, batches, time, peak
//! memory), the memory pool, order, and DataFusion's properties.
//!
//! # Conventions
//! - Inputs are read one after the other, input 0 to its end first. An operator with side inputs (a
//!   scalar's grid, the one side of a join) puts them before the input it streams.
//! - `benefits_from_input_partitioning` is false and order is kept: no rule may slip a repartition
//!   in between.
//! - A stream that comes from runs or from a `Transform` that answers row by row is ascending in
//!   `series`. After `CoalescePartitionsExec` it is not: whoever needs order then collects.
//! - Operators see ids only. An error that must name labels is a [`super::fault::Fault`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use super::share::ShareExec;
use crate::runtime::Stop;

/// What an operator is; its work is done by the [`Transform`]s it makes.
pub trait Operator: fmt::Debug + Send + Sync + 'static {
    /// The name in EXPLAIN, ending in `Exec`.
    fn name(&self) -> &'static str;

    /// The parameters in EXPLAIN, `key=value` separated by commas; may be empty.
    fn describe(&self) -> String;

    /// The schema of its batches.
    fn schema(&self) -> SchemaRef;

    /// Which inputs are read whole by every partition (through one partition), and not partition by
    /// partition. The default is none.
    fn is_side_input(&self, _input: usize) -> bool {
        false
    }

    /// How many samples it has given, if it reads some and has counted them.
    fn samples(&self) -> Option<u64> {
        None
    }

    /// The state machine of `partition`.
    fn transform(&self, partition: usize) -> Result<Box<dyn Transform>>;
}

/// The work of one partition, without waiting.
pub trait Transform: Send {
    /// Takes a batch of `input`.
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()>;

    /// `input` has no more batches.
    fn end(&mut self, input: usize) -> Result<()>;

    /// A batch that is ready, if any. Called after each `push` and `end` until it gives none.
    fn take(&mut self) -> Result<Option<RecordBatch>>;

    /// Takes what says whether anybody still waits, before anything else: for work on one row that may
    /// take long. Between batches the frame looks by itself.
    fn watch(&mut self, _stop: &Stop) {}

    /// Bytes of state that grow with the input; accounted to the query's memory pool.
    fn held(&self) -> usize {
        0
    }
}

/// An [`Operator`] on its inputs, as DataFusion sees it.
#[derive(Debug)]
pub struct OperatorExec {
    operator: Arc<dyn Operator>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl OperatorExec {
    /// `operator` on `inputs`. It has as many partitions as its streamed inputs; if these differ or
    /// a side input has several, they are coalesced first.
    pub fn create(
        operator: Arc<dyn Operator>,
        mut inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Arc<dyn ExecutionPlan> {
        let streamed = |at: &usize| !operator.is_side_input(*at);
        let counts: Vec<usize> = (0..inputs.len())
            .filter(streamed)
            .map(|at| inputs[at].output_partitioning().partition_count())
            .collect();
        let uneven = counts.windows(2).any(|pair| pair[0] != pair[1]);
        let partitions = if uneven { 1 } else { counts.first().copied().unwrap_or(1) };
        for (at, input) in inputs.iter_mut().enumerate() {
            if operator.is_side_input(at) && partitions > 1 {
                *input = ShareExec::create(Arc::clone(input));
            } else if uneven || operator.is_side_input(at) {
                *input = single(Arc::clone(input));
            }
        }
        Self::with_partitions(operator, inputs, partitions)
    }

    fn with_partitions(
        operator: Arc<dyn Operator>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        partitions: usize,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(operator.schema()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Arc::new(Self { operator, inputs, properties, metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl OperatorExec {
    /// How many samples it has given, if it reads some and has counted them.
    pub fn samples(&self) -> Option<u64> {
        self.operator.samples()
    }
}

/// `plan` with one partition.
pub fn single(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() == 1 {
        return plan;
    }
    Arc::new(CoalescePartitionsExec::new(plan))
}

impl DisplayAs for OperatorExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operator.name())?;
        match self.operator.describe() {
            text if text.is_empty() => Ok(()),
            text => write!(f, ": {text}"),
        }
    }
}

impl ExecutionPlan for OperatorExec {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = self.properties.partitioning.partition_count();
        Ok(Self::with_partitions(Arc::clone(&self.operator), children, partitions))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let inputs = self.inputs.iter().enumerate().map(|(at, input)| {
            let side = self.operator.is_side_input(at);
            input.execute(if side { 0 } else { partition }, Arc::clone(&context))
        });
        let consumer = MemoryConsumer::new(format!("{}[{partition}]", self.operator.name()));
        let stop = context.session_config().get_extension::<Stop>().unwrap_or_default();
        let mut transform = self.operator.transform(partition)?;
        transform.watch(&stop);
        Ok(Box::pin(OperatorStream {
            schema: self.operator.schema(),
            inputs: inputs.collect::<Result<_>>()?,
            at: 0,
            transform,
            stop,
            drained: false,
            metrics: BaselineMetrics::new(&self.metrics, partition),
            peak: MetricBuilder::new(&self.metrics).peak_memory_usage("peak_memory", partition),
            memory: consumer.register(context.memory_pool()),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Drives a [`Transform`] over the inputs.
struct OperatorStream {
    schema: SchemaRef,
    inputs: Vec<SendableRecordBatchStream>,
    /// The input that is being read; all before it have ended.
    at: usize,
    transform: Box<dyn Transform>,
    stop: Arc<Stop>,
    /// Whether the transform gave no batch when asked last.
    drained: bool,
    metrics: BaselineMetrics,
    peak: Gauge,
    memory: MemoryReservation,
}

impl OperatorStream {
    /// Accounts for the state, then takes the next batch that is ready.
    fn next_ready(&mut self) -> Result<Option<RecordBatch>> {
        let held = self.transform.held();
        if held > self.memory.size() {
            self.memory.try_resize(held)?;
            self.peak.set_max(held);
        }
        self.transform.take()
    }

    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        loop {
            if !self.drained {
                let timer = self.metrics.elapsed_compute().clone();
                let _timer = timer.timer();
                match self.next_ready() {
                    Ok(Some(batch)) => return Poll::Ready(Some(Ok(batch))),
                    Ok(None) => self.drained = true,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            let Some(input) = self.inputs.get_mut(self.at) else {
                self.memory.free();
                return Poll::Ready(None);
            };
            self.stop.check()?;
            let next = futures::ready!(input.poll_next_unpin(context));
            let timer = self.metrics.elapsed_compute().clone();
            let _timer = timer.timer();
            let done = match next {
                Some(Ok(batch)) => self.transform.push(self.at, batch),
                Some(Err(error)) => Err(error),
                None => {
                    self.at += 1;
                    self.transform.end(self.at - 1)
                }
            };
            if let Err(error) = done {
                self.at = self.inputs.len();
                return Poll::Ready(Some(Err(error)));
            }
            self.drained = false;
        }
    }
}

impl Stream for OperatorStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.poll_batch(context);
        self.metrics.record_poll(polled)
    }
}

impl RecordBatchStream for OperatorStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
