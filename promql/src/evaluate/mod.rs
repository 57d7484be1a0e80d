//! The way of a query: parse, resolve, plan, execute.

mod answer;
mod optimize;
#[cfg(test)]
mod tests;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use engine::source::{SelectOptions, SeriesSource};
use engine::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Instant;

use crate::ast::{Expr, ValueType};
use crate::exec::fault::Fault;
use crate::exec::grid::Grid;
use crate::functions::{Reach, Windows};
use crate::parse::{Features, Steps, parse};
use crate::plan::{Budget, Node, Planner, Runs, Times, resolve};
use crate::query::{Evaluation, QueryAnswer, QueryRequest, QueryValue};
use crate::runtime::{ChildPool, QueryRuntime, Stop};

/// What all queries of a process share.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Threads that evaluate queries.
    pub threads: usize,
    /// Memory of all queries together, in bytes.
    pub memory_limit: usize,
    /// Memory of one query, in bytes.
    pub query_memory_limit: usize,
    /// Most series that all selectors of a query may match together.
    pub series_limit: usize,
    /// What queries may use of the language.
    pub features: Features,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            memory_limit: 4 << 30,
            query_memory_limit: 2 << 30,
            series_limit: 1_000_000,
            features: Features::default(),
        }
    }
}

/// Evaluates PromQL over a source.
#[derive(Debug)]
pub struct Engine {
    runtime: QueryRuntime,
    memory: Arc<dyn MemoryPool>,
    settings: EngineSettings,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(EngineSettings::default())
    }
}

impl Engine {
    /// An engine; its threads start with the first query.
    pub fn new(settings: EngineSettings) -> Self {
        Self {
            runtime: QueryRuntime::new(settings.threads),
            memory: Arc::new(GreedyMemoryPool::new(settings.memory_limit)),
            settings,
        }
    }

    /// The bytes that all running queries hold.
    pub fn memory_used(&self) -> usize {
        self.memory.reserved()
    }

    /// What queries may use of the language.
    pub fn features(&self) -> Features {
        self.settings.features
    }

    /// The memory of a query, for who reads samples without one.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) if it cannot be set up.
    pub fn reading(&self) -> Result<Arc<TaskContext>> {
        self.context(&Stop::default())
    }

    /// Evaluates `request` over `source`. Dropping the future cancels the query.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a query that Prometheus' parser refuses,
    /// [`Unsupported`](ErrorKind::Unsupported) for what is not there yet,
    /// [`Execution`](ErrorKind::Execution) for what the samples do not allow,
    /// [`Timeout`](ErrorKind::Timeout), [`ResourcesExhausted`](ErrorKind::ResourcesExhausted), and
    /// the source's own.
    pub async fn query(
        &self,
        request: QueryRequest,
        source: Arc<dyn SeriesSource>,
    ) -> Result<QueryAnswer> {
        let stop = Stop::default();
        let _stop = stop.on_drop();
        let evaluation = Running {
            features: self.settings.features,
            series_limit: self.settings.series_limit,
            source,
            context: self.context(&stop)?,
            stop,
        };
        let (began, timeout) = (Instant::now(), request.timeout);
        let work = self.runtime.run(evaluation.answer_without_damage(request));
        match tokio::time::timeout(timeout, work).await {
            // The timer is coarser than a timeout may be.
            Ok(answer) if began.elapsed() <= timeout => answer,
            _ => {
                let text = "query timed out in expression evaluation";
                Err(Error::new(ErrorKind::Timeout, text))
            }
        }
    }

    fn context(&self, stop: &Stop) -> Result<Arc<TaskContext>> {
        let pool = ChildPool::new(Arc::clone(&self.memory), self.settings.query_memory_limit);
        let runtime: Arc<RuntimeEnv> =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?;
        let config = SessionConfig::new().with_extension(Arc::new(stop.clone()));
        let context = TaskContext::default().with_session_config(config).with_runtime(runtime);
        Ok(Arc::new(context))
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// How often a query is begun anew.
const ATTEMPTS: usize = 16;

/// What a query runs with.
struct Running {
    features: Features,
    series_limit: usize,
    source: Arc<dyn SeriesSource>,
    context: Arc<TaskContext>,
    stop: Stop,
}

impl Running {
    /// Evaluates the query; if stored samples turn out damaged, once more, provided that a partial
    /// answer is wanted: the source has set the block aside then, and names it in its warnings.
    async fn answer_without_damage(self, request: QueryRequest) -> Result<QueryAnswer> {
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
        let steps = match request.evaluation {
            Evaluation::Instant { .. } => Steps::default(),
            Evaluation::Range { start, end, step } => {
                Steps { step, range: end.saturating_sub(start) }
            }
        };
        let expr = parse(&request.query, self.features, steps)?;
        let kind = expr.value_type();
        let is_range = matches!(request.evaluation, Evaluation::Range { .. });
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
        if let Expr::Text(text) = expr {
            let text = text.shown().into_owned();
            return Ok(QueryAnswer::of(QueryValue::String(times.start, text)));
        }
        let (context, source) = (&self.context, self.source.as_ref());
        let select =
            SelectOptions { limits: request.select.limits.anew(), ..request.select.clone() };
        let budget = Budget::new(context, self.stop.clone(), self.series_limit);
        let selectors =
            resolve(&expr, &times, grid, self.features, source, &select, &budget).await?;
        let mut planner = Planner::new(times, self.features, &selectors, &budget);
        let planned = plan(&mut planner, &expr, grid, context).await?;
        let executed = match planned {
            Planned::Runs(runs, windows, reach) => {
                answer::matrix_of_runs(runs, windows, reach, context).await
            }
            Planned::Grid(node) => answer::of_grid(node, kind, is_range, context).await,
        };
        let mut answer = executed.map_err(|error| query_error(error, &planner))?;
        (answer.warnings, answer.infos) = planner.annotations(&request.query);
        answer.warnings.splice(0..0, selectors.warnings());
        answer.value = answer::limited(answer.value, request.limit, &mut answer.warnings);
        Ok(answer)
    }
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
