//! The rules that a PromQL plan goes through: these two and no others.
//!
//! DataFusion's own list slips round-robin repartitions between operators that rely on order and
//! on partitions cut by series, which gives wrong answers silently. So only leaves are made to yield,
//! and the plan is checked.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_coop::EnsureCooperative;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::ExecutionPlan;

/// `plan`, ready to be executed.
pub(super) fn optimized(
    plan: Arc<dyn ExecutionPlan>,
    config: &ConfigOptions,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = EnsureCooperative::new().optimize(plan, config)?;
    SanityCheckPlan::new().optimize(plan, config)
}
