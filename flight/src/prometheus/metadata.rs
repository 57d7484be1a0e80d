//! `thanos.Metadata`: type, help and unit of a Prometheus' metrics.

use std::collections::BTreeMap;

use proto::thanos::metadata_server::Metadata;
use proto::thanos::{
    Meta, MetricMetadata, MetricMetadataEntry, MetricMetadataRequest, MetricMetadataResponse,
    metric_metadata_response,
};
use serde::Deserialize;
use tonic::{Request, Response, Status, async_trait};

use super::{Messages, PrometheusServices, messages};

#[derive(Debug, Deserialize)]
struct One {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    unit: String,
}

#[async_trait]
impl Metadata for PrometheusServices {
    type MetricMetadataStream = Messages<MetricMetadataResponse>;

    async fn metric_metadata(
        &self,
        request: Request<MetricMetadataRequest>,
    ) -> Result<Response<Self::MetricMetadataStream>, Status> {
        let request = request.into_inner();
        let mut parameters = Vec::new();
        if !request.metric.is_empty() {
            parameters.push(("metric", request.metric));
        }
        // 0 is a limit too: nothing.
        if request.limit >= 0 {
            parameters.push(("limit", request.limit.to_string()));
        }
        let data: BTreeMap<String, Vec<One>> = self.ask("api/v1/metadata", &parameters).await?;
        let metadata = data.into_iter().map(|(metric, metas)| {
            let meta = |one: One| Meta { r#type: one.kind, help: one.help, unit: one.unit };
            (metric, MetricMetadataEntry { metas: metas.into_iter().map(meta).collect() })
        });
        let metadata = MetricMetadata { metadata: metadata.collect() };
        let result = Some(metric_metadata_response::Result::Metadata(metadata));
        Ok(Response::new(messages(vec![MetricMetadataResponse { result }])))
    }
}
