//! Functions of instant vectors and scalars.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::{Labels, METRIC_NAME, MatchOp};
use engine::{Error, Result};

use super::{Node, Planner, SeriesSet, scalar_node, without_name};
use crate::ast::{Call, Expr};
use crate::exec::absent::absent;
use crate::exec::cell::{CellFunction, cell_function};
use crate::exec::grid::Grid;
use crate::exec::scalar::{ScalarSource, scalar_of_vector};
use crate::exec::sort::sort;
use crate::exec::window::WindowFunction;
use crate::functions::RangeFunction;
use crate::functions::math::MathFunction;

const SORT_IN_RANGE: &str = "PromQL warning: sort is ineffective for range queries since results \
    are always ordered by labels";

impl Planner<'_> {
    /// Plans a call of any function.
    pub(super) fn call(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        if let Some(function) = RangeFunction::from_name(call.function) {
            return self.range_call(function, call, grid);
        }
        if let Some(function) = MathFunction::from_name(call.function) {
            return self.math(function, call, grid);
        }
        match (call.function, call.args.as_slice()) {
            ("time", _) => Ok(scalar_node(ScalarSource::Time, grid)),
            ("scalar", [vector]) => {
                let node = self.plan(vector, grid)?;
                let series = SeriesSet::one(Labels::empty());
                let plan = scalar_of_vector(node.plan, grid);
                Ok(Node { plan, series, grid, ordered: false })
            }
            // A scalar is a grid with one series without labels, and so is its vector.
            ("vector", [scalar]) => self.plan(scalar, grid),
            ("timestamp", [vector]) => self.timestamp(vector, grid),
            ("absent", [vector]) => {
                let node = self.plan(vector, grid)?;
                let series = SeriesSet::one(absent_labels(vector));
                Ok(Node { plan: absent(node.plan, grid), series, grid, ordered: false })
            }
            ("absent_over_time", [range]) => {
                self.absent_over_time(range, absent_labels(range), grid)
            }
            ("sort", [vector]) => self.sort(vector, grid, false),
            ("sort_desc", [vector]) => self.sort(vector, grid, true),
            ("histogram_quantile" | "histogram_fraction", _) => self.histogram_call(call, grid),
            ("label_replace", _) => self.label_replace(call, grid),
            ("label_join", _) => self.label_join(call, grid),
            (name, _) => Err(Error::unsupported(format!("not supported yet: {name}()"))),
        }
    }

    fn math(&mut self, function: MathFunction, call: &Call, grid: Grid) -> Result<Node> {
        let Some((vector, parameters)) = call.args.split_first() else {
            // Date functions without an argument take the step's time.
            let node = scalar_node(ScalarSource::Time, grid);
            let function = CellFunction::Math(function, Vec::new());
            return Ok(Node { plan: cell_function(node.plan, grid, function, Vec::new()), ..node });
        };
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let mut arguments = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            arguments.push(self.argument(parameter, grid, &mut sides)?);
        }
        let node = self.plan(vector, grid)?;
        let plan = cell_function(node.plan, grid, CellFunction::Math(function, arguments), sides);
        Ok(without_name(Node { plan, ..node }, false))
    }

    /// `timestamp(selector)` is the time of the samples; of anything else, that of the step.
    fn timestamp(&mut self, vector: &Expr, grid: Grid) -> Result<Node> {
        let node = match vector {
            Expr::Instant(selector) => {
                let windows = self.times.windows(selector, self.times.lookback, grid);
                let runs = self.selectors.runs(selector);
                let plan = WindowFunction::instant(runs, grid, windows, true);
                let series = SeriesSet::from_roster(self.selectors.roster(selector));
                Node { plan, series, grid, ordered: false }
            }
            _ => {
                let node = self.plan(vector, grid)?;
                let plan = cell_function(node.plan, grid, CellFunction::StepTime, Vec::new());
                Node { plan, ..node }
            }
        };
        Ok(without_name(node, false))
    }

    /// Sorting shows in the answer of an instant query only.
    fn sort(&mut self, vector: &Expr, grid: Grid, descending: bool) -> Result<Node> {
        let node = self.plan(vector, grid)?;
        if self.times.step != 0 {
            self.warnings.push(SORT_IN_RANGE.to_owned());
            return Ok(node);
        }
        Ok(Node { plan: sort(node.plan, grid, descending), ordered: true, ..node })
    }
}

/// The labels of `absent`'s series: from `=` matchers of a selector whose label has no other matcher
/// (`createLabelsForAbsentFunction` in promql/functions.go).
fn absent_labels(expr: &Expr) -> Labels {
    let (Expr::Instant(selector) | Expr::Range(selector, _)) = expr else {
        return Labels::empty();
    };
    let once =
        |name: &str| selector.matchers.iter().filter(|matcher| matcher.name() == name).count() == 1;
    let pairs = selector.matchers.iter().filter(|matcher| {
        matcher.op() == MatchOp::Equal && matcher.name() != METRIC_NAME && once(matcher.name())
    });
    Labels::new(pairs.map(|matcher| (matcher.name(), matcher.value()))).unwrap_or_default()
}
