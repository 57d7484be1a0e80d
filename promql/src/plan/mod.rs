//! From syntax tree to physical plan.
//!
//! ```text
//! parse ─ Times (steps, windows) ─ selectors::resolve (all at once) ─ Planner (a file a node kind)
//! ```
//!
//! The planner walks the tree once. What it knows of a node is in [`Node`]: the plan that makes its
//! grid, and the labels of its series, which the operators never see. Everything that depends on
//! labels is decided here: groups, matches, dropped names, labels that collide.

mod aggregate;
mod annotations;
mod axis;
mod binary;
mod budget;
mod call;
mod consumption;
mod downsampling;
mod fault;
mod histogram;
mod info;
mod invariant;
mod labels;
mod matching;
mod names;
mod range_call;
mod selectors;
mod series;

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::model::Labels;
use engine::{Error, Result};
use hashbrown::HashMap;

use self::annotations::Annotations;
use self::consumption::{Counted as CountedSelector, Counting, Taken};
use self::names::Unnamed;
use crate::ast::{Expr, Extended, Selector, Subquery, VectorMatching};
use crate::exec::Argument;
use crate::exec::cell::{CellFunction, cell_function};
use crate::exec::consumed::Consumed;
use crate::exec::grid::Grid;
use crate::exec::ordered_aggregate::{CountedValue, CountedValues};
use crate::exec::repeat::repeat;
use crate::exec::scalar::{ScalarSource, scalar};
use crate::exec::share::ShareExec;
use crate::exec::subquery::subquery;
use crate::exec::window::{OfNewest, WindowFunction};
use crate::functions::Consumption;
use crate::parse::Features;

pub(crate) use axis::Times;
pub(crate) use budget::Budget;
pub(crate) use selectors::{Selectors, resolve};
pub(crate) use series::SeriesSet;

/// A planned instant vector or scalar.
#[derive(Debug)]
pub(crate) struct Node {
    /// The plan of its grid batches.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// The labels of its series.
    pub(crate) series: SeriesSet,
    /// Its steps.
    pub(crate) grid: Grid,
    /// Whether the order of its rows is part of the answer (`sort`, `topk`).
    pub(crate) ordered: bool,
    /// Which series lose their metric's name at the end of the query.
    pub(crate) unnamed: Unnamed,
}

/// A planned range vector: samples rather than a grid.
#[derive(Debug)]
pub(crate) struct Runs {
    /// The plan of its run batches.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// The labels of its series.
    pub(crate) series: SeriesSet,
    /// Which series lose their metric's name at the end of the query.
    pub(crate) unnamed: Unnamed,
    /// Where samples are counted by who reads them; none if they are not counted, or have been already.
    pub(crate) consumed: Option<Arc<Consumed>>,
}

impl Runs {
    /// The labels of series `at` in the answer of a query that is a range vector.
    pub(crate) fn labels(&self, at: usize) -> Labels {
        let labels = self.series.labels(at);
        match self.unnamed.has(at) {
            true => labels.filter(|name| !series::METADATA.contains(&name)),
            false => labels,
        }
    }
}

/// A binary operation between vectors, kept so that a fault in it can name series.
#[derive(Debug)]
pub(crate) struct Operation {
    left: SeriesSet,
    right: SeriesSet,
    matching: VectorMatching,
}

/// Values that must be known, and so be executed, before planning can go on.
#[derive(Debug)]
pub(crate) struct PendingValues {
    /// The address of their expression.
    key: usize,
    /// The plan to execute.
    pub(crate) share: Arc<ShareExec>,
    found: Arc<CountedValues>,
    of: ValuesOf,
}

/// Whose values are pending.
#[derive(Debug)]
enum ValuesOf {
    /// Of a `count_values`: the groups, the label that has the value, the annotations of what it
    /// counts, and the selectors in there.
    Count {
        groups: Vec<Labels>,
        label: String,
        annotations: Annotations,
        selectors: Vec<CountedSelector>,
    },
    /// Of a scalar that changes from step to step.
    Scalar,
}

