//! Functions of instant vectors and scalars.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::{Labels, MatchOp};
use engine::{Error, Result};

use super::annotations::Severity;
use super::labels::text;
use super::series::METADATA;
use super::{Node, Planner, one_series, scalar_node};
use crate::ast::{Call, Expr};
use crate::exec::absent::absent;
use crate::exec::cell::{CellFunction, cell_function};
use crate::exec::grid::Grid;
use crate::exec::scalar::{ScalarSource, scalar_of_vector};
use crate::exec::sort::{Order, sort};
use crate::exec::window::OfNewest;
use crate::functions::math::MathFunction;
use crate::functions::{HistogramValue, RangeFunction, precedes, sort_by};

const SORT_IN_RANGE: &str =
    "sort is ineffective for range queries since results are always ordered by labels";

impl Planner<'_> {
    /// Plans a call of any function.
    pub(super) fn call(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        if let Some(function) = RangeFunction::from_name(call.function) {
            return self.range_call(function, call, grid);
        }
        if let Some(function) = MathFunction::from_name(call.function) {
            return self.math(function, call, grid);
        }
        if let Some(value) = HistogramValue::from_name(call.function) {
            return self.of_cells(&call.args[0], CellFunction::OfHistogram(value), grid);
        }
        match (call.function, call.args.as_slice()) {
            ("time", _) => Ok(scalar_node(ScalarSource::Time, grid)),
            ("scalar", [vector]) => {
                let node = self.plan(vector, grid)?;
                Ok(one_series(scalar_of_vector(node.plan, grid), Labels::empty(), grid))
            }
            // A scalar is a grid with one series without labels, and so is its vector.
            ("vector", [scalar]) => self.plan(scalar, grid),
            ("timestamp", [vector]) => self.timestamp(vector, grid),
            ("start_timestamp", [vector]) => self.start_timestamp(vector, grid),
            ("absent", [vector]) => {
                let node = self.plan(vector, grid)?;
                Ok(one_series(absent(node.plan, grid), absent_labels(vector), grid))
            }
            ("absent_over_time", [range]) => {
                self.absent_over_time(range, absent_labels(range), grid)
            }
            ("sort", [vector]) => self.sort(call, vector, grid, Order::Ascending),
            ("sort_desc", [vector]) => self.sort(call, vector, grid, Order::Descending),
            ("sort_by_label", [vector, ..]) => self.sort_by_label(call, vector, grid, false),
            ("sort_by_label_desc", [vector, ..]) => self.sort_by_label(call, vector, grid, true),
            ("histogram_quantile" | "histogram_fraction" | "histogram_quantiles", _) => {
                self.histogram_call(call, grid)
            }
            ("label_replace", _) => self.label_replace(call, grid),
            ("label_join", _) => self.label_join(call, grid),
            ("info", [base, Expr::Instant(infos)]) => self.info(base, infos, grid),
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
        let node = self.plan(vector, grid)?;
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        let mut arguments = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            arguments.push(self.argument(parameter, grid, &mut sides)?);
        }
        let plan = cell_function(node.plan, grid, CellFunction::Math(function, arguments), sides);
        Ok(self.without_name(Node { plan, ..node }))
    }

    /// A function of each cell of a vector.
    fn of_cells(&mut self, vector: &Expr, function: CellFunction, grid: Grid) -> Result<Node> {
        let node = self.plan(vector, grid)?;
        let plan = cell_function(node.plan, grid, function, Vec::new());
        Ok(self.without_name(Node { plan, ..node }))
    }

    /// `timestamp(selector)` is the time of the samples; of anything else, that of the step.
    fn timestamp(&mut self, vector: &Expr, grid: Grid) -> Result<Node> {
        match vector {
            Expr::Instant(selector) => {
                let node = self.instant(selector, OfNewest::Timestamp, grid);
                Ok(self.without_name(node))
            }
            _ => self.of_cells(vector, CellFunction::StepTime, grid),
        }
    }

    /// `start_timestamp(selector)`; of anything else, and where start timestamps are not used, it has
    /// no results.
    fn start_timestamp(&mut self, vector: &Expr, grid: Grid) -> Result<Node> {
        match vector {
            Expr::Instant(selector) if self.features.use_start_timestamps => {
                let node = self.instant(selector, OfNewest::StartTimestamp, grid);
                Ok(self.without_name(node))
            }
            _ => self.of_cells(vector, CellFunction::Nothing, grid),
        }
    }

    /// Sorting shows in the answer of an instant query only.
    fn sort(&mut self, call: &Call, vector: &Expr, grid: Grid, order: Order) -> Result<Node> {
        let node = self.plan(vector, grid)?;
        // Values have an order at each step alone; histograms have none, and are left out.
        if self.spans {
            self.annotations.add(Severity::Warning, SORT_IN_RANGE, call.place);
        }
        if grid.steps > 1 {
            let plan = cell_function(node.plan, grid, CellFunction::Floats, Vec::new());
            return Ok(Node { plan, ..node });
        }
        Ok(Node { plan: sort(node.plan, grid, order), ordered: true, ..node })
    }

    /// By the values of labels, numbers in them by value; equal ones by all labels.
    fn sort_by_label(
        &mut self,
        call: &Call,
        vector: &Expr,
        grid: Grid,
        descending: bool,
    ) -> Result<Node> {
        let names: Vec<Cow<'_, str>> =
            (1..call.args.len()).map(|at| text(call, at)).collect::<Result<_>>()?;
        let node = self.plan(vector, grid)?;
        if self.spans {
            self.annotations.add(Severity::Warning, SORT_IN_RANGE, call.place);
        }
        if grid.steps > 1 {
            return Ok(node);
        }
        let labels = node.series.all_labels();
        let mut order: Vec<usize> = (0..labels.len()).collect();
        sort_by(&mut order, &mut |a, b| {
            let (a, b) = (&labels[a], &labels[b]);
            let differs = names.iter().find(|name| a.get(name) != b.get(name));
            let ascending = match differs {
                Some(name) if precedes(a.get(name), b.get(name)) => std::cmp::Ordering::Less,
                Some(_) => std::cmp::Ordering::Greater,
                None => a.cmp(b),
            };
            if descending { ascending.reverse() } else { ascending }
        });
        let mut rank = vec![0; labels.len()];
        for (place, at) in order.into_iter().enumerate() {
            rank[at] = place as u32;
        }
        let plan = sort(node.plan, grid, Order::Ranked(rank.into()));
        Ok(Node { plan, ordered: true, ..node })
    }
}

/// The labels of `absent`'s series: from `=` matchers of a selector after which the label has no other
/// matcher (`createLabelsForAbsentFunction` in promql/functions.go).
fn absent_labels(expr: &Expr) -> Labels {
    let (Expr::Instant(selector) | Expr::Range(selector, _)) = expr else {
        return Labels::empty();
    };
    // The first `=` matcher of a label sets it, any matcher after that takes it away.
    let mut found: Vec<(&str, Option<&str>)> = Vec::new();
    for matcher in selector.matchers.iter().filter(|m| !METADATA.contains(&m.name())) {
        match found.iter_mut().find(|(name, _)| *name == matcher.name()) {
            Some((_, value)) => *value = None,
            None if matcher.op() == MatchOp::Equal => {
                found.push((matcher.name(), Some(matcher.value())));
            }
            None => {}
        }
    }
    Labels::new(found.into_iter().filter_map(|(name, value)| Some((name, value?))))
        .unwrap_or_default()
}
