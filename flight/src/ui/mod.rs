//! The page of the querier: a form for queries, three files without anything from elsewhere.
//!
//! All links of the page are relative, so it works under any prefix that a proxy puts before it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};

const PAGE: &str = include_str!("query.html");
const SCRIPT: &str = include_str!("query.js");
const CHART: &str = include_str!("chart.js");
const STYLE: &str = include_str!("query.css");

/// `GET /`.
pub(crate) async fn page() -> Response {
    embedded("text/html; charset=utf-8", PAGE)
}

/// `GET /static/{file}`.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "query.js" => embedded("text/javascript; charset=utf-8", SCRIPT),
        "chart.js" => embedded("text/javascript; charset=utf-8", CHART),
        "query.css" => embedded("text/css; charset=utf-8", STYLE),
        _ => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}

fn embedded(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ];
    (headers, text).into_response()
}
