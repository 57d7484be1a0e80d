//! A query to series and their chunks.

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use engine::model::{Aggregates, Labels, MatchOp, Matcher, TimeRange};
use engine::source::{Columns, Resolved, Select, SelectOptions};
use engine::{Error, ErrorKind};
use proto::prometheus::label_matcher::Type;
use proto::prometheus::{LabelMatcher, Query};
use tokio_util::task::AbortOnDropHandle;

use super::failure::Failure;
use crate::http::evaluate::ended_early;
use crate::http::querier::Querier;
use crate::storeapi::server::chunks::Chunks;
use crate::storeapi::server::slices::encode;

/// How often what turned out damaged is left out.
const ATTEMPTS: usize = 16;

/// What a hint says of a query that asks for no samples.
const SERIES: &str = "series";

/// What a query selects.
#[derive(Debug)]
pub(super) struct Selected {
    /// The series that have samples, in order of their labels; without chunks where the query wants none.
    pub(super) series: Vec<(Labels, Chunks)>,
    /// Where the memory of the answer counts, that of the chunks included.
    pub(super) memory: Arc<MemoryReservation>,
}

/// Selects behind the gate, on the threads of queries and within a query's time.
pub(super) async fn select(
    querier: &Arc<Querier>,
    query: Query,
    options: &SelectOptions,
) -> Result<Selected, Failure> {
    let shared = Arc::clone(querier);
    let options = SelectOptions { limits: options.limits.anew(), ..options.clone() };
    let work = async {
        let place = querier.gate.enter().await;
        let task = AbortOnDropHandle::new(querier.runtime.spawn(async move {
            let _place = place;
            selected(&shared, &query, &options).await
        }));
        task.await.map_err(|ended| Failure::from(ended_early(ended)))?
    };
    match tokio::time::timeout(querier.settings.timeout, work).await {
        Ok(selected) => selected,
        Err(_) => Err(Error::new(ErrorKind::Timeout, "the request timed out").into()),
    }
}

async fn selected(
    querier: &Querier,
    query: &Query,
    options: &SelectOptions,
) -> Result<Selected, Failure> {
    let matchers = matchers(&query.matchers)?;
    let range = range(query);
    let context = querier.engine.reading()?;
    let source = querier.source.as_ref();
    let new_memory =
        || Arc::new(MemoryConsumer::new("remote read").register(context.memory_pool()));
    if query.hints.as_ref().is_some_and(|hints| hints.func == SERIES) {
        let listed = source.series(&matchers, range, options, 0).await?;
        warn(&listed.warnings);
        let series = listed.items.into_iter().map(|labels| (labels, Chunks::default()));
        return Ok(Selected { series: series.collect(), memory: new_memory() });
    }
    let select = Select {
        matchers,
        range,
        columns: Columns::Samples,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    };
    let mut attempt = 1;
    loop {
        let memory = new_memory();
        let encoded = async {
            let Resolved { roster, runs, warnings } = source.resolve(&select, options).await?;
            let count = Some(Arc::clone(&memory));
            let chunks = encode(runs, roster.len(), range, Arc::clone(&context), count).await?;
            Ok::<_, Error>((roster, chunks, warnings))
        };
        match encoded.await {
            Ok((roster, chunks, warnings)) => {
                warn(&warnings);
                let series =
                    chunks.into_iter().enumerate().filter(|(_, chunks)| !chunks.is_empty());
                let series = series.map(|(at, chunks)| (roster.labels(at), chunks));
                let mut series: Vec<(Labels, Chunks)> = series.collect();
                series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                return Ok(Selected { series, memory });
            }
            // Resolved anew, the source leaves the block out and names it.
            Err(error)
                if error.kind() == ErrorKind::Corrupt
                    && options.partial_response
                    && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!(warning, "remote read without what cannot be read");
    }
}

/// The times of a query: hints narrow them (`selectSeriesSet` in `tsdb/querier.go`).
fn range(query: &Query) -> TimeRange {
    let (start, end) = (query.start_timestamp_ms, query.end_timestamp_ms);
    match &query.hints {
        None => TimeRange::new(start, end),
        Some(hints) => TimeRange::new(start.max(hints.start_ms), end.min(hints.end_ms)),
    }
}

/// Matchers, in the terms of the engine (`FromLabelMatchers` in `storage/remote/codec.go`).
fn matchers(given: &[LabelMatcher]) -> Result<Vec<Matcher>, Failure> {
    let matcher = |given: &LabelMatcher| {
        let op = match Type::try_from(given.r#type) {
            Ok(Type::Eq) => MatchOp::Equal,
            Ok(Type::Neq) => MatchOp::NotEqual,
            Ok(Type::Re) => MatchOp::Regex,
            Ok(Type::Nre) => MatchOp::NotRegex,
            Err(_) => return Err(Failure::internal("invalid matcher type")),
        };
        Matcher::new(given.name.as_str(), op, given.value.as_str())
            .map_err(|error| Failure::internal(error.to_string()))
    };
    given.iter().map(matcher).collect()
}
