//! Rules, targets, metadata, exemplars and statistics of one Prometheus as Thanos' gRPC services
//! (Thanos' `pkg/{rules,targets,metadata,exemplars}/prometheus.go`).
//!
//! Each call is a request to the server's HTTP API; what comes back gets the external labels, which
//! Prometheus itself does not add, and is sent on.
//!
//! | file | service | asks |
//! |---|---|---|
//! | `rules` | `thanos.Rules` | `/api/v1/rules` |
//! | `targets` | `thanos.Targets` | `/api/v1/targets` |
//! | `metadata` | `thanos.Metadata` | `/api/v1/metadata` |
//! | `exemplars` | `thanos.Exemplars` | `/api/v1/query_exemplars` |
//! | `statistics` | `thanos.Status` | `/api/v1/status/tsdb` |

mod exemplars;
mod metadata;
mod rules;
mod statistics;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use engine::model::Labels;
use engine::{Error, ErrorKind, Result};
use futures::Stream;
use proto::thanos::exemplars_server::ExemplarsServer;
use proto::thanos::metadata_server::MetadataServer;
use proto::thanos::rules_server::RulesServer;
use proto::thanos::status_server::StatusServer;
use proto::thanos::targets_server::TargetsServer;
use proto::thanos::{Label, ZLabelSet};
use serde::de::DeserializeOwned;
use tonic::{Code, Status};

/// A Prometheus that answers its HTTP API.
#[async_trait]
pub trait Upstream: std::fmt::Debug + Send + Sync {
    /// `data` of the answer to GET `path` (without a slash in front), as JSON.
    async fn data(&self, path: &str, parameters: &[(&str, String)]) -> Result<serde_json::Value>;

    /// Its external labels.
    fn external_labels(&self) -> Labels;
}

/// The five services over one Prometheus.
#[derive(Debug, Clone)]
pub struct PrometheusServices {
    upstream: Arc<dyn Upstream>,
}

/// The messages of an answer.
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl PrometheusServices {
    /// Services over `upstream`.
    pub fn new(upstream: Arc<dyn Upstream>) -> Self {
        Self { upstream }
    }

    /// `thanos.Rules`.
    pub fn rules_server(&self) -> RulesServer<Self> {
        RulesServer::new(self.clone())
    }

    /// `thanos.Targets`.
    pub fn targets_server(&self) -> TargetsServer<Self> {
        TargetsServer::new(self.clone())
    }

    /// `thanos.Metadata`.
    pub fn metadata_server(&self) -> MetadataServer<Self> {
        MetadataServer::new(self.clone())
    }

    /// `thanos.Exemplars`.
    pub fn exemplars_server(&self) -> ExemplarsServer<Self> {
        ExemplarsServer::new(self.clone())
    }

    /// `thanos.Status`.
    pub fn status_server(&self) -> StatusServer<Self> {
        StatusServer::new(self.clone())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, String)],
    ) -> Result<T, Status> {
        let data = self.upstream.data(path, parameters).await.map_err(|e| refusal(&e))?;
        serde_json::from_value(data).map_err(|e| {
            let what = format!("/{path} of Prometheus is not understood: {e}");
            refusal(&Error::new(ErrorKind::Unavailable, what))
        })
    }

    /// `labels` with the external labels laid over.
    fn with_external(&self, labels: BTreeMap<String, String>) -> Result<ZLabelSet, Status> {
        let labels = Labels::new(labels).map_err(|e| refusal(&e))?;
        Ok(label_set(&labels.overlay(&self.upstream.external_labels())))
    }
}

/// A stream of messages that are all there.
fn messages<T: Send + 'static>(messages: Vec<T>) -> Messages<T> {
    Box::pin(futures::stream::iter(messages.into_iter().map(Ok)))
}

/// What Prometheus' refusals are as a status (Thanos' `get2xxResultWithGRPCErrors`).
fn refusal(error: &Error) -> Status {
    let code = match error.kind() {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::ResourcesExhausted => Code::ResourceExhausted,
        ErrorKind::Timeout => Code::DeadlineExceeded,
        ErrorKind::Cancelled => Code::Cancelled,
        _ => Code::Unavailable,
    };
    Status::new(code, error.to_string())
}

fn label_set(labels: &Labels) -> ZLabelSet {
    let label = |label: &engine::model::Label| Label {
        name: label.name.to_string(),
        value: label.value.to_string(),
    };
    ZLabelSet { labels: labels.iter().map(label).collect() }
}

/// Labels as they are, those with an empty value included: annotations may be empty.
fn plain_set(pairs: BTreeMap<String, String>) -> ZLabelSet {
    ZLabelSet { labels: pairs.into_iter().map(|(name, value)| Label { name, value }).collect() }
}

/// A time as the API prints it; none where there is none, or no time.
fn timestamp(text: Option<String>) -> Option<prost_types::Timestamp> {
    let time = DateTime::parse_from_rfc3339(&text?).ok()?;
    Some(prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    })
}

/// A time in ms as the API's parameters have it, in seconds.
fn seconds(ms: i64) -> String {
    format!("{:.3}", ms as f64 / 1000.0)
}
