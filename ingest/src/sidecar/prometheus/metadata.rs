//! What a Prometheus says of its metrics.

use std::collections::BTreeMap;

use engine::Result;
use engine::block::MetricMetadata;
use serde::Deserialize;

use super::Prometheus;

/// What one of its targets says of a metric.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    help: String,
}

impl Prometheus {
    /// Type, unit and help of its metrics; several of one metric where its targets differ.
    pub async fn metadata(&self) -> Result<Vec<MetricMetadata>> {
        let all: BTreeMap<String, Vec<Said>> = self.api("api/v1/metadata", &[]).await?;
        let rows = all.into_iter().flat_map(|(metric, said)| {
            said.into_iter().map(move |Said { kind, unit, help }| MetricMetadata {
                metric: metric.clone(),
                kind,
                unit,
                help,
            })
        });
        Ok(rows.collect())
    }
}
