//! Queries from text to answer, over samples in memory.

mod answers;
mod limits;

use std::sync::Arc;
use std::time::Duration;

use engine::model::Labels;
use engine::source::{MemorySource, SelectOptions, SeriesSource};
use engine::{ErrorKind, Result};

use super::{Engine, EngineSettings};
use crate::query::{Evaluation, QueryRequest, QueryValue};

/// A request with Prometheus' defaults.
fn request(query: &str, evaluation: Evaluation) -> QueryRequest {
    QueryRequest {
        query: query.to_owned(),
        evaluation,
        lookback: Duration::from_secs(300),
        default_subquery_step: Duration::from_secs(60),
        max_resolution: Duration::ZERO,
        timeout: Duration::from_secs(60),
        limit: 0,
        select: SelectOptions::default(),
        stats: false,
        analyze: false,
    }
}

/// Three counters of two jobs that grow by 1, 2 and 3 a second for half an hour.
fn counters() -> Arc<dyn SeriesSource> {
    let series = |job: &str, pod: &str, step: f64| {
        let labels = Labels::new([("__name__", "m_total"), ("job", job), ("pod", pod)]);
        let samples = (0..=120).map(|i| (i * 15_000, i as f64 * step)).collect();
        (labels.expect("label names differ"), samples)
    };
    Arc::new(MemorySource::new(vec![
        series("a", "1", 15.0),
        series("a", "2", 30.0),
        series("b", "3", 45.0),
    ]))
}
