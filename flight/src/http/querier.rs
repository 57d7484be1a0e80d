//! What the handlers of a querier share, and its routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, any, get, post};
use engine::source::{MetadataSource, SeriesSource};
use prometheus_client::registry::Registry;
use promql::Engine;
use tokio::runtime::Handle;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use super::error::{ApiError, ErrorType};
use super::gate::Gate;
use super::instrument::{Instrument, RequestMetrics, measure};
use super::readiness::Readiness;
use super::settings::Settings;
use super::{explain, fanned, metadata, query, read, status, syntax};
use crate::endpoints::Endpoints;
use crate::ui;

/// What the handlers of a querier share.
#[derive(Debug)]
pub struct Querier {
    pub(crate) settings: Settings,
    pub(super) engine: Engine,
    pub(super) source: Arc<dyn SeriesSource>,
    pub(super) endpoints: Endpoints,
    pub(super) metadata: Option<Arc<dyn MetadataSource>>,
    pub(crate) readiness: Readiness,
    pub(super) gate: Gate,
    /// Where queries run: apart from connections and probes, which must stay prompt.
    pub(super) runtime: Handle,
    requests: RequestMetrics,
}

impl Querier {
    /// A querier of `source`. Queries run on `runtime`; metrics are added to `registry`.
    pub fn new(
        settings: Settings,
        engine: Engine,
        source: Arc<dyn SeriesSource>,
        readiness: Readiness,
        runtime: Handle,
        registry: &mut Registry,
    ) -> Self {
        let gate = Gate::new(settings.max_concurrent, registry);
        let requests = RequestMetrics::new(registry);
        let (endpoints, metadata) = (Endpoints::default(), None);
        Self { settings, engine, source, endpoints, metadata, readiness, gate, runtime, requests }
    }

    /// The same querier, with the endpoints behind its source: what they are is shown, and rules,
    /// targets, metadata, exemplars and statistics are asked of them.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// The same querier, which asks `metadata` of metrics that no endpoint knows.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Arc<dyn MetadataSource>) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// All routes of a querier: API and page under the route prefix, probes and metrics at the root.
/// `registry` is what `/metrics` shows.
pub fn router(querier: Arc<Querier>, registry: Arc<Registry>) -> Router {
    let requests = querier.requests.clone();
    let route = |path: &str, handler: &'static str, methods: MethodRouter<Arc<Querier>>| {
        let instrument = Instrument { metrics: requests.clone(), handler };
        Router::new()
            .route(path, methods.layer(middleware::from_fn_with_state(instrument, measure)))
    };
    let data = Router::new()
        .merge(route("/query", "query", get(query::instant).post(query::instant)))
        .merge(route("/query_range", "query_range", get(query::range).post(query::range)))
        .merge(route("/query_explain", "query", get(explain::instant).post(explain::instant)))
        .merge(route("/query_range_explain", "query", get(explain::range).post(explain::range)))
        .merge(route("/read", "remote_read", post(read::read)))
        .merge(route("/series", "series", get(metadata::series).post(metadata::series)))
        .merge(route("/labels", "label_names", get(metadata::names).post(metadata::names)))
        .merge(route("/label/{name}/values", "label_values", get(metadata::values)))
        .merge(route("/rules", "rules", get(fanned::rules)))
        .merge(route("/alerts", "alerts", get(fanned::alerts)))
        .merge(route("/targets", "targets", get(fanned::targets)))
        .merge(route("/metadata", "metadata", get(fanned::metadata)))
        .merge(route(
            "/query_exemplars",
            "exemplars",
            get(fanned::exemplars).post(fanned::exemplars),
        ))
        .merge(route("/status/tsdb", "status_tsdb", get(fanned::tsdb)))
        .layer(middleware::from_fn_with_state(Arc::clone(&querier), refuse_before_ready));
    let api = data
        .merge(route("/stores", "stores", get(fanned::stores)))
        .merge(route("/format_query", "format_query", get(syntax::format).post(syntax::format)))
        .merge(route("/parse_query", "parse_query", get(syntax::parse).post(syntax::parse)))
        .merge(route("/features", "features", get(syntax::features)))
        .merge(route("/status/flags", "status_flags", get(status::flags)))
        .merge(route("/status/runtimeinfo", "status_runtime", get(status::runtime_info)))
        .merge(route("/status/buildinfo", "status_build", get(status::build_info)))
        // Before the layer: what is set for the whole application later would go round it.
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(querier.settings.cors, cross_origin));
    let prefix = querier.settings.route_prefix.clone();
    let mut app = Router::new()
        .nest(&format!("{prefix}/api/v1"), api)
        .merge(route(&format!("{prefix}/"), "ui", get(ui::page)))
        .merge(route(&format!("{prefix}/graph"), "ui", get(ui::page)))
        .merge(route(&format!("{prefix}/static/{{file}}"), "ui", get(ui::file)))
        .route("/-/healthy", get(|| async { "OK" }))
        .route("/-/ready", get(status::ready))
        .route("/metrics", get(move || status::metrics(Arc::clone(&registry))));
    if !prefix.is_empty() {
        let to_page = format!("{prefix}/");
        let redirect = move || async move { Redirect::temporary(&to_page) };
        app = app.route("/", get(redirect.clone())).route(&prefix, get(redirect));
    }
    app.fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(
            // Chunks are packed already.
            DefaultPredicate::new().and(NotForContentType::const_new(read::STREAMED)),
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(querier)
}

/// Before the first complete sync an answer would lack blocks without saying so.
async fn refuse_before_ready(
    State(querier): State<Arc<Querier>>,
    request: Request,
    next: Next,
) -> Response {
    if querier.readiness.is_starting() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    }
    next.run(request).await
}

/// Thanos' headers for other origins; `OPTIONS` is answered for every path of the API.
async fn cross_origin(State(enabled): State<bool>, request: Request, next: Next) -> Response {
    const HEADERS: [(&str, &str); 4] = [
        (
            "access-control-allow-headers",
            "Accept, Accept-Encoding, Authorization, Content-Type, Origin",
        ),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", "Date"),
    ];
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    if enabled {
        for (name, value) in HEADERS {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    response
}

async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found")
}

async fn method_not_allowed() -> Response {
    plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// An error outside the API, as Go's `http.Error` writes it.
pub(super) fn plain(status: StatusCode, text: &str) -> Response {
    let headers =
        [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{text}\n")).into_response()
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::new(ErrorType::Internal, panic_message(&*panic)).into_response()
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("unexpected error: {text}")
}
