//! Which buckets a histogram has, and with what spans.

use std::sync::Arc;

use engine::model::Span;

use super::{CUSTOM_BUCKETS, FloatHistogram, Incompatible, side};

impl FloatHistogram {
    /// Whether [`compact`](Self::compact) would change nothing.
    pub fn is_compact(&self) -> bool {
        is_compact(&self.positive_spans, &self.positive_buckets)
            && is_compact(&self.negative_spans, &self.negative_buckets)
    }

    /// Leaves empty buckets out (`Compact(0)`).
    pub fn compact(&mut self) {
        let compact = |spans: &mut Vec<Span>, buckets: &mut Vec<f64>| {
            if is_compact(spans, buckets) {
                return;
            }
            let (mut filled, mut layout) = (0, side::Layout::default());
            for (at, number) in (0..buckets.len()).zip(side::numbers(spans)) {
                if buckets[at] != 0.0 {
                    layout.push(number);
                    buckets[filled] = buckets[at];
                    filled += 1;
                }
            }
            buckets.truncate(filled);
            *spans = layout.spans;
        };
        compact(&mut self.positive_spans, &mut self.positive_buckets);
        compact(&mut self.negative_spans, &mut self.negative_buckets);
    }

    /// The same with the resolution of a coarser schema (`CopyToSchema`).
    ///
    /// # Errors
    /// [`Incompatible`] if one of the schemas is that of custom bounds, or `schema` is finer.
    pub fn copy_to_schema(&self, schema: i32) -> Result<Self, Incompatible> {
        if schema == self.schema {
            return Ok(self.clone());
        }
        if self.uses_custom_buckets() || schema == CUSTOM_BUCKETS || schema > self.schema {
            return Err(Incompatible);
        }
        let reduced = |spans: &[Span], buckets: &[f64]| {
            side::from_indexed(side::coarser(side::indexed(spans, buckets), self.schema, schema))
        };
        let (positive_spans, positive_buckets) =
            reduced(&self.positive_spans, &self.positive_buckets);
        let (negative_spans, negative_buckets) =
            reduced(&self.negative_spans, &self.negative_buckets);
        Ok(Self {
            schema,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            custom_values: Arc::default(),
            ..*self
        })
    }

    /// Whether both are the same data, whatever they say of counter resets (`Equals`): counts by
    /// their bits, buckets by their spans.
    pub fn equals(&self, other: &Self) -> bool {
        let same = |own: &[f64], other: &[f64]| {
            own.iter().map(|count| count.to_bits()).eq(other.iter().map(|count| count.to_bits()))
        };
        self.schema == other.schema
            && [self.count, self.sum, self.zero_count].map(f64::to_bits)
                == [other.count, other.sum, other.zero_count].map(f64::to_bits)
            && (!self.uses_custom_buckets() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && filled(&self.negative_spans).eq(filled(&other.negative_spans))
            && same(&self.negative_buckets, &other.negative_buckets)
            && filled(&self.positive_spans).eq(filled(&other.positive_spans))
            && same(&self.positive_buckets, &other.positive_buckets)
    }
}

/// Whether no bucket is empty, and no span could be part of another; the first may be below zero.
fn is_compact(spans: &[Span], buckets: &[f64]) -> bool {
    let apart = |(at, span): (usize, &Span)| span.length > 0 && (at == 0 || span.offset > 0);
    !buckets.contains(&0.0) && spans.iter().enumerate().all(apart)
}

/// The spans that have buckets: where each begins, and its length.
fn filled(spans: &[Span]) -> impl Iterator<Item = (i32, u32)> + '_ {
    side::stretches(spans).filter(|&(_, length)| length > 0)
}
