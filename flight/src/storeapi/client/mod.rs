//! A StoreAPI endpoint as a source of series.
//!
//! ```text
//! resolve    one Series call: frames are checked and buffered, chunks stay compressed
//! runs       decodes them when the query gets there
//! ```
//!
//! An endpoint is not trusted. Its order is not relied on; a frame must come within the response
//! timeout and may not be longer than [`FRAME_BYTES_MAX`]; chunk hashes are checked; an answer may not
//! take more than its share of memory, so that a stream without end has an end here. What is wrong
//! becomes an error of kind [`Unavailable`](engine::ErrorKind::Unavailable) that begins with the
//! endpoint's address.
//!
//! Replica labels stay on: who merges several endpoints needs them.

mod answer;
mod budget;
mod wire;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::pieces::{Damaged, PieceAnswer, resolve_pieces};
use engine::source::{
    Extent, Listing, Resolved, ResolvedParts, Select, SelectOptions, SeriesSource, kept_parts,
};
use engine::{Error, ErrorKind, Result};
use proto::thanos::store_client::StoreClient;
use proto::thanos::{
    Aggr, LabelNamesRequest, LabelValuesRequest, PartialResponseStrategy, QueryHints, SeriesRequest,
};

use crate::endpoints::connection::Connection;
pub use budget::Budget;
pub(crate) use budget::Lease;
pub(crate) use wire::{failure, label_set, matchers, shortened};

/// The longest frame that is taken. Thanos takes 2 GiB; 64 series of a year at 15 s are 180 MB.
pub const FRAME_BYTES_MAX: usize = 256 << 20;

/// How many series a frame should have.
const BATCH_SERIES: i64 = 64;

/// What holds for all endpoints of a process.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The longest that a frame may take to come.
    pub response_timeout: Duration,
    /// Memory of all answers that are held at the same time.
    pub budget: Arc<Budget>,
}

/// What an endpoint says of itself, as far as asking it depends on that.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where it has samples.
    pub extents: Vec<Extent>,
    /// Whether it removes replica labels from metadata by itself.
    pub without_replica_labels: bool,
}

impl Default for Facts {
    /// Nothing is known: it may have anything.
    fn default() -> Self {
        let anything = Extent { labels: Labels::empty(), range: TimeRange::ALL };
        Self { extents: vec![anything], without_replica_labels: false }
    }
}

/// A StoreAPI endpoint. Clones share what is known of it.
#[derive(Debug, Clone)]
pub struct StoreApi {
    address: Arc<str>,
    client: StoreClient<Connection>,
    settings: ClientSettings,
    facts: Arc<RwLock<Facts>>,
    damaged: Damaged,
}

impl StoreApi {
    /// The endpoint at `address` (which errors name), reached through `connection`.
    pub fn new(address: &str, connection: Connection, settings: ClientSettings) -> Self {
        Self {
            address: address.into(),
            client: StoreClient::new(connection).max_decoding_message_size(FRAME_BYTES_MAX),
            settings,
            facts: Arc::default(),
            damaged: Damaged::default(),
        }
    }

