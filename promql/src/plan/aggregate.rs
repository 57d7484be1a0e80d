//! Aggregations.

use engine::source::Grouping;
use engine::{Error, Result};

use super::{Node, Planner, SeriesSet};
use crate::ast::Aggregate;
use crate::exec::aggregate::aggregate;
use crate::exec::grid::Grid;
use crate::functions::aggregate::AggregateFunction;

impl Planner<'_> {
    /// Plans an aggregation of any kind.
    pub(super) fn aggregate(&mut self, node: &Aggregate, grid: Grid) -> Result<Node> {
        match AggregateFunction::from_name(node.op.name()) {
            Some(function) => self.aggregate_by_state(function, node, grid),
            None => Err(Error::unsupported(format!("not supported yet: {}()", node.op.name()))),
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
}
