//! `GET /targets` (Thanos' `pkg/targets`).

use std::cmp::Ordering;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use proto::thanos::targets_client::TargetsClient;
use proto::thanos::targets_request::State as Wanted;
use proto::thanos::targets_response::Result as Frame;
use proto::thanos::{
    ActiveTarget, DroppedTarget, TargetDiscovery, TargetsRequest, TargetsResponse,
};
use serde_json::{Value, json};

use super::{
    Gathered, MESSAGE_BYTES_MAX, answer, gather, labels_json, pairs, strategy, strip, time_json,
};
use crate::endpoints::Api;
use crate::http::error::ApiError;
use crate::http::form::Form;
use crate::http::querier::Querier;

/// `GET /targets`.
pub(in crate::http) async fn targets(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let state = match form.get("state").to_ascii_lowercase().as_str() {
        "" | "any" => Wanted::Any,
        "active" => Wanted::Active,
        "dropped" => Wanted::Dropped,
        other => {
            return Err(ApiError::bad_data(format!("invalid targets parameter state='{other}'")));
        }
    };
    let partial = querier.settings.partial.targets;
    let request =
        TargetsRequest { state: state.into(), partial_response_strategy: strategy(partial) };
    let call = |channel| {
        let mut client = TargetsClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        async move { client.targets(request).await }
    };
    let read = |message: TargetsResponse| match message.result? {
        Frame::Targets(targets) => Some(Ok(targets)),
        Frame::Warning(warning) => Some(Err(warning)),
    };
    let Gathered { said, warnings } = gather(&querier, Api::Targets, partial, call, read).await?;
    let (active, dropped) = deduplicated(said, &querier.settings.select.replica_labels);
    let data = json!({
        "activeTargets": active.iter().map(active_json).collect::<Vec<Value>>(),
        "droppedTargets": dropped
            .iter()
            .map(|target| json!({ "discoveredLabels": labels_json(&target.discovered_labels) }))
            .collect::<Vec<Value>>(),
    });
    Ok(answer(&data, &warnings))
}

/// Of the same targets of different replicas one is left: the worse, then the one scraped later.
pub(super) fn deduplicated(
    said: Vec<TargetDiscovery>,
    replica_labels: &[String],
) -> (Vec<ActiveTarget>, Vec<DroppedTarget>) {
    let (mut active, mut dropped) = (Vec::new(), Vec::new());
    for targets in said {
        active.extend(targets.active_targets);
        dropped.extend(targets.dropped_targets);
    }
    for target in &mut active {
        strip(&mut target.discovered_labels, replica_labels);
        strip(&mut target.labels, replica_labels);
    }
    for target in &mut dropped {
        strip(&mut target.discovered_labels, replica_labels);
    }
    active.sort_by(|a, b| compare(a, b).then_with(|| preference(a, b)));
    active.dedup_by(|later, kept| compare(later, kept).is_eq());
    let discovered = |target: &DroppedTarget| -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        pairs(&target.discovered_labels).map(owned).collect()
    };
    dropped.sort_by_cached_key(discovered);
    dropped.dedup_by(|later, kept| later.discovered_labels == kept.discovered_labels);
    (active, dropped)
}

fn compare(a: &ActiveTarget, b: &ActiveTarget) -> Ordering {
    (&a.scrape_url, &a.scrape_pool)
        .cmp(&(&b.scrape_url, &b.scrape_pool))
        .then_with(|| pairs(&a.discovered_labels).cmp(pairs(&b.discovered_labels)))
        .then_with(|| pairs(&a.labels).cmp(pairs(&b.labels)))
}

fn preference(a: &ActiveTarget, b: &ActiveTarget) -> Ordering {
    let at = |target: &ActiveTarget| target.last_scrape.map(|time| (time.seconds, time.nanos));
    a.health.cmp(&b.health).then_with(|| at(b).cmp(&at(a)))
}

fn active_json(target: &ActiveTarget) -> Value {
    json!({
        "discoveredLabels": labels_json(&target.discovered_labels),
        "labels": labels_json(&target.labels),
        "scrapePool": target.scrape_pool,
        "scrapeUrl": target.scrape_url,
        "globalUrl": target.global_url,
        "lastError": target.last_error,
        "lastScrape": time_json(target.last_scrape.as_ref()),
        "lastScrapeDuration": target.last_scrape_duration,
        "health": target.health().as_str_name().to_ascii_lowercase(),
    })
}
