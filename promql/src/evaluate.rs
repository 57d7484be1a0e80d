//! The way of a query: parse, resolve, plan, execute.

use std::sync::Arc;

use engine::source::SeriesSource;

use crate::query::{QueryAnswer, QueryRequest};

/// Evaluates PromQL over a source.
#[derive(Debug, Default)]
pub struct Engine {}

impl Engine {
    /// Evaluates `request` over `source`. Dropping the future cancels the query.
    pub async fn query(
        &self,
        request: QueryRequest,
        source: Arc<dyn SeriesSource>,
    ) -> engine::Result<QueryAnswer> {
        let _ = (request, source);
        Err(engine::Error::unsupported("queries"))
    }
}
