//! Finds the selectors of a query, says what each needs, and resolves all of them at once.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use engine::Result;
use engine::model::TimeRange;
use engine::source::{Columns, Resolved, Roster, Select, SelectOptions, SeriesSource, run_schema};
use futures::future::try_join_all;

use super::axis::Times;
use super::budget::Budget;
use super::downsampling;
use super::invariant::is_invariant;
use crate::ast::{AggregateOp, BinaryOp, Call, Expr, Selector};
use crate::exec::grid::Grid;
use crate::functions::RangeFunction;
use crate::parse::Features;

/// The series of each selector, by its number.
#[derive(Debug)]
pub(crate) struct Selectors {
    of_selector: Vec<usize>,
    resolved: Vec<Resolved>,
}

impl Selectors {
    /// The series of `selector`.
    pub(crate) fn roster(&self, selector: &Selector) -> Arc<Roster> {
        Arc::clone(&self.resolved[self.of_selector[selector.id]].roster)
    }

    /// The plan of its samples.
    pub(crate) fn runs(&self, selector: &Selector) -> Arc<dyn ExecutionPlan> {
        Arc::clone(&self.resolved[self.of_selector[selector.id]].runs)
    }

    /// What could not be read.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.resolved.iter().flat_map(|resolved| resolved.warnings.clone()).collect();
        warnings.sort_unstable();
        warnings.dedup();
        warnings
    }
}

/// How many selectors are resolved at the same time.
const AT_ONCE: usize = 16;

/// Resolves the selectors of `expr`, equal ones once, many at the same time.
pub(crate) async fn resolve(
    expr: &Expr,
    times: &Times,
    grid: Grid,
    features: Features,
    source: &dyn SeriesSource,
    options: &SelectOptions,
    budget: &Budget,
) -> Result<Selectors> {
    let mut found = Vec::new();
    let starts = features.use_start_timestamps;
    let at = Evaluated { grid, times: TimeRange::new(grid.start, grid.end()), starts };
    collect(expr, times, at, Need::NONE, &mut found)?;
    found.sort_by_key(|(id, _)| *id);
    let mut selects: Vec<Select> = Vec::new();
    let mut of_selector = Vec::with_capacity(found.len());
    for (_, select) in found {
        let known = selects.iter().position(|known| same(known, &select));
        of_selector.push(known.unwrap_or(selects.len()));
        if known.is_none() {
            selects.push(select);
        }
    }
    let (mut resolved, mut series) = (Vec::with_capacity(selects.len()), 0);
    for some in selects.chunks(AT_ONCE) {
        let resolving = try_join_all(some.iter().map(|select| async move {
            if select.range.is_empty() {
                return Ok(nothing());
            }
            source.resolve(select, options).await
        }));
        for next in resolving.await? {
            series = budget.select(series, &next.roster)?;
            resolved.push(next);
        }
    }
    Ok(Selectors { of_selector, resolved })
}

fn nothing() -> Resolved {
    Resolved {
        roster: Arc::new(Roster::default()),
        runs: Arc::new(EmptyExec::new(run_schema())),
        warnings: Vec::new(),
    }
}

fn same(a: &Select, b: &Select) -> bool {
    a.range == b.range
        && a.columns == b.columns
        && a.aggregates == b.aggregates
        && a.max_resolution == b.max_resolution
        && a.matchers.len() == b.matchers.len()
        && a.matchers.iter().all(|matcher| b.matchers.contains(matcher))
        && b.matchers.iter().all(|matcher| a.matchers.contains(matcher))
}

/// What the expression above needs of a selector's samples.
#[derive(Debug, Clone, Copy)]
struct Need<'a> {
    columns: Columns,
    /// The function or aggregation right above, which says what stands for downsampled samples; empty
    /// below an operator.
    function: &'a str,
}

impl<'a> Need<'a> {
    /// Nothing in particular: below an operator.
    const NONE: Self = Self::values("");

    const fn values(function: &'a str) -> Self {
        Self { columns: Columns::Samples, function }
    }
}

/// When a part of a query is evaluated.
#[derive(Debug, Clone, Copy)]
struct Evaluated {
    grid: Grid,
    /// Its steps lie in here.
    times: TimeRange,
    /// Whether functions that know use start timestamps.
    starts: bool,
}

