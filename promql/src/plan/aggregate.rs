//! Aggregations.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::Labels;
use engine::source::Grouping;
use engine::{Error, ErrorKind, Result};

use super::{Node, PendingValues, Planner, SeriesSet, invariant};
use crate::ast::{Aggregate, AggregateOp, Expr};
use crate::exec::aggregate::aggregate;
use crate::exec::grid::Grid;
use crate::exec::ordered_aggregate::{CountedValues, Groups, count_values, quantile, topk};
use crate::exec::share::ShareExec;
use crate::functions::aggregate::AggregateFunction;
use crate::functions::float_text;

fn groups(grouping: Grouping) -> (Arc<Groups>, Vec<Labels>) {
    let count = grouping.labels.len() as u32;
    (Arc::new(Groups { group_of: grouping.group_of, count }), grouping.labels)
}

impl Planner<'_> {
    /// Plans an aggregation of any kind.
    pub(super) fn aggregate(&mut self, node: &Aggregate, grid: Grid) -> Result<Node> {
        if let Some(function) = AggregateFunction::from_name(node.op.name()) {
            return self.aggregate_by_state(function, node, grid);
        }
        let param = node.param.as_ref();
        let param = param.ok_or_else(|| Error::internal("an aggregation without parameter"))?;
        match (node.op, param) {
            (AggregateOp::Quantile, _) => self.quantile(node, param, grid),
            (AggregateOp::CountValues, Expr::Text(label)) => self.count_values(node, label, grid),
            _ => self.topk(node, param, grid),
        }
    }

    /// Those that keep a fixed state a group and step.
    fn aggregate_by_state(
        &mut self,
        function: AggregateFunction,
        node: &Aggregate,
        grid: Grid,
    ) -> Result<Node> {
        let input = self.plan(&node.expr, grid)?;
        let Grouping { group_of, labels } = input.series.group(&node.grouping);
        let plan = aggregate(input.plan, grid, function, group_of.into(), labels.len());
        Ok(Node { plan, series: SeriesSet::from_labels(&labels), grid, ordered: false })
    }

    fn topk(&mut self, node: &Aggregate, k: &Expr, grid: Grid) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let k = self.argument(k, grid, &mut sides)?;
        let input = self.plan(&node.expr, grid)?;
        let (groups, _) = groups(input.series.group(&node.grouping));
        let bottom = node.op == AggregateOp::Bottomk;
        let plan = topk(input.plan, grid, bottom, k, groups, sides);
        Ok(Node { plan, ordered: true, ..input })
    }

    fn quantile(&mut self, node: &Aggregate, phi: &Expr, grid: Grid) -> Result<Node> {
        self.check_quantile(phi);
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let phi = self.argument(phi, grid, &mut sides)?;
        let input = self.plan(&node.expr, grid)?;
        let (groups, labels) = groups(input.series.group(&node.grouping));
        let plan = quantile(input.plan, grid, phi, groups, sides);
        Ok(Node { plan, series: SeriesSet::from_labels(&labels), grid, ordered: false })
    }

    /// The series of `count_values` are made of values, so it is executed before anything above it
    /// can be planned: the first attempt leaves it [pending](PendingValues), a later one finds it done.
    fn count_values(&mut self, node: &Aggregate, label: &str, grid: Grid) -> Result<Node> {
        if label.is_empty() {
            let text = format!("invalid label name {label:?}");
            return Err(Error::new(ErrorKind::Execution, text));
        }
        let key = std::ptr::from_ref(node) as usize;
        if let Some((share, series)) = self.counted.get(&key) {
            let plan: Arc<dyn ExecutionPlan> = Arc::clone(share) as _;
            return Ok(Node { plan, series: series.clone(), grid, ordered: false });
        }
        let mut grouping = node.grouping.clone();
        let listed = grouping.labels.iter().position(|known| known == label);
        match (grouping.without, listed) {
            // The label with the value is one of those that are removed.
            (true, Some(_)) => {
                return self.aggregate_by_state(AggregateFunction::Count, node, grid);
            }
            (true, None) => grouping.labels.push(label.to_owned()),
            (false, Some(at)) => {
                grouping.labels.remove(at);
            }
            (false, None) => {}
        }
        let input = self.plan(&node.expr, grid)?;
        let (groups, labels) = groups(input.series.group(&grouping));
        let found = Arc::new(CountedValues::default());
        let plan = count_values(input.plan, grid, groups, Arc::clone(&found));
        let share = ShareExec::create(plan);
        let label = label.to_owned();
        self.pending = Some(PendingValues { key, share, found, groups: labels, label });
        Err(Error::internal("count_values is not executed yet"))
    }

    /// Warns of a quantile that is none, if it is known at planning.
    pub(super) fn check_quantile(&mut self, phi: &Expr) {
        if let Some(phi) = invariant::constant(phi, &self.times)
            && !(0.0..=1.0).contains(&phi)
        {
            let phi = float_text::general(phi);
            self.warnings.push(format!(
                "PromQL warning: quantile value should be between 0 and 1, got {phi}"
            ));
        }
    }
}