/// A `count_values` that has been executed.
#[derive(Debug)]
struct Counted {
    share: Arc<ShareExec>,
    series: SeriesSet,
    /// The annotations of what was counted.
    annotations: Annotations,
}

/// Plans one query.
#[derive(Debug)]
pub(crate) struct Planner<'a> {
    times: Times,
    features: Features,
    selectors: &'a Selectors,
    budget: &'a Budget,
    operations: Vec<Operation>,
    annotations: Annotations,
    /// Whether what is planned now is evaluated over a time that ends after it begins, if only for one
    /// step.
    spans: bool,
    /// The `count_values` that have been executed, by the address of their node.
    counted: HashMap<usize, Counted>,
    /// The values of scalars that have been executed, by the address of their expression.
    scalar_values: HashMap<usize, Vec<f64>>,
    counting: Counting,
    pending: Option<PendingValues>,
}

impl<'a> Planner<'a> {
    /// A planner for one tree; samples are counted if `counted`.
    pub(crate) fn new(
        times: Times,
        features: Features,
        selectors: &'a Selectors,
        budget: &'a Budget,
        counted: bool,
    ) -> Self {
        Self {
            times,
            features,
            selectors,
            budget,
            operations: Vec::new(),
            annotations: Annotations::default(),
            spans: times.end > times.start,
            counted: HashMap::new(),
            scalar_values: HashMap::new(),
            counting: Counting::new(counted),
            pending: None,
        }
    }

    /// What has to be executed before the planning that has just failed can be tried again.
    pub(crate) fn take_pending(&mut self) -> Option<PendingValues> {
        self.pending.take()
    }

    /// Takes note of what `pending` found when it was executed; what the planning that failed has left is
    /// forgotten.
    pub(crate) fn executed(&mut self, pending: PendingValues) {
        self.operations.clear();
        self.annotations.clear();
        let PendingValues { key, share, found, of } = pending;
        match of {
            ValuesOf::Count { groups, label, annotations, selectors } => {
                self.counting.restart(selectors);
                let labels = |counted: CountedValue| {
                    let label = Labels::new([(label.as_str(), counted.value)]);
                    groups[counted.group as usize].overlay(&label.unwrap_or_default())
                };
                let labels: Vec<Labels> = found.get().into_iter().map(labels).collect();
                let series = SeriesSet::from_labels(&labels);
                self.counted.insert(key, Counted { share, series, annotations });
            }
            ValuesOf::Scalar => {
                // It is executed once more, as a parameter.
                self.counting.restart(Vec::new());
                // The text of a number is the shortest that means it.
                let values = found.get().into_iter().filter_map(|found| found.value.parse().ok());
                self.scalar_values.insert(key, values.collect());
            }
        }
    }

    /// How many samples were consumed at each of `steps` steps, and of how many series, after the plan has
    /// been executed; none if they are not counted.
    pub(crate) fn consumption(&self, steps: usize) -> Option<(Consumption, usize)> {
        self.counting.sum(steps)
    }

    /// Warnings and infos on `query`, after the plan has been executed.
    pub(crate) fn annotations(&self, query: &str) -> (Vec<String>, Vec<String>) {
        self.annotations.texts(query)
    }
}

