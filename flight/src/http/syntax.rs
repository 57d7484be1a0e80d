//! `/api/v1/format_query`, `/api/v1/parse_query` and `/api/v1/features`: what a querier makes of a query
//! that it does not evaluate, and what its language has.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use promql::parse::{Features, formatted, syntax_tree};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::form::Form;
use super::json::text::{Escape, push_string};
use super::json::{Answer, Payload};
use super::querier::Querier;
use super::query::respond;

/// `GET` and `POST /format_query`: the query in lines.
pub(super) async fn format(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let text = of_query(&querier, &form, formatted)?;
    let mut json = Vec::with_capacity(text.len() + 2);
    push_string(&mut json, &text, Escape::Html);
    Ok(respond(Answer::new(Payload::Raw(json)), &[]))
}

/// `GET` and `POST /parse_query`: the syntax tree.
pub(super) async fn parse(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let tree = of_query(&querier, &form, syntax_tree)?;
    Ok(respond(Answer::new(Payload::Raw(tree.to_string().into_bytes())), &[]))
}

/// `GET /features`: what there is, by category.
pub(super) async fn features(State(querier): State<Arc<Querier>>) -> Response {
    let mut all: Map<String, Value> = Map::new();
    for (category, listed) in querier.engine.features().listed() {
        all.insert(category.to_owned(), json!(listed));
    }
    all.insert("api".to_owned(), API.iter().copied().collect());
    respond(Answer::new(Payload::Raw(Value::Object(all).to_string().into_bytes())), &[])
}

/// Prometheus' names of what an HTTP API may have (`New` in web/web.go), and whether this one has it.
const API: [(&str, bool); 12] = [
    ("admin", false),
    ("exclude_alerts", false),
    ("label_values_match", true),
    ("lifecycle", false),
    ("otlp_write_receiver", false),
    ("query_cost", false),
    ("query_stats", true),
    ("query_warnings", true),
    ("remote_write_receiver", false),
    ("search", false),
    ("time_range_labels", true),
    ("time_range_series", true),
];

fn of_query<T>(
    querier: &Querier,
    form: &Form,
    make: impl FnOnce(&str, Features) -> engine::Result<T>,
) -> Result<T, ApiError> {
    let made = make(form.promql()?, querier.engine.features());
    made.map_err(|error| ApiError::from_engine("query", &error))
}
