//! `GET /metadata` (Thanos' `pkg/metadata`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::source::Metadata;
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
    let Gathered { said, mut warnings } =
        gather(&querier, Api::Metadata, partial, call, read).await?;
    let mut metrics = joined(said);
    if let Some(source) = &querier.metadata {
        let stored = source.metadata().await;
        fill(&mut metrics, &stored, form.get("metric"));
        warnings.extend(stored.warnings);
    }
    let metrics: serde_json::Map<String, Value> = cut(metrics, limit)
        .into_iter()
        .map(|(metric, metas)| (metric, metas.iter().map(meta_json).collect()))
        .collect();
    Ok(answer(&Value::Object(metrics), &warnings))
}

/// Each metric once with all that is said of it.
pub(super) fn joined(said: Vec<MetricMetadata>) -> BTreeMap<String, Vec<Meta>> {
    let mut metrics: BTreeMap<String, Vec<Meta>> = BTreeMap::new();
    for (metric, entry) in said.into_iter().flat_map(|metadata| metadata.metadata) {
        let known = metrics.entry(metric).or_default();
        for meta in entry.metas {
            if !known.contains(&meta) {
                known.push(meta);
            }
        }
    }
    metrics
}

/// Adds what is stored of metrics that nobody knows now; of `metric` alone if it is not empty. Of parts
/// that differ the newest is right.
pub(super) fn fill(metrics: &mut BTreeMap<String, Vec<Meta>>, stored: &Metadata, metric: &str) {
    for part in &stored.parts {
        let rows = part.iter().filter(|row| metric.is_empty() || row.metric == metric);
        let mut new: BTreeMap<String, Vec<Meta>> = BTreeMap::new();
        for row in rows.filter(|row| !metrics.contains_key(&row.metric)) {
            let (kind, help, unit) = (row.kind.clone(), row.help.clone(), row.unit.clone());
            new.entry(row.metric.clone()).or_default().push(Meta { r#type: kind, help, unit });
        }
        metrics.append(&mut new);
    }
}

/// At most `limit` metrics, all if it is negative.
pub(super) fn cut(
    mut metrics: BTreeMap<String, Vec<Meta>>,
    limit: i32,
) -> BTreeMap<String, Vec<Meta>> {
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
