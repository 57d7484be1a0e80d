//! One query: parsed, resolved, planned, executed.

use std::sync::Arc;
use std::time::Instant;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use engine::source::{SelectOptions, SeriesSource};
use engine::{Error, ErrorKind, Result};

use super::answer::{self, Executed};
use super::explain;
use crate::ast::{Expr, ValueType};
use crate::exec::fault::Fault;
use crate::exec::grid::Grid;
use crate::functions::{Reach, Windows};
use crate::parse::{Features, Steps, parse};
use crate::plan::{Budget, Node, Planner, Runs, Selectors, Times, resolve};
use crate::query::{
    Evaluation, PlanNode, QueryAnswer, QueryRequest, QueryValue, SAMPLE_BYTES, SampleStats,
    StepSamples, Timings,
};
use crate::runtime::{ChildPool, Stop};

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// How often a query is begun anew.
const ATTEMPTS: usize = 16;

/// What a query runs with.
pub(super) struct Running {
    pub(super) features: Features,
    pub(super) series_limit: usize,
    pub(super) source: Arc<dyn SeriesSource>,
    pub(super) context: Arc<TaskContext>,
    /// The memory of `context`.
    pub(super) memory: Arc<ChildPool>,
    pub(super) stop: Stop,
}

impl Running {
    /// Evaluates the query; if stored samples turn out damaged, once more, provided that a partial
    /// answer is wanted: the source has set the block aside then, and names it in its warnings.
    pub(super) async fn answer_without_damage(self, request: QueryRequest) -> Result<QueryAnswer> {
        let mut attempt = 1;
        loop {
            match self.evaluate(&request).await {
                Err(error)
                    if error.kind() == ErrorKind::Corrupt
                        && request.select.partial_response
                        && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn evaluate(&self, request: &QueryRequest) -> Result<QueryAnswer> {
        let began = Instant::now();
        let Asked { expr, times, grid } = self.asked(request)?;
        if let Expr::Text(text) = expr {
            let value = QueryValue::String(times.start, text.clone());
            let steps = vec![StepSamples { time: times.start, ..StepSamples::default() }];
            let samples = SampleStats { steps, ..SampleStats::default() };
            return Ok(QueryAnswer { samples: Some(samples), ..QueryAnswer::of(value) });
        }
        let budget = self.budget();
        let selectors = self.resolve(&expr, times, grid, request, &budget).await?;
        let counted = request.stats || request.analyze;
        let mut planner = Planner::new(times, self.features, &selectors, &budget, counted);
        let planned = plan(&mut planner, &expr, grid, &self.context).await?;
        let preparation = began.elapsed();
        let is_range = matches!(request.evaluation, Evaluation::Range { .. });
        let executed = match planned {
            Planned::Runs(runs, windows, reach) => {
                answer::matrix_of_runs(runs, windows, reach, &self.context).await
            }
            Planned::Grid(node) => {
                answer::of_grid(node, expr.value_type(), is_range, &self.context).await
            }
        };
        let Executed { value, memory, plan, sorting } =
            executed.map_err(|error| query_error(error, &planner))?;
        let execution = began.elapsed().saturating_sub(preparation + sorting);
        let (mut warnings, infos) = planner.annotations(&request.query);
        warnings.splice(0..0, selectors.warnings());
        let value = answer::limited(value, request.limit, &mut warnings);
        let samples = planner.consumption(grid.steps).map(|(counts, series)| {
            let steps = counts.total.into_iter().zip(counts.read).enumerate();
            let step = |(k, (total, read))| StepSamples { time: grid.time(k), total, read };
            let peak = self.memory.peak() / SAMPLE_BYTES;
            SampleStats { steps: steps.map(step).collect(), series, peak }
        });
        Ok(QueryAnswer {
            value,
            warnings,
            infos,
            timings: Timings { preparation, execution, sorting },
            samples,
            plan: request.analyze.then(|| explain::tree(plan.as_ref())),
            memory: Some(Arc::new(memory)),
        })
    }

    /// The plan of the query, not executed.
    pub(super) async fn explain(self, request: QueryRequest) -> Result<PlanNode> {
        let Asked { expr, times, grid } = self.asked(&request)?;
        if let Expr::Text(text) = expr {
            return Ok(PlanNode::of(format!("Text: {}", text.shown())));
        }
        let budget = self.budget();
        let selectors = self.resolve(&expr, times, grid, &request, &budget).await?;
        let mut planner = Planner::new(times, self.features, &selectors, &budget, false);
        let plan = match plan(&mut planner, &expr, grid, &self.context).await? {
            Planned::Runs(runs, ..) => runs.plan,
            Planned::Grid(node) => node.plan,
        };
        let plan = answer::ready(plan, &self.context)?;
        Ok(explain::tree(plan.as_ref()))
    }

    fn asked(&self, request: &QueryRequest) -> Result<Asked> {
        let (steps, is_range) = match request.evaluation {
            Evaluation::Instant { .. } => (Steps::default(), false),
            Evaluation::Range { start, end, step } => {
                (Steps { step, range: end.saturating_sub(start) }, true)
            }
        };
        let expr = parse(&request.query, self.features, steps)?;
        let kind = expr.value_type();
        if is_range && matches!(kind, ValueType::Range | ValueType::Text) {
            return Err(Error::invalid(format!(
                "invalid expression type {:?} for range query, must be Scalar or instant Vector",
                kind.to_string()
            )));
        }
        let (times, grid) = Times::new(
            request.evaluation,
            millis(request.lookback),
            millis(request.default_subquery_step),
            millis(request.max_resolution),
        )?;
        Ok(Asked { expr, times, grid })
    }

    fn budget(&self) -> Budget {
        Budget::new(&self.context, self.stop.clone(), self.series_limit)
    }

    async fn resolve(
        &self,
        expr: &Expr,
        times: Times,
        grid: Grid,
        request: &QueryRequest,
        budget: &Budget,
    ) -> Result<Selectors> {
        let select =
            SelectOptions { limits: request.select.limits.anew(), ..request.select.clone() };
        let source = self.source.as_ref();
        resolve(expr, &times, grid, self.features, source, &select, budget).await
    }
}

/// What a request asks for, and when.
struct Asked {
    expr: Expr,
    times: Times,
    grid: Grid,
}

enum Planned {
    Grid(Node),
    Runs(Runs, Windows, Option<Reach>),
}

/// Plans the query; what must be executed before the rest can be planned is executed.
async fn plan(
    planner: &mut Planner<'_>,
    expr: &Expr,
    grid: Grid,
    context: &Arc<TaskContext>,
) -> Result<Planned> {
    loop {
        let planned = match expr.value_type() {
            ValueType::Range => {
                let reach = planner.reach(expr);
                let range = planner.range(expr, grid, true);
                range.map(|(runs, windows)| Planned::Runs(runs, windows, reach))
            }
            _ => planner.plan(expr, grid).map(|node| Planned::Grid(planner.finished(node))),
        };
        match (planned, planner.take_pending()) {
            (Err(_), Some(pending)) => {
                let executed = answer::execute(Arc::clone(&pending.share) as _, context).await;
                executed.map_err(|error| query_error(error, planner))?;
                planner.executed(pending);
            }
            (planned, _) => return planned,
        }
    }
}

/// An error of the plan, as the caller knows errors.
fn query_error(error: DataFusionError, planner: &Planner<'_>) -> Error {
    match Fault::find(&error) {
        Some(fault) => Error::new(ErrorKind::Execution, planner.describe(fault)),
        None => error.into(),
    }
}
