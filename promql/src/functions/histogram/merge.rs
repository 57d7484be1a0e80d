//! Buckets added to buckets.

use std::borrow::Cow;

use engine::model::Span;

use super::side;
use crate::functions::kahan::Kahan;

/// What a bucket of a sum holds: a count, or a count and what it has lost.
pub(super) trait Total: Copy {
    /// Adds the same bucket of another histogram.
    fn add(&mut self, other: Self);

    /// Adds another bucket of the same histogram, if a coarser schema has one for both.
    fn join(&mut self, next: Self);
}

impl Total for f64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }

    fn join(&mut self, next: Self) {
        *self += next;
    }
}

impl Total for Kahan {
    fn add(&mut self, other: Self) {
        Kahan::add(self, other.sum);
        if other.lost != 0.0 {
            Kahan::add(self, other.lost);
        }
    }

    fn join(&mut self, next: Self) {
        Kahan::add(self, next.sum);
        Kahan::add(self, next.lost);
    }
}

/// One side of zero of a histogram.
pub(super) struct Side<'a, T: Clone> {
    pub(super) schema: i32,
    pub(super) spans: &'a [Span],
    pub(super) totals: Cow<'a, [T]>,
}

impl<T: Total> Side<'_, T> {
    /// Adds what `sign` makes of the buckets of `other`, but for the first ones that end at or
    /// below `threshold`; the schema is the coarser one then (`addBuckets`, `kahanAddBuckets`).
    pub(super) fn plus(
        &self,
        other: &Side<'_, T>,
        threshold: f64,
        sign: impl Fn(T) -> T,
    ) -> (Vec<Span>, Vec<T>) {
        let schema = self.schema.min(other.schema);
        let others = side::indexed(other.spans, &other.totals);
        let others = side::coarser(others, other.schema, schema);
        let others = side::above(others, schema, threshold);
        let others = others.map(|(number, total)| (number, sign(total)));
        if self.schema == schema {
            return merge(self.spans, &self.totals, others);
        }
        let own = side::coarser(side::indexed(self.spans, &self.totals), self.schema, schema);
        let (spans, totals) = side::from_indexed(own);
        merge(&spans, &totals, others)
    }
}

/// Adds `others`, which ascend. The spans stay; a new bucket makes the span before it longer, or
/// else the one behind it, or is a span of its own.
fn merge<T: Total>(
    spans: &[Span],
    totals: &[T],
    others: impl Iterator<Item = (i32, T)>,
) -> (Vec<Span>, Vec<T>) {
    let (mut others, mut own) = (others.peekable(), totals.iter());
    let (mut merged_spans, mut merged) = (Vec::<Span>::new(), Vec::with_capacity(totals.len()));
    // The ends of the last span before and after.
    let (mut next, mut end) = (0i32, 0i32);
    for span in spans.iter().map(Some).chain([None]) {
        let first = span.map(|span| next.wrapping_add(span.offset));
        let mut start = first;
        while let Some((number, total)) =
            others.next_if(|&(number, _)| first.is_none_or(|first| number < first))
        {
            merged.push(total);
            match merged_spans.last_mut() {
                Some(before) if number == end => {
                    before.length = before.length.wrapping_add(1);
                    end = end.wrapping_add(1);
                }
                _ if first == Some(number.wrapping_add(1)) => start = Some(number),
                _ => {
                    merged_spans.push(Span { offset: number.wrapping_sub(end), length: 1 });
                    end = number.wrapping_add(1);
                }
            }
        }
        let (Some(span), Some(first), Some(start)) = (span, first, start) else { break };
        let longer = first.wrapping_sub(start) as u32;
        merged_spans.push(Span {
            offset: start.wrapping_sub(end),
            length: span.length.wrapping_add(longer),
        });
        next = first.wrapping_add(span.length as i32);
        end = next;
        for (at, &total) in (0..span.length).zip(own.by_ref()) {
            let number = first.wrapping_add(at as i32);
            merged.push(total);
            if let Some((_, other)) = others.next_if(|&(other, _)| other == number)
                && let Some(total) = merged.last_mut()
            {
                total.add(other);
            }
        }
    }
    (merged_spans, merged)
}
