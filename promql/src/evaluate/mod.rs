//! The way of a query: parse, resolve, plan, execute.

mod answer;
mod explain;
mod optimize;
mod running;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use engine::source::SeriesSource;
use engine::{Error, ErrorKind, Result};

use self::running::Running;
use crate::parse::Features;
use crate::query::{PlanNode, QueryAnswer, QueryRequest};
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
        Ok(self.context(&Stop::default())?.0)
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
        let timeout = request.timeout;
        self.run(timeout, source, |running| running.answer_without_damage(request)).await
    }

    /// The physical plan of `request` over `source`. It is not executed, but for what must be known
    /// before the rest can be planned (`count_values`).
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn explain(
        &self,
        request: QueryRequest,
        source: Arc<dyn SeriesSource>,
    ) -> Result<PlanNode> {
        self.run(request.timeout, source, |running| running.explain(request)).await
    }

    /// Runs `work` on the threads of queries, within `timeout`.
    async fn run<T, F>(
        &self,
        timeout: Duration,
        source: Arc<dyn SeriesSource>,
        work: impl FnOnce(Running) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let stop = Stop::default();
        let _stop = stop.on_drop();
        let (context, memory) = self.context(&stop)?;
        let running = Running {
            features: self.settings.features,
            series_limit: self.settings.series_limit,
            source,
            context,
            memory,
            stop,
        };
        let began = Instant::now();
        match tokio::time::timeout(timeout, self.runtime.run(work(running))).await {
            // The timer is coarser than a timeout may be.
            Ok(done) if began.elapsed() <= timeout => done,
            _ => {
                let text = "query timed out in expression evaluation";
                Err(Error::new(ErrorKind::Timeout, text))
            }
        }
    }

    fn context(&self, stop: &Stop) -> Result<(Arc<TaskContext>, Arc<ChildPool>)> {
        let limit = self.settings.query_memory_limit;
        let pool = Arc::new(ChildPool::new(Arc::clone(&self.memory), limit));
        let runtime: Arc<RuntimeEnv> =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool) as _).build_arc()?;
        let config = SessionConfig::new().with_extension(Arc::new(stop.clone()));
        let context = TaskContext::default().with_session_config(config).with_runtime(runtime);
        Ok((Arc::new(context), pool))
    }
}
