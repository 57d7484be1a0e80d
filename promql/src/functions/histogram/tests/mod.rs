//! Small histograms; expected values are those of Prometheus' own functions.

mod hostile;
mod layouts;
mod quantiles;
mod resets;
mod sums;
mod trims;

use std::sync::Arc;

use engine::model::{CounterResetHint, Span};

use super::{CUSTOM_BUCKETS, FloatHistogram};

const INF: f64 = f64::INFINITY;

/// Spans: each one's offset and counts.
type Side<'a> = &'a [(i32, &'a [f64])];

/// A histogram with this zero bucket (width and count); its sum is its count.
fn exponential(
    schema: i32,
    zero: (f64, f64),
    positive: Side<'_>,
    negative: Side<'_>,
) -> FloatHistogram {
    let spans = |side: Side<'_>| -> Vec<Span> {
        let span = |&(offset, counts): &(i32, &[f64])| Span { offset, length: counts.len() as u32 };
        side.iter().map(span).collect()
    };
    let counts = |side: Side<'_>| -> Vec<f64> {
        side.iter().flat_map(|(_, counts)| counts.iter().copied()).collect()
    };
    let (positive_buckets, negative_buckets) = (counts(positive), counts(negative));
    let buckets = positive_buckets.iter().chain(&negative_buckets);
    let count = buckets.fold(zero.1, |sum, count| sum + count);
    FloatHistogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema,
        zero_threshold: zero.0,
        zero_count: zero.1,
        count,
        sum: count,
        positive_spans: spans(positive),
        negative_spans: spans(negative),
        positive_buckets,
        negative_buckets,
        custom_values: Arc::default(),
    }
}

/// A histogram with these bounds.
fn custom(bounds: &[f64], buckets: Side<'_>) -> FloatHistogram {
    FloatHistogram {
        custom_values: bounds.into(),
        ..exponential(CUSTOM_BUCKETS, (0.0, 0.0), buckets, &[])
    }
}

fn pairs(spans: &[Span]) -> Vec<(i32, u32)> {
    spans.iter().map(|span| (span.offset, span.length)).collect()
}

fn hinted(hint: CounterResetHint, histogram: &FloatHistogram) -> FloatHistogram {
    FloatHistogram { counter_reset_hint: hint, ..histogram.clone() }
}
