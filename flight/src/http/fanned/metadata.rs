//! `GET /metadata` (Thanos' `pkg/metadata`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use proto::thanos::metadata_client::MetadataClient;
use proto::thanos::metric_metadata_response::Result as Frame;
use proto::thanos::{Meta, MetricMetadata, MetricMetadataRequest, MetricMetadataResponse};
use serde_json::{Value, json};

use super::{Gathered, MESSAGE_BYTES_MAX, answer, gather, strategy};
use crate::endpoints::Api;
use crate::http::error::ApiError;
use crate::http::form::Form;
use crate::http::querier::Querier;

/// `GET /metadata`.
pub(in crate::http) async fn metadata(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let limit: i32 = match form.get("limit") {
        "" => -1,
        text => text
            .parse()
            .map_err(|_| ApiError::bad_data(format!("invalid metric metadata limit='{text}'")))?,
    };
    let partial = querier.settings.partial.metadata;
    let request = MetricMetadataRequest {
        metric: form.get("metric").to_owned(),
        limit,
        partial_response_strategy: strategy(partial),
    };
    let call = |channel| {
        let mut client = MetadataClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let request = request.clone();
        async move { client.metric_metadata(request).await }
    };
    let read = |message: MetricMetadataResponse| match message.result? {
        Frame::Metadata(metadata) => Some(Ok(metadata)),
        Frame::Warning(warning) => Some(Err(warning)),
    };
    let Gathered { said, warnings } = gather(&querier, Api::Metadata, partial, call, read).await?;
    let metrics: serde_json::Map<String, Value> = joined(said, limit)
        .into_iter()
        .map(|(metric, metas)| (metric, metas.iter().map(meta_json).collect()))
        .collect();
    Ok(answer(&Value::Object(metrics), &warnings))
}

/// Each metric once with all that is said of it; at most `limit` metrics, all if it is negative.
pub(super) fn joined(said: Vec<MetricMetadata>, limit: i32) -> BTreeMap<String, Vec<Meta>> {
    let mut metrics: BTreeMap<String, Vec<Meta>> = BTreeMap::new();
    for (metric, entry) in said.into_iter().flat_map(|metadata| metadata.metadata) {
        let known = metrics.entry(metric).or_default();
        for meta in entry.metas {
            if !known.contains(&meta) {
                known.push(meta);
            }
        }
    }
    if let Ok(limit) = usize::try_from(limit)
        && let Some(beyond) = metrics.keys().nth(limit).cloned()
    {
        metrics.split_off(&beyond);
    }
    metrics
}

fn meta_json(meta: &Meta) -> Value {
    json!({ "type": meta.r#type, "help": meta.help, "unit": meta.unit })
}