    /// Remembers what the endpoint says of itself.
    pub fn learn(&self, facts: Facts) {
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    /// What it says of itself.
    pub(crate) fn facts(&self) -> Facts {
        self.facts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A request for series, chunks and all.
    fn request(
        &self,
        selected: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
    ) -> SeriesRequest {
        let (min_time, max_time) = wire::times(range);
        SeriesRequest {
            min_time,
            max_time,
            matchers: wire::matchers(selected),
            aggregates: vec![Aggr::Raw.into()],
            partial_response_disabled: !options.partial_response,
            partial_response_strategy: strategy(options.partial_response).into(),
            query_hints: Some(QueryHints::default()),
            // One more than wanted shows that there are too many.
            limit: i64::try_from(options.series_limit).unwrap_or(i64::MAX).saturating_add(1),
            response_batch_size: BATCH_SERIES,
            ..SeriesRequest::default()
        }
    }

    /// A request for the samples of `select`: raw ones, and aggregates where it allows a coarser
    /// resolution.
    fn samples_request(&self, select: &Select, options: &SelectOptions) -> SeriesRequest {
        let mut request = self.request(&select.matchers, select.range, options);
        if select.max_resolution > 0 {
            request.max_resolution_window = select.max_resolution;
            request.aggregates.extend(select.aggregates.iter().map(wire::aggregate));
        }
        request
    }

    /// The series of a request, with what could not be read.
    async fn call(
        &self,
        request: SeriesRequest,
        options: &SelectOptions,
    ) -> Result<answer::Answer> {
        let strict = !options.partial_response;
        let downsampled = request.max_resolution_window > 0;
        let mut client = self.client.clone();
        let began = self.in_time(client.series(request)).await?;
        let stream = began.map_err(|status| failure(&self.address, &status, strict))?;
        let frames = answer::Frames {
            address: &self.address,
            timeout: self.settings.response_timeout,
            strict,
            downsampled,
        };
        frames.receive(stream.into_inner(), options, &self.settings.budget).await
    }

    /// What is awaited, or an error when it takes longer than an answer may.
    async fn in_time<T>(&self, awaited: impl Future<Output = T>) -> Result<T> {
        let timeout = self.settings.response_timeout;
        tokio::time::timeout(timeout, awaited).await.map_err(|_| late(&self.address, timeout))
    }
}

/// An endpoint that lets us wait.
pub(crate) fn late(address: &str, timeout: Duration) -> Error {
    let message = format!("{address}: no answer within {timeout:?}");
    Error::new(ErrorKind::Unavailable, message)
}

/// What a failure further on becomes.
pub(crate) fn strategy(partial_response: bool) -> PartialResponseStrategy {
    match partial_response {
        true => PartialResponseStrategy::Warn,
        false => PartialResponseStrategy::Abort,
    }
}

/// A limit on the wire: one more than wanted, or none.
fn wire_limit(limit: usize) -> i64 {
    match limit {
        0 => 0,
        limit => i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
    }
}

#[async_trait]
impl SeriesSource for StoreApi {
    fn extents(&self) -> Vec<Extent> {
        self.facts().extents
    }

    /// Replicas stay apart, whatever `options` say: several endpoints are made one by a
    /// [`FanoutSource`](engine::source::FanoutSource).
    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let request = self.samples_request(select, options);
        let answer = self.call(request, options).await?;
        let answer = PieceAnswer {
            origin: self.address.to_string(),
            series: answer.series,
            warnings: answer.warnings,
            damaged: self.damaged.clone(),
            held: Box::new(answer.lease),
        };
        resolve_pieces(answer, select, options)
    }

    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let request = self.samples_request(select, options);
        let answer = self.call(request, options).await?;
        let held = Box::new(answer.lease);
        Ok(kept_parts(answer.series, select.range, answer.warnings, held))
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        let mut request = self.request(matchers, range, options);
        request.skip_chunks = true;
        // As Thanos asks: blocks of any resolution know their series.
        request.max_resolution_window = i64::MAX;
        let all = options.dropped().is_empty();
        if all {
            request.limit = wire_limit(limit);
        }
        let answer = self.call(request, options).await?;
        let kept = |labels: Labels| match all {
            true => labels,
            false => labels.filter(|name| options.keeps(name)),
        };
        let series = answer.series.into_iter().map(|series| kept(series.labels)).collect();
        Ok(Listing::new(series, limit, answer.warnings))
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let (start, end) = wire::times(range);
        let dropped = options.dropped();
        let removes = self.facts().without_replica_labels;
        let request = LabelNamesRequest {
            partial_response_disabled: !options.partial_response,
            partial_response_strategy: strategy(options.partial_response).into(),
            start,
            end,
            matchers: wire::matchers(matchers),
            without_replica_labels: if removes { dropped.to_vec() } else { Vec::new() },
            limit: if removes || dropped.is_empty() { wire_limit(limit) } else { 0 },
            ..LabelNamesRequest::default()
        };
        let mut client = self.client.clone();
        let answer = self.in_time(client.label_names(request)).await?;
        let strict = !options.partial_response;
        let answer = answer.map_err(|status| failure(&self.address, &status, strict))?.into_inner();
        let mut names = answer.names;
        names.retain(|name| options.keeps(name));
        Ok(Listing::new(names, limit, wire::warnings(answer.warnings)))
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        if !options.keeps(name) {
            return Ok(Listing::default());
        }
        let (start, end) = wire::times(range);
        let request = LabelValuesRequest {
            label: name.to_owned(),
            partial_response_disabled: !options.partial_response,
            partial_response_strategy: strategy(options.partial_response).into(),
            start,
            end,
            matchers: wire::matchers(matchers),
            limit: wire_limit(limit),
            ..LabelValuesRequest::default()
        };
        let mut client = self.client.clone();
        let answer = self.in_time(client.label_values(request)).await?;
        let strict = !options.partial_response;
        let answer = answer.map_err(|status| failure(&self.address, &status, strict))?.into_inner();
        Ok(Listing::new(answer.values, limit, wire::warnings(answer.warnings)))
    }
}