impl Planner<'_> {
    /// Plans a scalar or instant vector on `grid`.
    pub(crate) fn plan(&mut self, expr: &Expr, grid: Grid) -> Result<Node> {
        let mut node = self.node(expr, grid)?;
        self.budget.spend(&mut node.series)?;
        Ok(node)
    }

    fn node(&mut self, expr: &Expr, grid: Grid) -> Result<Node> {
        if let Some(value) = invariant::constant(expr, &self.times) {
            return Ok(scalar_node(ScalarSource::Constant(value), grid));
        }
        if self.spans && grid.steps <= 1 && invariant::is_invariant(expr) {
            return self.plan_in(false, expr, grid);
        }
        let once = selectors::evaluated_at(expr, grid);
        if once != grid {
            let around = self.counting.enter(grid, Taken::Repeated);
            let node = self.plan_in(false, expr, once);
            self.counting.leave(around);
            let node = node?;
            return Ok(Node { plan: repeat(node.plan, once, grid), grid, ..node });
        }
        match expr {
            Expr::Instant(selector) => Ok(self.instant(selector, OfNewest::Value, grid)),
            Expr::Call(call) => self.call(call, grid),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, grid),
            Expr::Negate(inner) => {
                let node = self.plan(inner, grid)?;
                let plan = cell_function(node.plan, grid, CellFunction::Negate, Vec::new());
                Ok(self.without_name(Node { plan, ..node }))
            }
            Expr::Binary(binary) => self.binary(binary, grid),
            Expr::Number(_) | Expr::Text(_) | Expr::Range(..) | Expr::Subquery(_) => {
                Err(Error::internal(format!("a {} is no instant vector", expr.value_type())))
            }
        }
    }

    /// Plans what is evaluated over a time that [spans](Self::spans) more than an instant, or does not.
    fn plan_in(&mut self, spans: bool, expr: &Expr, grid: Grid) -> Result<Node> {
        let around = std::mem::replace(&mut self.spans, spans);
        let node = self.plan(expr, grid);
        self.spans = around;
        node
    }

    /// Plans a scalar parameter. One that varies becomes an input, added to `sides`.
    fn argument(
        &mut self,
        expr: &Expr,
        grid: Grid,
        sides: &mut Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Argument> {
        if let Some(value) = invariant::constant(expr, &self.times) {
            return Ok(Argument::Constant(value));
        }
        sides.push(self.plan(expr, grid)?.plan);
        Ok(Argument::Input(sides.len() - 1))
    }

    /// Plans a selector: `what` of the newest sample at each step.
    fn instant(&mut self, selector: &Selector, what: OfNewest, grid: Grid) -> Node {
        let lookback = self.times.lookback;
        let windows = self.times.windows(selector, lookback, grid);
        let runs = self.selectors.runs(selector);
        let series = SeriesSet::from_roster(self.selectors.roster(selector));
        let consumed = self.counting.selector(grid, series.len());
        let plan = match (selector.extended, what) {
            (Some(Extended::Smoothed), OfNewest::Value) => {
                let notes = self.notes(&series, "", selector.place);
                WindowFunction::smoothed(runs, grid, windows, notes, selector.totals_only)
            }
            _ => WindowFunction::instant(runs, grid, windows, what, selector.totals_only, consumed),
        };
        Node { plan, series, grid, ordered: false, unnamed: Unnamed::None }
    }

    /// Plans the samples of a subquery whose parent has the steps of `grid`. Histograms keep what they
    /// say of counter resets if `hints`.
    pub(crate) fn subquery(&mut self, node: &Subquery, grid: Grid, hints: bool) -> Result<Runs> {
        let inner = self.times.subquery_grid(node, grid)?;
        let spans = self.times.subquery_end(node, grid) > inner.start;
        let taken = self.times.taken(node);
        let around = self.counting.enter(grid, taken);
        let planned = self.plan_in(spans, &node.expr, inner);
        self.counting.leave(around);
        let Node { plan, series, unnamed, .. } = planned?;
        Ok(Runs { plan: subquery(plan, inner, hints), series, unnamed, consumed: None })
    }
}

/// A scalar that needs no samples.
fn scalar_node(source: ScalarSource, grid: Grid) -> Node {
    one_series(scalar(source, grid), Labels::empty(), grid)
}

/// The one series of a function that has no other.
fn one_series(plan: Arc<dyn ExecutionPlan>, labels: Labels, grid: Grid) -> Node {
    let series = SeriesSet::one(labels);
    Node { plan, series, grid, ordered: false, unnamed: Unnamed::None }
}
