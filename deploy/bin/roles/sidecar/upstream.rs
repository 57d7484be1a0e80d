//! The Prometheus as the gRPC services see it.

use std::sync::Arc;

use async_trait::async_trait;
use engine::Result;
use engine::model::Labels;
use flight::prometheus::Upstream;
use ingest::sidecar::{Peer, Prometheus};

/// A Prometheus and what the heartbeat knows of it.
#[derive(Debug)]
pub(super) struct PeerUpstream {
    prometheus: Prometheus,
    peer: Arc<Peer>,
}

impl PeerUpstream {
    pub(super) fn new(prometheus: Prometheus, peer: Arc<Peer>) -> Self {
        Self { prometheus, peer }
    }
}

#[async_trait]
impl Upstream for PeerUpstream {
    async fn data(&self, path: &str, parameters: &[(&str, String)]) -> Result<serde_json::Value> {
        self.prometheus.api(path, parameters).await
    }

    fn external_labels(&self) -> Labels {
        self.peer.labels()
    }
}
