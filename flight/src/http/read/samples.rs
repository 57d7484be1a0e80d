//! The answer in one message: all samples of all queries, in a block of snappy (`ToQueryResult`,
//! `EncodeReadResponse` in `storage/remote/codec.go`).

use std::sync::Arc;

use engine::chunk::{Floats, Histograms};
use engine::model::{CounterResetHint, Histogram, HistogramCounts, Labels, Span};
use engine::source::SelectOptions;
use engine::{Error, ErrorKind};
use prost::bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint, message};
use proto::prometheus::Query;
use proto::prometheus_copy::histogram::{Count, ResetHint, ZeroCount};
use proto::prometheus_copy::{self as copy, BucketSpan, Sample, TimeSeries};
use tokio_util::task::AbortOnDropHandle;

use super::failure::Failure;
use super::select::{Selected, select};
use crate::http::evaluate::ended_early;
use crate::http::querier::Querier;
use crate::storeapi::server::chunks::Chunks;
use crate::storeapi::server::roster::wire;

/// `ReadResponse.results` and `QueryResult.timeseries`.
const REPEATED: u32 = 1;

/// The answer to `queries`, packed.
pub(super) async fn answer(
    querier: &Arc<Querier>,
    queries: Vec<Query>,
    options: SelectOptions,
) -> Result<Vec<u8>, Failure> {
    let mut answer = Vec::new();
    let mut held = Vec::new();
    for query in queries {
        let selected = select(querier, query, &options).await?;
        held.push(Arc::clone(&selected.memory));
        answer = on_threads(querier, move || result(selected, answer)).await?;
    }
    on_threads(querier, move || {
        snap::raw::Encoder::new().compress_vec(&answer).map_err(|_| {
            let text = format!("an answer of {} bytes, more than one block holds", answer.len());
            Error::new(ErrorKind::ResourcesExhausted, text)
        })
    })
    .await
}

/// Runs `work` where queries run.
async fn on_threads<T: Send + 'static>(
    querier: &Querier,
    work: impl FnOnce() -> engine::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let task = AbortOnDropHandle::new(querier.runtime.spawn(async move { work() }));
    Ok(task.await.map_err(|ended| Failure::from(ended_early(ended)))??)
}

/// Appends the result of a query to `answer`, series by series.
fn result(selected: Selected, mut answer: Vec<u8>) -> engine::Result<Vec<u8>> {
    let Selected { series, memory } = selected;
    let mut result = Vec::new();
    for (labels, chunks) in series {
        let before = result.len();
        message::encode(REPEATED, &time_series(&labels, chunks)?, &mut result);
        // Twice: as the result, and in the answer.
        memory.try_grow(2 * (result.len() - before))?;
    }
    answer.reserve(result.len() + 16);
    encode_key(REPEATED, WireType::LengthDelimited, &mut answer);
    encode_varint(result.len() as u64, &mut answer);
    answer.put_slice(&result);
    Ok(answer)
}

fn time_series(labels: &Labels, chunks: Chunks) -> engine::Result<TimeSeries> {
    let (mut floats, mut histograms) = (Floats::default(), Histograms::default());
    for chunk in chunks.encoded() {
        match chunk.encoding.is_float() {
            true => floats.decode(chunk.encoding, &chunk.bytes)?,
            false => histograms.decode(chunk.encoding, &chunk.bytes)?,
        }
    }
    let samples = floats.ts().iter().zip(floats.values());
    let samples = samples.map(|(&timestamp, &value)| Sample { value, timestamp }).collect();
    let histograms = histograms.ts.into_iter().zip(histograms.samples);
    let histograms = histograms.map(|(time, histogram)| of_histogram(time, histogram)).collect();
    Ok(TimeSeries { labels: wire(labels), samples, histograms, ..TimeSeries::default() })
}

/// `FromIntHistogram` and `FromFloatHistogram` in `prompb/codec.go`.
fn of_histogram(timestamp: i64, histogram: Histogram) -> copy::Histogram {
    let spans = |spans: Vec<Span>| {
        let span = |Span { offset, length }| BucketSpan { offset, length };
        spans.into_iter().map(span).collect()
    };
    let reset_hint = match histogram.counter_reset_hint {
        CounterResetHint::Unknown => ResetHint::Unknown,
        CounterResetHint::CounterReset => ResetHint::Yes,
        CounterResetHint::NotCounterReset => ResetHint::No,
        CounterResetHint::Gauge => ResetHint::Gauge,
    };
    let message = copy::Histogram {
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        negative_spans: spans(histogram.negative_spans),
        positive_spans: spans(histogram.positive_spans),
        reset_hint: reset_hint.into(),
        timestamp,
        custom_values: histogram.custom_values,
        ..copy::Histogram::default()
    };
    match histogram.counts {
        HistogramCounts::Int { count, zero_count, positive, negative } => copy::Histogram {
            count: Some(Count::CountInt(count)),
            zero_count: Some(ZeroCount::ZeroCountInt(zero_count)),
            positive_deltas: deltas(positive),
            negative_deltas: deltas(negative),
            ..message
        },
        HistogramCounts::Float { count, zero_count, positive, negative } => copy::Histogram {
            count: Some(Count::CountFloat(count)),
            zero_count: Some(ZeroCount::ZeroCountFloat(zero_count)),
            positive_counts: positive,
            negative_counts: negative,
            ..message
        },
    }
}

/// Each count less the one before.
fn deltas(mut counts: Vec<i64>) -> Vec<i64> {
    let mut before = 0;
    for count in &mut counts {
        (*count, before) = (count.wrapping_sub(before), *count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_differences() {
        assert_eq!(deltas(vec![3, 1, 1, 7]), [3, -2, 0, 6]);
        assert_eq!(deltas(vec![]), Vec::<i64>::new());
    }
}
