//! What the server counts of requests (Thanos' `pkg/extprom/http`).

use std::sync::atomic::AtomicI64;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: u16,
    handler: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabels {
    handler: &'static str,
    method: &'static str,
}

/// The metrics of a server's requests.
#[derive(Debug, Clone)]
pub(super) struct RequestMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RequestLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<HandlerLabels, Gauge<i64, AtomicI64>>,
}

impl RequestMetrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(duration_buckets),
            in_flight: Family::default(),
        };
        registry.register(
            "http_requests",
            "Tracks the number of HTTP requests",
            metrics.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Tracks the latencies for HTTP requests",
            metrics.durations.clone(),
        );
        registry.register(
            "http_inflight_requests",
            "Current number of HTTP requests the handler is responding to",
            metrics.in_flight.clone(),
        );
        metrics
    }

    fn done(&self, handler: HandlerLabels, code: StatusCode, began: Instant) {
        let HandlerLabels { handler, method } = handler;
        let labels = RequestLabels { code: code.as_u16(), handler, method };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
    }
}

/// Thanos' buckets of the querier.
fn duration_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0, 240.0,
    ])
}

/// A metric and the handler whose requests it counts.
#[derive(Debug, Clone)]
pub(super) struct Instrument {
    pub(super) metrics: RequestMetrics,
    pub(super) handler: &'static str,
}

/// Middleware: counts a request, from its head to the head of its answer.
pub(super) async fn measure(
    State(instrument): State<Instrument>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let labels =
        HandlerLabels { handler: instrument.handler, method: method_name(request.method()) };
    let running = Running(instrument.metrics.in_flight.get_or_create(&labels).clone());
    running.0.inc();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let code = response.status();
    tracing::debug!(%code, handler = labels.handler, %path, elapsed = ?began.elapsed(), "request");
    instrument.metrics.done(labels, code, began);
    response
}

/// Counts down also when the client goes away and the request is dropped.
struct Running(Gauge<i64, AtomicI64>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::POST => "post",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        Method::PUT => "put",
        Method::DELETE => "delete",
        _ => "unknown",
    }
}
