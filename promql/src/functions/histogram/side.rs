//! The buckets of one side of zero as numbers and counts.

use std::ops::Range;

use engine::model::Span;

use super::bounds;
use super::merge::Total;

/// Each bucket's number and count, ascending.
pub(super) fn indexed<'a, T: Copy>(
    spans: &'a [Span],
    counts: &'a [T],
) -> impl Iterator<Item = (i32, T)> + 'a {
    numbers(spans).zip(counts.iter().copied())
}

/// Each span: the number of its first bucket and how many it has.
pub(super) fn stretches(spans: &[Span]) -> impl Iterator<Item = (i32, u32)> + '_ {
    spans.iter().scan(0i32, |next, span| {
        let first = next.wrapping_add(span.offset);
        *next = first.wrapping_add(span.length as i32);
        Some((first, span.length))
    })
}

/// Tells `each` where the buckets of `part` stand among those of `whole`, and which these are, stretch by
/// stretch; whether all do.
pub(super) fn inside(
    whole: &[Span],
    part: &[Span],
    mut each: impl FnMut(Range<usize>, Range<usize>),
) -> bool {
    let mut wholes = stretches(whole).map(|(first, length)| (i64::from(first), i64::from(length)));
    let (mut around, mut before, mut of) = (wholes.next(), 0i64, 0);
    for (first, length) in stretches(part) {
        let (mut first, end) = (i64::from(first), i64::from(first) + i64::from(length));
        while first < end {
            match around {
                Some((start, long)) if start + long <= first => {
                    before += long;
                    around = wholes.next();
                }
                Some((start, long)) if start <= first => {
                    let last = end.min(start + long);
                    let (at, count) = ((before + first - start) as usize, (last - first) as usize);
                    each(at..at + count, of..of + count);
                    of += count;
                    first = last;
                }
                _ => return false,
            }
        }
    }
    true
}

/// The numbers of buckets.
pub(super) fn numbers(spans: &[Span]) -> impl Iterator<Item = i32> + '_ {
    stretches(spans)
        .flat_map(|(first, length)| (0..length).map(move |at| first.wrapping_add(at as i32)))
}

/// The spans of buckets, which ascend.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) spans: Vec<Span>,
    /// The number behind the last bucket.
    next: i32,
}

impl Layout {
    /// Adds bucket `number`.
    pub(super) fn push(&mut self, number: i32) {
        match self.spans.last_mut() {
            Some(span) if number == self.next => span.length += 1,
            _ => self.spans.push(Span { offset: number.wrapping_sub(self.next), length: 1 }),
        }
        self.next = number.wrapping_add(1);
    }
}

/// Spans and counts of buckets, which ascend.
pub(super) fn from_indexed<T>(buckets: impl Iterator<Item = (i32, T)>) -> (Vec<Span>, Vec<T>) {
    let (mut layout, mut counts) = (Layout::default(), Vec::new());
    for (number, count) in buckets {
        layout.push(number);
        counts.push(count);
    }
    (layout.spans, counts)
}

/// The buckets of a coarser schema, or of the same; counts of one are added up in their order
/// (`reduceResolution`).
pub(super) fn coarser<T: Total>(
    mut buckets: impl Iterator<Item = (i32, T)>,
    from: i32,
    to: i32,
) -> impl Iterator<Item = (i32, T)> {
    let mut held = None;
    std::iter::from_fn(move || {
        for (number, count) in buckets.by_ref() {
            let number = bounds::coarser(number, from, to);
            match &mut held {
                Some((last, total)) if *last == number => T::join(total, count),
                _ => {
                    if let Some(whole) = held.replace((number, count)) {
                        return Some(whole);
                    }
                }
            }
        }
        held.take()
    })
}

/// The buckets without the first ones that end at or below `threshold`; all custom buckets.
pub(super) fn above<T>(
    buckets: impl Iterator<Item = (i32, T)>,
    schema: i32,
    threshold: f64,
) -> impl Iterator<Item = (i32, T)> {
    buckets.skip_while(move |&(number, _)| is_below(number, schema, threshold))
}

/// Whether bucket `number` ends at or below `threshold`.
pub(super) fn is_below(number: i32, schema: i32, threshold: f64) -> bool {
    bounds::is_exponential(schema) && bounds::exponential(number, schema) <= threshold
}
