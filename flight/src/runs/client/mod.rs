//! A Stoa node as a source: samples over Arrow Flight, all else over StoreAPI.

mod answer;
mod check;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_flight::flight_service_client::FlightServiceClient;
use async_trait::async_trait;
use engine::Result;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::{
    Child, DedupFunc, Extent, FanoutSource, Listing, Resolved, ResolvedParts, Select,
    SelectOptions, SeriesSource, StreamedExec,
};
use prost::Message;

use super::ticket;
use crate::endpoints::connection::Connection;
use crate::storeapi::client::{ClientSettings, FRAME_BYTES_MAX, StoreApi};
use answer::{Answer, Opening};

/// How long an endpoint is asked over StoreAPI alone after an answer broke off.
const AVOIDED_FOR: Duration = Duration::from_secs(60);

/// What is shared by all answers of an endpoint.
#[derive(Debug)]
struct Peer {
    address: Arc<str>,
    client: FlightServiceClient<Connection>,
    settings: ClientSettings,
    /// When an answer last broke off.
    broke_off: Mutex<Option<Instant>>,
}

impl Peer {
    fn is_avoided(&self) -> bool {
        let broke_off = self.broke_off.lock().unwrap_or_else(PoisonError::into_inner);
        broke_off.is_some_and(|at| at.elapsed() < AVOIDED_FOR)
    }

    fn avoid(&self, why: &dyn std::fmt::Display) {
        let address = &self.address;
        tracing::warn!(%address, err = %why, "run batches: StoreAPI is asked instead for a while");
        *self.broke_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// A Stoa node.
#[derive(Debug, Clone)]
pub struct Node {
    peer: Arc<Peer>,
    store: StoreApi,
}

impl Node {
    /// The node at `address` (which errors name), reached through `connection`; `store` is its StoreAPI.
    pub fn new(
        address: &str,
        connection: Connection,
        settings: ClientSettings,
        store: StoreApi,
    ) -> Self {
        let client =
            FlightServiceClient::new(connection).max_decoding_message_size(FRAME_BYTES_MAX);
        let broke_off = Mutex::default();
        let peer = Peer { address: address.into(), client, settings, broke_off };
        Self { peer: Arc::new(peer), store }
    }

    /// Asks over StoreAPI. The caller may count on replicas being made one, which StoreAPI does not do.
    async fn over_storeapi(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let child = Child {
            name: self.peer.address.to_string(),
            source: Arc::new(self.store.clone()),
            deduplicates: false,
            remote: true,
        };
        FanoutSource::new(Arc::new(vec![child]), Duration::MAX).resolve(select, options).await
    }
}

#[async_trait]
impl SeriesSource for Node {
    fn extents(&self) -> Vec<Extent> {
        self.store.extents()
    }

    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let penalty = options.dedup_func == DedupFunc::Penalty;
        if penalty && !options.dedup {
            // Whoever makes replicas one by Thanos' rule chooses among their chunks.
            return self.store.resolve(select, options).await;
        }
        if penalty || self.peer.is_avoided() {
            return self.over_storeapi(select, options).await;
        }
        let ticket = ticket::ticket(select, options).encode_to_vec();
        let opening = Opening::new(&self.peer, ticket.into(), select, options);
        let Some(opened) = opening.open().await? else {
            self.peer.avoid(&"they are not served");
            return self.over_storeapi(select, options).await;
        };
        let (roster, warnings) = (Arc::clone(&opened.roster), opened.warnings.clone());
        let runs = Arc::new(StreamedExec::new(Arc::new(Answer::new(opening, opened))));
        Ok(Resolved { roster, runs, warnings })
    }

    /// Whoever sends chunks on wants them as they are.
    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        self.store.resolve_parts(select, options).await
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        self.store.series(matchers, range, options, limit).await
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.store.label_names(matchers, range, options, limit).await
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.store.label_values(name, matchers, range, options, limit).await
    }
}
