//! What a querier says of itself: build, health, metrics; and the calls that have no source yet.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

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

/// `GET` and `POST /query_exemplars`: none are kept yet. Grafana probes with times in ms, so no
/// parameter is looked at.
pub(super) async fn exemplars() -> Response {
    respond(Answer::new(Payload::Raw(b"[]".to_vec())), &[])
}

/// `GET /metadata`: none is kept yet.
pub(super) async fn metadata() -> Response {
    respond(Answer::new(Payload::Raw(b"{}".to_vec())), &[])
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
