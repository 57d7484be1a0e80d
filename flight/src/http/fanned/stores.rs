//! `GET /stores`: the endpoints by kind (`EndpointStatus` of Thanos' `pkg/query`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::model::Labels;
use serde_json::{Map, Value, json};

use super::{answer, time_text};
use crate::endpoints::Status;
use crate::http::querier::Querier;

/// `GET /stores`. An endpoint that has never answered is of no kind and not shown.
pub(in crate::http) async fn stores(State(querier): State<Arc<Querier>>) -> Response {
    let statuses = querier.endpoints.all().into_iter().map(|endpoint| endpoint.status());
    answer(&by_kind(statuses), &[])
}

fn by_kind(statuses: impl Iterator<Item = Status>) -> Value {
    let mut kinds: Map<String, Value> = Map::new();
    for status in statuses {
        let Some(kind) = &status.component else { continue };
        let of_kind = kinds.entry(kind.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(of_kind) = of_kind {
            of_kind.push(shown(&status));
        }
    }
    kinds.sort_keys();
    Value::Object(kinds)
}

fn shown(status: &Status) -> Value {
    let set = |labels: &Labels| -> Value {
        let pairs = labels.iter().map(|l| (l.name.to_string(), Value::from(l.value.as_ref())));
        Value::Object(pairs.collect())
    };
    json!({
        "name": status.name,
        "lastCheck": time_text(status.last_check),
        "lastError": status.last_error,
        "labelSets": status.label_sets.iter().map(set).collect::<Vec<Value>>(),
        "minTime": status.range.min,
        "maxTime": status.range.max,
    })
}
