//! The way of a query through a querier, whoever asks: gate, time, own threads, and the logs of queries.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::source::SeriesSource;
use promql::query::{PlanNode, QueryAnswer, QueryRequest};
use proto::thanos::ShardInfo;
use tokio_util::task::AbortOnDropHandle;

use super::error::{ApiError, ErrorType};
use super::querier::{Querier, panic_message};
use crate::sharded::Sharded;

impl Querier {
    /// Runs a query behind the gate, on the runtime for queries, within its time; over a shard of the
    /// source if one is given, which is checked. A client that goes away drops this future, and with it
    /// the query. Beside the answer stands how long the query has waited.
    pub(crate) async fn evaluate(
        self: &Arc<Self>,
        request: QueryRequest,
        shard: Option<ShardInfo>,
    ) -> Result<(QueryAnswer, Duration), ApiError> {
        let asked =
            self.is_slow(Duration::MAX).then(|| (request.query.clone(), request.evaluation));
        let arrived = Instant::now();
        let evaluated = self.evaluate_in_time(request, shard).await;
        if let Some((query, evaluation)) = asked.filter(|_| self.is_slow(arrived.elapsed())) {
            let (elapsed, failed) = (arrived.elapsed(), evaluated.is_err());
            tracing::info!(query, ?evaluation, ?elapsed, failed, "slow query detected");
        }
        evaluated
    }

    /// Whether a query that took so long is logged.
    fn is_slow(&self, elapsed: Duration) -> bool {
        let limit = self.settings.log_queries_longer_than;
        !limit.is_zero() && elapsed > limit
    }

    async fn evaluate_in_time(
        self: &Arc<Self>,
        request: QueryRequest,
        shard: Option<ShardInfo>,
    ) -> Result<(QueryAnswer, Duration), ApiError> {
        let (query, timeout) = (request.query.clone(), request.timeout);
        let work = move |querier: Arc<Self>, source| async move {
            querier.engine.query(request, source).await
        };
        self.run_in_time(&query, timeout, shard, work).await
    }

    /// The plan of a query, behind the gate too: selectors are resolved for it.
    pub(super) async fn explain(
        self: &Arc<Self>,
        request: QueryRequest,
        shard: Option<ShardInfo>,
    ) -> Result<PlanNode, ApiError> {
        let (query, timeout) = (request.query.clone(), request.timeout);
        let work = move |querier: Arc<Self>, source| async move {
            querier.engine.explain(request, source).await
        };
        Ok(self.run_in_time(&query, timeout, shard, work).await?.0)
    }

    /// Does `work` for a query, on the source or the shard of it that is asked for; beside what comes of it
    /// stands how long it has waited.
    async fn run_in_time<T, F>(
        self: &Arc<Self>,
        query: &str,
        timeout: Duration,
        shard: Option<ShardInfo>,
        work: impl FnOnce(Arc<Self>, Arc<dyn SeriesSource>) -> F + Send + 'static,
    ) -> Result<(T, Duration), ApiError>
    where
        T: Send + 'static,
        F: Future<Output = engine::Result<T>> + Send,
    {
        let arrived = Instant::now();
        let deadline = tokio::time::Instant::now() + timeout;
        let place = tokio::time::timeout_at(deadline, self.gate.enter())
            .await
            .map_err(|_| ApiError::new(ErrorType::Timeout, "query timed out in query queue"))?;
        let queued = arrived.elapsed();
        let noted = self.settings.active_queries.as_ref().and_then(|all| all.begin(query));
        let shared = Arc::clone(self);
        // The place is held by the task itself: it is free again only when the work has really ended.
        let task = AbortOnDropHandle::new(self.runtime.spawn(async move {
            let (_place, _noted) = (place, noted);
            let source = Sharded::of(Arc::clone(&shared.source), shard);
            work(shared, source).await
        }));
        let timed_out =
            || ApiError::new(ErrorType::Timeout, "query timed out in expression evaluation");
        match tokio::time::timeout_at(deadline, task).await {
            Ok(Ok(Ok(done))) => Ok((done, queued)),
            Ok(Ok(Err(error))) => Err(ApiError::from_engine("query", &error)),
            Ok(Err(ended)) => Err(ended_early(ended)),
            Err(_) => Err(timed_out()),
        }
    }
}

/// A task that panicked or was ended with its runtime.
pub(super) fn ended_early(ended: tokio::task::JoinError) -> ApiError {
    match ended.try_into_panic() {
        Ok(panic) => ApiError::new(ErrorType::Internal, panic_message(&*panic)),
        Err(_) => ApiError::new(ErrorType::Canceled, "the server is ending"),
    }
}
