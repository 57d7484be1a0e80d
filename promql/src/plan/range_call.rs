//! Functions of range vectors.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::Labels;
use engine::{Error, ErrorKind, Result};

use super::names::Unnamed;
use super::{Node, Planner, Runs, SeriesSet, one_series};
use crate::ast::{Call, Expr, Extended, Selector, ValueType};
use crate::exec::absent::absent;
use crate::exec::grid::{Cells, Grid};
use crate::exec::window::{RangeCall, WindowFunction};
use crate::functions::{RangeFunction, Reach, Windows};

impl Planner<'_> {
    /// `rate(m[5m])`, `quantile_over_time(0.9, m[1h:1m])`, …
    pub(super) fn range_call(
        &mut self,
        function: RangeFunction,
        call: &Call,
        grid: Grid,
    ) -> Result<Node> {
        let is_range = |arg: &Expr| arg.value_type() == ValueType::Range;
        let at = call.args.iter().position(is_range);
        let at = at.ok_or_else(|| Error::internal(format!("{function} without a range")))?;
        let range = &call.args[at];
        check_extended(function, range)?;
        // A subquery is evaluated before the parameters, wherever it stands: of equal annotations the last
        // counts.
        let (runs, windows) = self.range(range, grid, false)?;
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let mut arguments = Vec::new();
        let mut parameter_place = call.place;
        for (other, arg) in call.args.iter().enumerate().filter(|&(other, _)| other != at) {
            parameter_place = call.places[other];
            arguments.push(self.argument(arg, grid, &mut sides)?);
        }
        let place = place_of_notes(call);
        let cells = Cells::of(&runs.plan);
        let (notes, expects_counters) = match function {
            RangeFunction::Rate | RangeFunction::Increase => {
                self.counter_notes(&runs.series, place)
            }
            _ if cells == Cells::Mixed => (self.notes(&runs.series, "", place), false),
            _ => (Arc::default(), false),
        };
        let odd = match arguments.is_empty() {
            true => Arc::default(),
            false => self.notes(&SeriesSet::from_labels(&[]), "", parameter_place),
        };
        let reach = self.reach(range);
        let unnamed = match function.keeps_name() {
            true => runs.unnamed.clone(),
            false => Unnamed::None,
        };
        let totals_only = totals_only(range);
        let range = RangeCall {
            function,
            arguments,
            reach,
            totals_only,
            notes,
            odd,
            expects_counters,
            consumed: runs.consumed,
        };
        let plan = WindowFunction::range(runs.plan, grid, windows, range, sides);
        let node = Node { plan, series: runs.series, grid, ordered: false, unnamed };
        Ok(if function.keeps_name() { node } else { self.without_name(node) })
    }

    /// How far the samples of a range vector reach beyond it.
    pub(crate) fn reach(&self, range: &Expr) -> Option<Reach> {
        let smoothed = match extended(range)? {
            Extended::Anchored => false,
            Extended::Smoothed => true,
            Extended::Before => return None,
        };
        Some(Reach { smoothed, lookback: self.times.lookback })
    }

    /// `absent_over_time(m[5m])`: where `present_over_time` has nothing.
    pub(super) fn absent_over_time(
        &mut self,
        range: &Expr,
        labels: Labels,
        grid: Grid,
    ) -> Result<Node> {
        let (runs, windows) = self.range(range, grid, false)?;
        let call = RangeCall {
            function: RangeFunction::Present,
            arguments: Vec::new(),
            reach: None,
            totals_only: false,
            notes: Arc::default(),
            odd: Arc::default(),
            expects_counters: false,
            consumed: runs.consumed,
        };
        let present = WindowFunction::range(runs.plan, grid, windows, call, Vec::new());
        Ok(one_series(absent(present, grid), labels, grid))
    }

    /// The samples of a range vector, and the windows of each step of `grid`. Histograms of a subquery
    /// keep what they say of counter resets if `hints`.
    pub(crate) fn range(
        &mut self,
        expr: &Expr,
        grid: Grid,
        hints: bool,
    ) -> Result<(Runs, Windows)> {
        match expr {
            Expr::Range(selector, range) => {
                let plan = self.selectors.runs(selector);
                let series = SeriesSet::from_roster(self.selectors.roster(selector));
                let consumed = self.counting.selector(grid, series.len());
                let runs = Runs { plan, series, unnamed: Unnamed::None, consumed };
                Ok((runs, self.times.windows(selector, *range, grid)))
            }
            Expr::Subquery(node) => {
                let runs = self.subquery(node, grid, hints)?;
                Ok((runs, self.times.subquery_windows(node, grid)))
            }
            _ => Err(Error::internal(format!("a {} is no range vector", expr.value_type()))),
        }
    }
}

/// Where remarks of a function of a range vector are said to be: at its first argument. A subquery has
/// lost its place by the time it is evaluated, which is then the query's beginning (the matrix selector
/// that `evalSubquery` makes has no position).
fn place_of_notes(call: &Call) -> usize {
    match call.args.first() {
        Some(Expr::Subquery(_)) => 0,
        _ => call.places.first().copied().unwrap_or(call.place),
    }
}

/// Whether only counts and sums of the histograms of a range vector matter.
fn totals_only(range: &Expr) -> bool {
    matches!(range, Expr::Range(Selector { totals_only: true, .. }, _))
}

fn extended(range: &Expr) -> Option<Extended> {
    match range {
        Expr::Range(Selector { extended, .. }, _) => *extended,
        _ => None,
    }
}

/// Ranges that reach further are for functions that know of them.
fn check_extended(function: RangeFunction, range: &Expr) -> Result<()> {
    if function.from_before() && !matches!(range, Expr::Range(..)) {
        let text = format!("{function}() takes a range of a selector, not of a subquery");
        return Err(Error::new(ErrorKind::Execution, text));
    }
    use RangeFunction::{Changes, Delta, Increase, Rate, Resets};
    let (word, functions) = match extended(range) {
        None | Some(Extended::Before) => return Ok(()),
        Some(Extended::Anchored) => ("anchored", &[Changes, Delta, Increase, Rate, Resets][..]),
        Some(Extended::Smoothed) => ("smoothed", &[Delta, Increase, Rate][..]),
    };
    if functions.contains(&function) {
        return Ok(());
    }
    let names: Vec<&str> = functions.iter().map(|function| function.name()).collect();
    let names = names.join(", ");
    let text = format!("{word} modifier can only be used with: {names} - not with {function}");
    Err(Error::new(ErrorKind::Execution, text))
}
