//! The values that cross every seam: labels, matchers, time ranges, samples, label tables.

mod aggregate;
mod duration;
mod histogram;
mod label_table;
mod labels;
mod lookup;
mod matcher;
mod time;
mod windows;

pub use aggregate::{Aggregate, AggregateValue, Aggregates};
pub use duration::{NoDuration, parse_duration};
pub use histogram::{
    CounterResetHint, CountsView, Histogram, HistogramCounts, HistogramParts, HistogramView, Span,
    Spans,
};
pub use label_table::{ABSENT, LabelColumn, LabelTable};
pub use labels::{Label, Labels, METRIC_NAME};
pub use matcher::{MatchOp, Matcher};
pub use time::{Bounds, Moment, TimeRange};

/// The bits of the NaN that marks the end of a series (Prometheus `model/value.StaleNaN`).
///
/// Compared by bits, never by value; any arithmetic on it makes it an ordinary NaN.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether `value` is the stale marker.
#[inline]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}
pub use windows::{WindowSlices, Windows};
