//! How counts are written: whole ones as delta of delta, floats as XOR; and the sum.

use std::fmt::Debug;

use crate::model::{CountsView, HistogramView};

use super::super::encode::{Window, put_value};
use super::super::writer::BitWriter;
use super::follow::Why;
use super::header;

/// Counts of one kind: absolute, as columns hold them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers<'a, N> {
    pub(super) count: N,
    pub(super) zero_count: N,
    pub(super) positive: &'a [N],
    pub(super) negative: &'a [N],
}

/// A count.
pub(super) trait Number: Copy + Default + PartialOrd + Debug {
    /// What a stream of such numbers remembers.
    type Stream: Copy + Debug;

    /// The counts of a histogram, if they are of this kind.
    fn of<'a>(histogram: &HistogramView<'a>) -> Option<Numbers<'a, Self>>;

    /// Whether a count of observations is below another.
    fn is_below(self, other: Self) -> bool;

    /// Makes of absolute buckets what is written of them.
    fn relate(buckets: &mut [Self]);

    /// Writes the first count of a stream.
    fn first_count(bits: &mut BitWriter<'_>, count: Self) -> Self::Stream;

    /// Writes the first number of a bucket's stream.
    fn first_bucket(bits: &mut BitWriter<'_>, bucket: Self) -> Self::Stream;

    /// Writes the next number of a stream.
    fn next(bits: &mut BitWriter<'_>, stream: &mut Self::Stream, number: Self);

    /// Writes the count of a stale marker, which has none.
    fn none(bits: &mut BitWriter<'_>, stream: &mut Self::Stream);

    /// The header of a chunk before which another was full, or could not take the sample.
    fn header(was_full: bool, why: Option<Why>) -> u8;
}

/// A number that is written as delta of delta.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Moving {
    value: i64,
    speed: i64,
}

impl Moving {
    pub(super) fn at(value: i64) -> Self {
        Self { value, speed: 0 }
    }

    #[inline]
    pub(super) fn next(&mut self, bits: &mut BitWriter<'_>, value: i64) {
        let speed = value.wrapping_sub(self.value);
        bits.varbit_int(speed.wrapping_sub(self.speed));
        *self = Self { value, speed };
    }
}

/// A number that is written as XOR.
#[derive(Debug, Clone, Copy)]
pub(super) struct Xor {
    bits: u64,
    window: Window,
}

impl Xor {
    pub(super) fn first(bits: &mut BitWriter<'_>, value: f64) -> Self {
        bits.put(value.to_bits(), 64);
        Self { bits: value.to_bits(), window: Window::NONE }
    }

    #[inline]
    pub(super) fn next(&mut self, bits: &mut BitWriter<'_>, value: f64) {
        put_value(bits, 0, 0, self.bits ^ value.to_bits(), &mut self.window);
        self.bits = value.to_bits();
    }
}

impl Number for i64 {
    type Stream = Moving;

    fn of<'a>(histogram: &HistogramView<'a>) -> Option<Numbers<'a, Self>> {
        match histogram.counts {
            CountsView::Int { count, zero_count, positive, negative } => {
                let (count, zero_count) = (count as i64, zero_count as i64);
                Some(Numbers { count, zero_count, positive, negative })
            }
            CountsView::Float { .. } => None,
        }
    }

    fn is_below(self, other: Self) -> bool {
        // Observations are counted without a sign.
        (self as u64) < other as u64
    }

    fn relate(buckets: &mut [Self]) {
        let mut before = 0;
        for bucket in buckets {
            let count = *bucket;
            *bucket = count.wrapping_sub(before);
            before = count;
        }
    }

    fn first_count(bits: &mut BitWriter<'_>, count: Self) -> Moving {
        bits.varbit_uint(count as u64);
        Moving::at(count)
    }

    fn first_bucket(bits: &mut BitWriter<'_>, bucket: Self) -> Moving {
        bits.varbit_int(bucket);
        Moving::at(bucket)
    }

    #[inline]
    fn next(bits: &mut BitWriter<'_>, stream: &mut Moving, number: Self) {
        stream.next(bits, number);
    }

    fn none(bits: &mut BitWriter<'_>, _: &mut Moving) {
        bits.varbit_int(0);
    }

    fn header(_: bool, why: Option<Why>) -> u8 {
        match why {
            Some(Why::Reset) => header::RESET,
            Some(Why::Unclear) => header::UNKNOWN,
            Some(Why::Kind) | None => header::NOT_RESET,
        }
    }
}

impl Number for f64 {
    type Stream = Xor;

    fn of<'a>(histogram: &HistogramView<'a>) -> Option<Numbers<'a, Self>> {
        match histogram.counts {
            CountsView::Float { count, zero_count, positive, negative } => {
                Some(Numbers { count, zero_count, positive, negative })
            }
            CountsView::Int { .. } => None,
        }
    }

    fn is_below(self, other: Self) -> bool {
        self < other
    }

    fn relate(_: &mut [Self]) {}

    fn first_count(bits: &mut BitWriter<'_>, count: Self) -> Xor {
        Xor::first(bits, count)
    }

    fn first_bucket(bits: &mut BitWriter<'_>, bucket: Self) -> Xor {
        Xor::first(bits, bucket)
    }

    #[inline]
    fn next(bits: &mut BitWriter<'_>, stream: &mut Xor, number: Self) {
        stream.next(bits, number);
    }

    fn none(bits: &mut BitWriter<'_>, stream: &mut Xor) {
        stream.next(bits, 0.0);
    }

    fn header(was_full: bool, why: Option<Why>) -> u8 {
        match (why, was_full) {
            (Some(Why::Reset), _) => header::RESET,
            (_, true) => header::NOT_RESET,
            (_, false) => header::UNKNOWN,
        }
    }
}