/// Walks down with the steps at which each part is evaluated.
fn collect(
    expr: &Expr,
    times: &Times,
    at: Evaluated,
    need: Need<'_>,
    found: &mut Vec<(usize, Select)>,
) -> Result<()> {
    let at = Evaluated { grid: evaluated_at(expr, at.grid), ..at };
    match expr {
        Expr::Number(_) | Expr::Text(_) => Ok(()),
        Expr::Instant(selector) => {
            let range = read(times, selector, times.lookback, at);
            found.push(select(selector, range, need, times.max_resolution));
            Ok(())
        }
        Expr::Range(selector, range) => {
            let resolution = downsampling::within(times.max_resolution, need.function, *range);
            found.push(select(selector, read(times, selector, *range, at), need, resolution));
            Ok(())
        }
        Expr::Subquery(subquery) => {
            let inner = Evaluated {
                grid: times.subquery_grid(subquery, at.grid)?,
                times: times.subquery_evaluated(subquery, at.times),
                ..at
            };
            collect(&subquery.expr, times, inner, Need::values(need.function), found)
        }
        Expr::Call(Call { function: "info", args, .. }) => {
            // What is asked of the first argument is asked by what stands above.
            let (base, infos) = args.split_at(1.min(args.len()));
            base.iter().try_for_each(|arg| collect(arg, times, at, Need::NONE, found))?;
            let need = Need { columns: Columns::Timestamps, function: "" };
            infos.iter().try_for_each(|arg| collect(arg, times, at, need, found))
        }
        Expr::Call(call) => {
            let need = need_of_call(call, at.starts);
            call.args.iter().try_for_each(|arg| collect(arg, times, at, need, found))
        }
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &aggregate.param {
                collect(param, times, at, Need::NONE, found)?;
            }
            let presence = matches!(aggregate.op, AggregateOp::Count | AggregateOp::Group);
            let columns = if presence { Columns::Timestamps } else { Columns::Samples };
            let need = Need { columns, function: aggregate.op.name() };
            collect(&aggregate.expr, times, at, need, found)
        }
        Expr::Binary(binary) => {
            collect(&binary.left, times, at, Need::NONE, found)?;
            let presence = matches!(binary.op, BinaryOp::And | BinaryOp::Unless);
            let columns = if presence { Columns::Timestamps } else { Columns::Samples };
            collect(&binary.right, times, at, Need { columns, ..Need::NONE }, found)
        }
        Expr::Negate(inner) => collect(inner, times, at, Need::values(need.function), found),
    }
}

/// The steps at which `expr` is evaluated, when it is asked for on `grid`: one is enough for a part
/// that is the same at every step.
pub(crate) fn evaluated_at(expr: &Expr, grid: Grid) -> Grid {
    if grid.steps > 1 && is_invariant(expr) { Grid::instant(grid.start) } else { grid }
}

fn need_of_call(call: &Call, starts: bool) -> Need<'_> {
    let columns = match RangeFunction::from_name(call.function) {
        Some(function) if starts && function.uses_start_timestamps() => Columns::All,
        None if starts && call.function == "start_timestamp" => Columns::All,
        Some(function) => function.columns(),
        None if matches!(call.function, "absent" | "absent_over_time" | "timestamp") => {
            Columns::Timestamps
        }
        None => Columns::Samples,
    };
    Need { columns, function: call.function }
}

/// What a selector that looks back `range` ms reads: nothing if it is never evaluated.
fn read(times: &Times, selector: &Selector, range: i64, at: Evaluated) -> TimeRange {
    match at.grid.steps {
        0 => TimeRange::new(0, -1),
        _ => times.read(selector, range, at.times),
    }
}

fn select(
    selector: &Selector,
    range: TimeRange,
    need: Need<'_>,
    max_resolution: i64,
) -> (usize, Select) {
    let select = Select {
        matchers: selector.matchers.clone(),
        range,
        columns: need.columns,
        aggregates: downsampling::aggregates(max_resolution, need.function),
        max_resolution,
    };
    (selector.id, select)
}
