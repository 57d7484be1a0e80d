//! The buckets of a histogram, with their bounds.

use std::fmt;

use engine::model::Span;

use super::{FloatHistogram, bounds, side};
use crate::functions::float_text::general;

/// A bucket.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Whether observations at the lower bound are in it.
    pub lower_inclusive: bool,
    /// Whether observations at the upper bound are in it.
    pub upper_inclusive: bool,
    /// How many observations are in it.
    pub count: f64,
}

impl Bucket {
    /// Which bounds are in it, as Prometheus' JSON has it: 0 the upper, 1 the lower, 2 none, 3 both
    /// (`MarshalHistogram`).
    pub fn boundaries(&self) -> u8 {
        match (self.lower_inclusive, self.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(general);
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

impl FloatHistogram {
    /// The buckets above zero, ascending, with the bounds of their schema.
    pub(super) fn positive(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.side(&self.positive_spans, &self.positive_buckets, true)
    }

    /// The buckets below zero, from zero on, with the bounds of their schema.
    pub(super) fn negative(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.side(&self.negative_spans, &self.negative_buckets, false)
    }

    fn side<'a>(
        &'a self,
        spans: &'a [Span],
        buckets: &'a [f64],
        positive: bool,
    ) -> impl DoubleEndedIterator<Item = Bucket> + 'a {
        let custom = self.uses_custom_buckets();
        let bound = move |number| bounds::bound(number, self.schema, &self.custom_values);
        let each: Vec<(i32, f64)> = side::indexed(spans, buckets).collect();
        each.into_iter().map(move |(number, count)| {
            let (near, far) = (bound(number.wrapping_sub(1)), bound(number));
            let (lower, upper) = if positive { (near, far) } else { (-far, -near) };
            Bucket {
                lower,
                upper,
                lower_inclusive: if custom { number == 0 } else { lower < 0.0 },
                upper_inclusive: custom || upper > 0.0,
                count,
            }
        })
    }

    /// The zero bucket.
    pub(super) fn zero(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets, ascending; none reaches into the zero bucket, which is there if it has any
    /// observations (`AllBucketIterator`).
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let threshold = self.zero_threshold;
        let cut = move |mut bucket: Bucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            } else if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        };
        let zero = (self.zero_count > 0.0 && !self.uses_custom_buckets()).then(|| self.zero());
        self.negative().rev().map(cut).chain(zero).chain(self.positive().map(cut))
    }

    /// The buckets with observations, ascending, as Prometheus' JSON shows them
    /// (`MarshalHistogram`).
    pub fn filled_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.buckets().filter(|bucket| bucket.count != 0.0)
    }
}

impl fmt::Display for FloatHistogram {
    /// As Prometheus prints it (`String`): buckets with observations, in ascending order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", general(self.count), general(self.sum))?;
        let zero = (self.zero_count != 0.0 && !self.uses_custom_buckets()).then(|| self.zero());
        let all = self.negative().rev().chain(zero).chain(self.positive());
        for bucket in all.filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}
