//! What all histograms of a chunk share, kept and written (`tsdb/chunkenc/histogram_meta.go`).

use crate::model::{HistogramView, Spans};

use super::super::writer::BitWriter;

/// The schema of custom bounds (`histogram.CustomBucketsSchema`).
const CUSTOM: i32 = -53;
/// Most bytes of a number in bit buckets.
const NUMBER_BYTES: usize = 9;

/// Spans of a chunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OwnSpans {
    pub(super) offsets: Vec<i32>,
    pub(super) lengths: Vec<i32>,
}

impl OwnSpans {
    pub(super) fn view(&self) -> Spans<'_> {
        Spans { offsets: &self.offsets, lengths: &self.lengths }
    }

    pub(super) fn set(&mut self, spans: Spans<'_>) {
        self.offsets.clear();
        self.offsets.extend_from_slice(spans.offsets);
        self.lengths.clear();
        self.lengths.extend_from_slice(spans.lengths);
    }

    /// The spans of ascending buckets, each as long as it can be (`addBucket`).
    pub(super) fn of(buckets: &[i64]) -> Self {
        let mut spans = Self::default();
        let mut end = 0;
        for &bucket in buckets {
            match spans.lengths.last_mut() {
                Some(length) if bucket == end => *length += 1,
                _ => {
                    // Buckets lie where spans of i32 led to.
                    spans.offsets.push(bucket.wrapping_sub(end) as i32);
                    spans.lengths.push(1);
                }
            }
            end = bucket.wrapping_add(1);
        }
        spans
    }
}

/// The numbers of the buckets of `spans`, in order.
pub(super) fn buckets(spans: Spans<'_>) -> impl Iterator<Item = i64> {
    let mut end = 0i64;
    spans.offsets.iter().zip(spans.lengths).flat_map(move |(&offset, &length)| {
        let start = end.wrapping_add(i64::from(offset));
        end = start.wrapping_add(i64::from(length));
        start..end
    })
}

/// The layout of a chunk.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    pub(super) positive: OwnSpans,
    pub(super) negative: OwnSpans,
    pub(super) custom_values: Vec<f64>,
}

impl Layout {
    /// Takes over that of a histogram.
    pub(super) fn set(&mut self, histogram: &HistogramView<'_>) {
        self.schema = histogram.schema;
        self.zero_threshold = histogram.zero_threshold;
        self.positive.set(histogram.positive);
        self.negative.set(histogram.negative);
        self.custom_values.clear();
        self.custom_values.extend_from_slice(histogram.custom_values);
    }

    /// Takes over that of a stale marker, which has none.
    pub(super) fn clear(&mut self) {
        self.schema = 0;
        self.zero_threshold = 0.0;
        self.positive.set(Spans::default());
        self.negative.set(Spans::default());
        self.custom_values.clear();
    }

    /// Whether custom bounds are the same, if the schema has any.
    pub(super) fn has_bounds_of(&self, histogram: &HistogramView<'_>) -> bool {
        histogram.schema != CUSTOM || self.custom_values == histogram.custom_values
    }

    /// The most bytes that it takes in a chunk.
    pub(super) fn bytes(&self) -> usize {
        let spans = self.positive.offsets.len() + self.negative.offsets.len();
        NUMBER_BYTES * (5 + 2 * spans + self.custom_values.len())
    }

    pub(super) fn write(&self, bits: &mut BitWriter<'_>) {
        zero_threshold(bits, self.zero_threshold);
        bits.varbit_int(i64::from(self.schema));
        for spans in [&self.positive, &self.negative] {
            bits.varbit_uint(spans.offsets.len() as u64);
            for (&offset, &length) in spans.offsets.iter().zip(&spans.lengths) {
                bits.varbit_uint(length as u64);
                bits.varbit_int(i64::from(offset));
            }
        }
        if self.schema == CUSTOM {
            bits.varbit_uint(self.custom_values.len() as u64);
            for &bound in &self.custom_values {
                custom_bound(bits, bound);
            }
        }
    }
}

/// One byte for 0 and powers of two from 2^-243 to 2^10, else 255 and the bits (`putZeroThreshold`).
fn zero_threshold(bits: &mut BitWriter<'_>, threshold: f64) {
    if threshold == 0.0 {
        return bits.put(0, 8);
    }
    let word = threshold.to_bits();
    let (exponent, mantissa) = (word >> 52, word & ((1 << 52) - 1));
    // The sign is the exponent's highest bit here: negative numbers are no powers of two.
    match exponent.checked_sub(1023 - 244) {
        Some(byte @ 1..=254) if mantissa == 0 => bits.put(byte, 8),
        _ => {
            bits.put(255, 8);
            bits.put(word, 64);
        }
    }
}

/// Thousandths up to 33,554.430 as a number, anything else as 0 and its bits (`putCustomBound`).
fn custom_bound(bits: &mut BitWriter<'_>, bound: f64) {
    let thousandths = bound * 1000.0;
    let whole = thousandths.round();
    if (0.0..=33_554_430.0).contains(&thousandths) && whole / 1000.0 == bound {
        bits.varbit_uint(whole as u64 + 1);
    } else {
        bits.varbit_uint(0);
        bits.put(bound.to_bits(), 64);
    }
}
