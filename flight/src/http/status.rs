//! What a querier says of itself: build, flags, health, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::error::{ApiError, ErrorType};
use super::json::text::{Escape, push_string};
use super::json::{Answer, Payload};
use super::querier::{Querier, plain};
use super::query::respond;
use super::readiness::Readiness;

/// `GET /status/buildinfo`. Grafana reads `version`, and takes a server with `features` for Mimir.
pub(super) async fn build_info(State(querier): State<Arc<Querier>>) -> Response {
    build(querier.settings.version)
}

/// The answer of `status/buildinfo`.
pub(super) fn build(version: &str) -> Response {
    let mut json = b"{\"version\":".to_vec();
    push_string(&mut json, version, Escape::Html);
    json.extend_from_slice(
        b",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}",
    );
    respond(Answer::new(Payload::Raw(json)), &[])
}

/// `GET /status/flags`.
pub(super) async fn flags(State(querier): State<Arc<Querier>>) -> Response {
    let flags = querier.settings.flags.iter();
    let flags: serde_json::Map<String, Value> =
        flags.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    respond(Answer::new(Payload::Raw(Value::Object(flags).to_string().into_bytes())), &[])
}

/// `GET /status/runtimeinfo`: Thanos' fields, as far as they mean something here.
pub(super) async fn runtime_info(State(querier): State<Arc<Querier>>) -> Response {
    let started = querier.settings.started.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let folder = std::env::current_dir().unwrap_or_default().display().to_string();
    let info = json!({
        "startTime": started,
        "CWD": folder,
        "reloadConfigSuccess": true,
        "lastConfigTime": started,
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": querier.settings.select.partitions,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": "",
    });
    respond(Answer::new(Payload::Raw(info.to_string().into_bytes())), &[])
}

/// `GET /-/ready`.
pub(super) async fn ready(State(querier): State<Arc<Querier>>) -> Response {
    readiness(&querier.readiness)
}

/// The answer of `/-/ready`.
pub(super) fn readiness(readiness: &Readiness) -> Response {
    if readiness.is_ready() {
        "OK".into_response()
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "NOT OK")
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(registry: Arc<Registry>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            ApiError::new(ErrorType::Internal, format!("write metrics: {error}")).into_response()
        }
    }
}
