//! The way of a query: parse, resolve, plan, execute.

mod answer;
mod optimize;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use engine::source::SeriesSource;
use engine::{Error, ErrorKind, Result};

use crate::ast::{Expr, ValueType};
use crate::exec::fault::Fault;
use crate::exec::grid::Grid;
use crate::functions::{Reach, Windows};
use crate::parse::{Features, Steps, parse};
use crate::plan::{Node, Planner, Runs, Times, resolve};
use crate::query::{Evaluation, QueryAnswer, QueryRequest, QueryValue};
use crate::runtime::{ChildPool, QueryRuntime};

/// What all queries of a process share.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Threads that evaluate queries.
    pub threads: usize,
    /// Memory of all queries together, in bytes.
    pub memory_limit: usize,
    /// Memory of one query, in bytes.
    pub query_memory_limit: usize,
    /// What queries may use of the language.
    pub features: Features,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            memory_limit: 4 << 30,
            query_memory_limit: 2 << 30,
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
    /// The template of each query's context.
    config: SessionConfig,
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
            config: SessionConfig::new(),
        }
    }

    /// The bytes that all running queries hold.
    pub fn memory_used(&self) -> usize {
        self.memory.reserved()
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
        let pool = ChildPool::new(Arc::clone(&self.memory), self.settings.query_memory_limit);
        let context = self.context(Arc::new(pool))?;
        let (timeout, features) = (request.timeout, self.settings.features);
        let work = async move {
            let began = Instant::now();
            let evaluated = answer_without_damage(request, features, source, context);
            match tokio::time::timeout(timeout, evaluated).await {
                // A query that never has to wait is not stopped, and may be late all the same.
                Ok(answer) if began.elapsed() <= timeout => answer,
                _ => {
                    let text = "query timed out in expression evaluation";
                    Err(Error::new(ErrorKind::Timeout, text))
                }
            }
        };
        self.runtime.run(work).await
    }

    fn context(&self, pool: Arc<dyn MemoryPool>) -> Result<Arc<TaskContext>> {
        let runtime: Arc<RuntimeEnv> =
            RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        let context =
            TaskContext::default().with_session_config(self.config.clone()).with_runtime(runtime);
        Ok(Arc::new(context))
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

/// How often a query is begun anew.
const ATTEMPTS: usize = 16;

/// Evaluates the query; if stored samples turn out damaged, once more, provided that a partial
/// answer is wanted: the source has set the block aside then, and names it in its warnings.
async fn answer_without_damage(
    request: QueryRequest,
    features: Features,
    source: Arc<dyn SeriesSource>,
    context: Arc<TaskContext>,
) -> Result<QueryAnswer> {
    let mut attempt = 1;
    loop {
        let (source, context) = (Arc::clone(&source), Arc::clone(&context));
        match evaluate(request.clone(), features, source, context).await {
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

async fn evaluate(
    request: QueryRequest,
    features: Features,
    source: Arc<dyn SeriesSource>,
    context: Arc<TaskContext>,
) -> Result<QueryAnswer> {
    let steps = match request.evaluation {
        Evaluation::Instant { .. } => Steps::default(),
        Evaluation::Range { start, end, step } => Steps { step, range: end.saturating_sub(start) },
    };
    let expr = parse(&request.query, features, steps)?;
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
        let value = QueryValue::String(times.start, text);
        let (warnings, infos) = (Vec::new(), Vec::new());
        return Ok(QueryAnswer { value, warnings, infos, plan: Arc::from("") });
    }
    let selectors = resolve(&expr, &times, grid, source.as_ref(), &request.select).await?;
    let mut planner = Planner::new(times, features, &selectors);
    let planned = plan(&mut planner, &expr, grid, &context).await?;
    let executed = match planned {
        Planned::Runs(runs, windows, reach) => {
            answer::matrix_of_runs(runs, windows, reach, &context).await
        }
        Planned::Grid(node) => answer::of_grid(node, kind, is_range, &context).await,
    };
    let (value, plan) = executed.map_err(|error| query_error(error, &planner))?;
    let (mut warnings, infos) = planner.annotations(&request.query);
    warnings.splice(0..0, selectors.warnings());
    let value = answer::limited(value, request.limit, &mut warnings);
    Ok(QueryAnswer { value, warnings, infos, plan })
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
