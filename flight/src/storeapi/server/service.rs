//! The three methods of Store.

use std::fmt;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use engine::model::{Bounds, TimeRange};
use engine::source::{ReadLimits, SelectOptions, SeriesSource};
use proto::hintspb::{LabelNamesRequestHints, LabelValuesRequestHints, SeriesRequestHints};
use proto::thanos::store_server::{Store, StoreServer};
use proto::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::answer::{Answer, Frames};
use super::failure::status;
use super::request::{aborts, aggregates, hints, invalid, limit, matchers, range, shard};
use crate::grpc::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use crate::http::Readiness;

/// What the flags say.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The most series a request may match, and the most samples it may read
    /// (`--store.limits.request-series`, `--store.limits.request-samples`); 0 is no limit.
    pub series_limit: usize,
    /// As above.
    pub samples_limit: usize,
    /// How many Series requests are answered at once (`--store.grpc.series-max-concurrency`).
    pub max_concurrent: usize,
    /// The times that are served (`--min-time`, `--max-time`).
    pub served: Bounds,
    /// How many parts of an answer are decoded at once.
    pub partitions: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            series_limit: 0,
            samples_limit: 0,
            max_concurrent: 20,
            served: TimeRange::ALL.into(),
            partitions: 2,
        }
    }
}

/// Thanos' Store over a source.
pub struct StoreService {
    source: Arc<dyn SeriesSource>,
    settings: StoreSettings,
    readiness: Readiness,
    context: Arc<TaskContext>,
    runtime: Handle,
    places: Arc<Semaphore>,
}

impl fmt::Debug for StoreService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, settings, .. } = self;
        f.debug_struct("StoreService").field("source", source).field("settings", settings).finish()
    }
}

impl StoreService {
    /// A service over `source`. Samples are decoded on `runtime`, within the memory of `context`.
    pub fn new(
        source: Arc<dyn SeriesSource>,
        settings: StoreSettings,
        readiness: Readiness,
        context: Arc<TaskContext>,
        runtime: Handle,
    ) -> Self {
        let places = settings.max_concurrent.clamp(1, Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places));
        Self { source, settings, readiness, context, runtime, places }
    }

    /// The service, ready to be served.
    pub fn into_server(self) -> StoreServer<Self> {
        StoreServer::new(self)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    fn check_ready(&self) -> Result<(), Status> {
        if self.readiness.is_starting() {
            return Err(Status::unavailable("the store is not ready"));
        }
        Ok(())
    }

    fn options(&self, abort: bool, without: Vec<String>) -> SelectOptions {
        let no_limit = |given: usize| if given == 0 { usize::MAX } else { given };
        SelectOptions {
            dedup: !without.is_empty(),
            replica_labels: without,
            partial_response: !abort,
            series_limit: no_limit(self.settings.series_limit),
            limits: ReadLimits::new(no_limit(self.settings.samples_limit), u64::MAX),
            partitions: self.settings.partitions,
            ..SelectOptions::default()
        }
    }
}

#[tonic::async_trait]
impl Store for StoreService {
    type SeriesStream = Frames;

    async fn series(&self, request: Request<SeriesRequest>) -> Result<Response<Frames>, Status> {
        self.check_ready()?;
        let request = request.into_inner();
        let matchers = matchers(&request.matchers)?;
        if matchers.is_empty() {
            return Err(invalid("no matchers specified"));
        }
        let abort = aborts(request.partial_response_strategy, request.partial_response_disabled)?;
        hints::<SeriesRequestHints>(request.hints.as_ref(), "SeriesRequestHints")?;
        shard(request.shard_info.as_ref())?;
        let answer = Answer {
            source: Arc::clone(&self.source),
            context: Arc::clone(&self.context),
            matchers,
            range: range(request.min_time, request.max_time, self.settings.served.range()),
            options: self.options(abort, Vec::new()),
            without: request.without_replica_labels,
            shard: request.shard_info,
            skip_chunks: request.skip_chunks,
            aggregates: aggregates(&request.aggregates)?,
            max_resolution: request.max_resolution_window.max(0),
            limit: limit("limit", request.limit)?,
            batch_size: limit("response_batch_size", request.response_batch_size)?,
        };
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Status::unavailable("the store ends"))?;
        Ok(Response::new(answer.stream(&self.runtime, place)))
    }

    async fn label_names(
        &self,
        request: Request<LabelNamesRequest>,
    ) -> Result<Response<LabelNamesResponse>, Status> {
        self.check_ready()?;
        let request = request.into_inner();
        let matchers = matchers(&request.matchers)?;
        let abort = aborts(request.partial_response_strategy, request.partial_response_disabled)?;
        hints::<LabelNamesRequestHints>(request.hints.as_ref(), "LabelNamesRequestHints")?;
        let limit = limit("limit", request.limit)?;
        let range = range(request.start, request.end, self.settings.served.range());
        let options = self.options(abort, request.without_replica_labels);
        let source = Arc::clone(&self.source);
        let listed = self
            .runtime
            .spawn(async move { source.label_names(&matchers, range, &options, limit).await });
        let listed = finished(listed.await)?.map_err(|error| status(&error, abort))?;
        let (names, warnings) = (listed.items, listed.warnings);
        Ok(Response::new(LabelNamesResponse { names, warnings, hints: None }))
    }

    async fn label_values(
        &self,
        request: Request<LabelValuesRequest>,
    ) -> Result<Response<LabelValuesResponse>, Status> {
        self.check_ready()?;
        let request = request.into_inner();
        if request.label.is_empty() {
            return Err(invalid("label name parameter cannot be empty"));
        }
        let matchers = matchers(&request.matchers)?;
        let abort = aborts(request.partial_response_strategy, request.partial_response_disabled)?;
        hints::<LabelValuesRequestHints>(request.hints.as_ref(), "LabelValuesRequestHints")?;
        let limit = limit("limit", request.limit)?;
        let range = range(request.start, request.end, self.settings.served.range());
        let options = self.options(abort, request.without_replica_labels);
        let source = Arc::clone(&self.source);
        let listed = self.runtime.spawn(async move {
            source.label_values(&request.label, &matchers, range, &options, limit).await
        });
        let listed = finished(listed.await)?.map_err(|error| status(&error, abort))?;
        let (values, warnings) = (listed.items, listed.warnings);
        Ok(Response::new(LabelValuesResponse { values, warnings, hints: None }))
    }
}

fn finished<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, Status> {
    joined.map_err(|error| Status::internal(format!("listing labels: {error}")))
}

/// A context whose requests hold at most `bytes` together.
pub fn memory_limited(bytes: u64) -> engine::Result<Arc<TaskContext>> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)))
        .build_arc()?;
    Ok(Arc::new(TaskContext::default().with_runtime(runtime)))
}
