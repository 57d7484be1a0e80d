//! How many endpoints answer, by what they are (`endpointSetNodeCollector` of Thanos'
//! `pkg/query/endpointset.go`).

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Endpoints;

/// A label of the metric (`--query.conn-metric.label`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionLabel {
    /// The label sets that the endpoint says.
    ExternalLabels,
    /// What it is: `sidecar`, `store`, …
    StoreType,
    /// Where it is.
    Address,
}

impl ConnectionLabel {
    fn name(self) -> &'static str {
        match self {
            Self::ExternalLabels => "external_labels",
            Self::StoreType => "store_type",
            Self::Address => "ip_port",
        }
    }
}

/// Counts the endpoints that answer whenever metrics are asked for.
#[derive(Debug)]
pub struct Connections {
    endpoints: Endpoints,
    labels: Vec<ConnectionLabel>,
}

impl Connections {
    /// Of `endpoints`, by `labels`.
    pub fn new(endpoints: Endpoints, labels: Vec<ConnectionLabel>) -> Self {
        Self { endpoints, labels }
    }

    fn counted(&self) -> BTreeMap<Vec<(&'static str, String)>, i64> {
        let mut counted = BTreeMap::new();
        let answering = self.endpoints.all().into_iter().map(|endpoint| endpoint.status());
        for status in answering.filter(|status| status.last_error.is_none()) {
            let Some(component) = status.component else { continue };
            let value = |label: &ConnectionLabel| match label {
                ConnectionLabel::ExternalLabels => {
                    let sets: Vec<String> =
                        status.label_sets.iter().map(ToString::to_string).collect();
                    sets.join(",")
                }
                ConnectionLabel::StoreType => component.clone(),
                ConnectionLabel::Address => status.name.clone(),
            };
            let labels = self.labels.iter().map(|label| (label.name(), value(label))).collect();
            *counted.entry(labels).or_insert(0) += 1;
        }
        counted
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(
            "thanos_store_nodes_grpc_connections",
            "Number of gRPC connection to Store APIs. Opened connection means healthy store APIs \
             available for Querier",
            None,
            MetricType::Gauge,
        )?;
        for (labels, count) in self.counted() {
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
