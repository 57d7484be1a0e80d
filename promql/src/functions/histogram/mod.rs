//! Native histograms as values: what `+`, `rate`, `histogram_quantile`, … do to them.
//!
//! A [`FloatHistogram`] is Prometheus' `histogram.FloatHistogram`
//! (`model/histogram/float_histogram.go`): buckets are absolute counts, in span order. Functions
//! that the language gives them stand in files by what they do; the order of floating-point
//! operations is Prometheus' everywhere.
//!
//! Results have the spans that Prometheus' have, because comparisons look at them. Whatever the
//! numbers are, nothing panics, and what is made is as large as what it is made of.

mod add;
mod bounds;
mod buckets;
mod custom;
mod kahan_add;
mod layout;
mod logarithm;
mod merge;
mod quantile;
mod reset;
mod side;
#[cfg(test)]
mod tests;
mod totals;
mod trim;
mod view;
mod zero;

use std::sync::Arc;

use engine::model::{CounterResetHint, Span, is_stale};

pub use add::{Incompatible, Merged};
pub use buckets::Bucket;
pub use totals::totals;

/// The schema of histograms with custom bounds (`histogram.CustomBucketsSchema`).
pub const CUSTOM_BUCKETS: i32 = -53;

/// A native histogram whose counts are floats.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatHistogram {
    /// What is known of counter resets before it.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8 exponential, [`CUSTOM_BUCKETS`] custom bounds.
    pub schema: i32,
    /// Width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// Where the buckets above zero lie; all buckets for custom bounds.
    pub positive_spans: Vec<Span>,
    /// Where the buckets below zero lie.
    pub negative_spans: Vec<Span>,
    /// The counts above zero, absolute.
    pub positive_buckets: Vec<f64>,
    /// The counts below zero, absolute.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds, for custom bounds only. Copies and sums share them.
    pub custom_values: Arc<[f64]>,
}

impl FloatHistogram {
    /// A histogram without observations, with the buckets of `other`.
    pub fn empty_like(other: &Self) -> Self {
        Self {
            counter_reset_hint: CounterResetHint::Unknown,
            schema: other.schema,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive_spans: Vec::new(),
            negative_spans: Vec::new(),
            positive_buckets: Vec::new(),
            negative_buckets: Vec::new(),
            custom_values: Arc::clone(&other.custom_values),
        }
    }

    /// A copy as Prometheus makes it (`Copy`): one with custom bounds has no zero bucket, whatever was
    /// calculated there.
    pub fn copied(&self) -> Self {
        let mut copy = self.clone();
        if copy.uses_custom_buckets() {
            (copy.zero_threshold, copy.zero_count) = (0.0, 0.0);
        }
        copy
    }

    /// Whether it is a stale marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether its bounds are custom.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS
    }

    /// Bytes held; bounds count here even if other histograms share them.
    pub fn bytes(&self) -> usize {
        let spans = self.positive_spans.capacity() + self.negative_spans.capacity();
        let buckets = self.positive_buckets.capacity() + self.negative_buckets.capacity();
        size_of::<Self>()
            + spans * size_of::<Span>()
            + (buckets + self.custom_values.len()) * size_of::<f64>()
    }

    fn bucket_counts(&self) -> impl Iterator<Item = &f64> {
        self.positive_buckets.iter().chain(&self.negative_buckets)
    }

    fn counts_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        let buckets = self.positive_buckets.iter_mut().chain(&mut self.negative_buckets);
        [&mut self.zero_count, &mut self.count, &mut self.sum].into_iter().chain(buckets)
    }

    /// Multiplies all counts and the sum (`Mul`).
    pub fn mul(&mut self, factor: f64) {
        self.counts_mut().for_each(|count| *count *= factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum; division by zero removes the buckets (`Div`).
    pub fn div(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.negative_spans.clear();
            self.positive_buckets.clear();
            self.negative_buckets.clear();
        }
        self.counts_mut().for_each(|count| *count /= divisor);
        if divisor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
    }

    /// Whether any number of it is infinite (`HasOverflow`).
    pub fn has_overflow(&self) -> bool {
        let numbers = [&self.zero_count, &self.count, &self.sum].into_iter();
        let numbers = numbers.chain(self.bucket_counts());
        numbers.chain(self.custom_values.iter()).any(|number| number.is_infinite())
    }
}
