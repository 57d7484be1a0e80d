//! The routes of a role that answers no queries over HTTP: probes, metrics, build info, blocks.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use engine::block::BlockMeta;
use engine::catalog::Catalog;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::error::{ApiError, ErrorType};
use super::json::{Answer, Payload};
use super::query::respond;
use super::readiness::Readiness;
use super::status;
use axum::response::IntoResponse;

/// What a role shows of itself.
#[derive(Debug)]
pub struct Component {
    /// What `status/buildinfo` names.
    pub version: &'static str,
    /// What `/-/ready` tells.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub registry: Arc<Registry>,
    /// What `/api/v1/blocks` lists.
    pub blocks: Option<Arc<Catalog>>,
}

/// The routes.
pub fn router(component: Component) -> Router {
    let Component { version, readiness, registry, blocks } = component;
    let ready = move || async move { status::readiness(&readiness) };
    let mut app = Router::new()
        .route("/-/healthy", get(|| async { "OK" }))
        .route("/-/ready", get(ready))
        .route("/metrics", get(move || status::metrics(Arc::clone(&registry))))
        .route("/api/v1/status/buildinfo", get(move || async move { status::build(version) }));
    if let Some(catalog) = blocks {
        app = app.route("/api/v1/blocks", get(move || async move { list(&catalog) }));
    }
    app.layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}

/// Thanos' `/api/v1/blocks?view=loaded`, without what it says of a page.
fn list(catalog: &Catalog) -> Response {
    #[derive(Serialize)]
    struct Blocks<'a> {
        label: &'static str,
        blocks: Vec<&'a BlockMeta>,
        err: Option<()>,
    }
    let snapshot = catalog.snapshot();
    let blocks = snapshot.blocks.iter().map(AsRef::as_ref).collect();
    match serde_json::to_vec(&Blocks { label: "", blocks, err: None }) {
        Ok(json) => respond(Answer::new(Payload::Raw(json)), &[]),
        Err(error) => {
            ApiError::new(ErrorType::Internal, format!("write blocks: {error}")).into_response()
        }
    }
}
