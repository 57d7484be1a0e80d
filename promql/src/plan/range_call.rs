//! Functions of range vectors.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::Labels;
use engine::{Error, Result};

use super::{Node, Planner, Runs, SeriesSet, without_name};
use crate::ast::{Call, Expr, ValueType};
use crate::exec::absent::absent;
use crate::exec::grid::Grid;
use crate::exec::window::WindowFunction;
use crate::functions::{RangeFunction, Windows};

impl Planner<'_> {
    /// `rate(m[5m])`, `quantile_over_time(0.9, m[1h:1m])`, …
    pub(super) fn range_call(
        &mut self,
        function: RangeFunction,
        call: &Call,
        grid: Grid,
    ) -> Result<Node> {
        let is_range = |arg: &&Expr| arg.value_type() == ValueType::Range;
        let range = call.args.iter().find(is_range);
        let range = range.ok_or_else(|| Error::internal(format!("{function} without a range")))?;
        if function == RangeFunction::Quantile {
            self.check_quantile(&call.args[0]);
        }
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let mut arguments = Vec::new();
        for arg in call.args.iter().filter(|arg| !is_range(arg)) {
            arguments.push(self.argument(arg, grid, &mut sides)?);
        }
        let (runs, windows) = self.range(range, grid)?;
        let plan = WindowFunction::range(runs.plan, grid, windows, function, arguments, sides);
        let node = Node { plan, series: runs.series, grid, ordered: false };
        Ok(if function.keeps_name() { node } else { without_name(node, true) })
    }

    /// `absent_over_time(m[5m])`: where `present_over_time` has nothing.
    pub(super) fn absent_over_time(
        &mut self,
        range: &Expr,
        labels: Labels,
        grid: Grid,
    ) -> Result<Node> {
        let (runs, windows) = self.range(range, grid)?;
        let function = RangeFunction::Present;
        let present =
            WindowFunction::range(runs.plan, grid, windows, function, Vec::new(), Vec::new());
        let series = SeriesSet::one(labels);
        Ok(Node { plan: absent(present, grid), series, grid, ordered: false })
    }

    /// The samples of a range vector, and the windows of each step of `grid`.
    pub(crate) fn range(&mut self, expr: &Expr, grid: Grid) -> Result<(Runs, Windows)> {
        match expr {
            Expr::Range(selector, range) => {
                let plan = self.selectors.runs(selector);
                let series = SeriesSet::from_roster(self.selectors.roster(selector));
                Ok((Runs { plan, series }, self.times.windows(selector, *range, grid)))
            }
            Expr::Subquery(node) => {
                let runs = self.subquery(node, grid)?;
                Ok((runs, self.times.subquery_windows(node, grid)))
            }
            _ => Err(Error::internal(format!("a {} is no range vector", expr.value_type()))),
        }
    }
}
