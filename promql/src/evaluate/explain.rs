//! A physical plan as a tree of texts, with what its operators have measured.

use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;

use crate::exec::operator::OperatorExec;
use crate::query::{Metric, PlanNode};

/// Deeper plans are cut: nobody reads them, and their nesting is a reader's stack.
const DEPTH_MAX: usize = 200;

/// `plan` as it is now: before it runs nothing is measured.
pub(super) fn tree(plan: &dyn ExecutionPlan) -> PlanNode {
    node(plan, DEPTH_MAX)
}

fn node(plan: &dyn ExecutionPlan, depth: usize) -> PlanNode {
    let measured = plan.metrics().unwrap_or_default().aggregate_by_name();
    let measured = measured.sorted_for_display().timestamps_removed();
    let elapsed = measured.elapsed_compute().map(|nanos| Duration::from_nanos(nanos as u64));
    let peak_bytes = measured.sum_by_name("peak_memory").map(|bytes| bytes.as_usize());
    let metrics = measured.iter().map(|metric| Metric {
        name: metric.value().name().to_owned(),
        value: metric.value().to_string(),
    });
    let children: Vec<PlanNode> = match depth {
        0 => Vec::new(),
        depth => plan.children().into_iter().map(|child| node(child.as_ref(), depth - 1)).collect(),
    };
    let own = plan.downcast_ref::<OperatorExec>().and_then(OperatorExec::samples);
    let of_children = children.iter().filter_map(|child| child.samples);
    let samples = own.or_else(|| of_children.reduce(|a, b| a + b));
    PlanNode {
        name: DisplayableExecutionPlan::new(plan).one_line().to_string().trim_end().to_owned(),
        elapsed,
        peak_bytes,
        samples,
        metrics: metrics.collect(),
        children,
    }
}
