//! `ShareExec`: reads its input once and hands the same batches to every reader.
//!
//! Side inputs (a scalar's grid, the one side of a join) are read whole by each partition of the
//! operator above; without this node each would evaluate them again. The batches are kept, and
//! accounted, until the plan is dropped.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::operator::single;

#[derive(Debug)]
struct Shared {
    batches: Vec<RecordBatch>,
    _memory: MemoryReservation,
}

/// The operator.
#[derive(Debug)]
pub struct ShareExec {
    input: Arc<dyn ExecutionPlan>,
    shared: Arc<OnceCell<Result<Shared, Arc<DataFusionError>>>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ShareExec {
    /// `input`, read once.
    pub fn create(input: Arc<dyn ExecutionPlan>) -> Arc<Self> {
        let input = single(input);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Arc::new(Self { input, shared: Arc::default(), properties, metrics })
    }

    /// Reads the input now, if nobody did before, and gives its batches.
    pub async fn read(&self, context: &Arc<TaskContext>) -> Result<Vec<RecordBatch>> {
        let input = self.input.execute(0, Arc::clone(context))?;
        read(&self.shared, input, context, &self.metrics).await
    }
}

async fn read(
    shared: &OnceCell<Result<Shared, Arc<DataFusionError>>>,
    input: SendableRecordBatchStream,
    context: &TaskContext,
    metrics: &ExecutionPlanMetricsSet,
) -> Result<Vec<RecordBatch>> {
    let collect = async { collect(input, context, metrics).await.map_err(Arc::new) };
    match shared.get_or_init(|| collect).await {
        Ok(shared) => Ok(shared.batches.clone()),
        Err(error) => Err(DataFusionError::Shared(Arc::clone(error))),
    }
}

async fn collect(
    mut input: SendableRecordBatchStream,
    context: &TaskContext,
    metrics: &ExecutionPlanMetricsSet,
) -> Result<Shared> {
    let memory = MemoryConsumer::new("ShareExec").register(context.memory_pool());
    let peak = MetricBuilder::new(metrics).peak_memory_usage("peak_memory", 0);
    let mut batches = Vec::new();
    while let Some(batch) = input.try_next().await? {
        memory.try_grow(batch.get_array_memory_size())?;
        peak.set_max(memory.size());
        batches.push(batch);
    }
    Ok(Shared { batches, _memory: memory })
}

impl DisplayAs for ShareExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareExec")
    }
}

impl ExecutionPlan for ShareExec {
    fn name(&self) -> &str {
        "ShareExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    /// What was read before stays: a rule that wraps the input does not change its batches.
    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            input: children.swap_remove(0),
            shared: Arc::clone(&self.shared),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
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
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (shared, metrics) = (Arc::clone(&self.shared), self.metrics.clone());
        let input = Arc::clone(&self.input);
        let baseline = BaselineMetrics::new(&self.metrics, 0);
        let batches = async move {
            if !shared.initialized() {
                let input = input.execute(0, Arc::clone(&context))?;
                read(&shared, input, &context, &metrics).await?;
            }
            let batches = match shared.get() {
                Some(Ok(shared)) => shared.batches.clone(),
                Some(Err(error)) => return Err(DataFusionError::Shared(Arc::clone(error))),
                None => Vec::new(),
            };
            baseline.record_output(batches.iter().map(RecordBatch::num_rows).sum());
            Ok(stream::iter(batches.into_iter().map(Ok)))
        };
        let batches = stream::once(batches).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
