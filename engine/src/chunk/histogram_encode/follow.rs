//! Whether a histogram fits the chunk in hand, and what becomes of the chunk's layout
//! (`appendable`, `appendableGauge`, `expandIntSpansAndBuckets`, `expandSpansBothWays`).

use crate::model::{CounterResetHint, HistogramView, Spans, is_stale};

use super::append::Last;
use super::layout::{Layout, OwnSpans, buckets};
use super::numbers::Number;

/// Why a chunk does not take a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// One is a gauge, the other is not.
    Kind,
    /// The counter was reset.
    Reset,
    /// Another layout, or a stale marker before: whether the counter was reset is not known.
    Unclear,
}

/// What a histogram means for a chunk.
#[derive(Debug)]
pub(super) enum Follow {
    /// The chunk takes it as it is.
    Fits,
    /// The chunk takes it after its spans became these.
    Widens {
        positive: OwnSpans,
        negative: OwnSpans,
    },
    Not(Why),
}

/// Whether a chunk of `layout` whose last sample is `last` takes `next`.
pub(super) fn follow<N: Number>(
    layout: &Layout,
    last: &Last<N>,
    next: &HistogramView<'_>,
) -> Follow {
    let gauge = next.counter_reset_hint == CounterResetHint::Gauge;
    if gauge != last.gauge {
        return Follow::Not(Why::Kind);
    }
    if next.counter_reset_hint == CounterResetHint::CounterReset {
        return Follow::Not(Why::Reset);
    }
    if is_stale(next.sum) {
        return Follow::Fits;
    }
    if last.stale {
        return Follow::Not(Why::Unclear);
    }
    let Some(numbers) = N::of(next) else { return Follow::Not(Why::Kind) };
    if !gauge && numbers.count.is_below(last.count) {
        return Follow::Not(Why::Reset);
    }
    if next.schema != layout.schema || next.zero_threshold != layout.zero_threshold {
        return Follow::Not(Why::Unclear);
    }
    if !layout.has_bounds_of(next) || (!gauge && numbers.zero_count.is_below(last.zero_count)) {
        return Follow::Not(Why::Reset);
    }
    let sides = [
        (layout.positive.view(), &last.positive[..], next.positive, numbers.positive),
        (layout.negative.view(), &last.negative[..], next.negative, numbers.negative),
    ];
    let sides = sides.map(|(own, counts, spans, new)| meet(own, counts, spans, new, gauge));
    let [Some(positive), Some(negative)] = sides else { return Follow::Not(Why::Reset) };
    if !positive.adds && !negative.adds {
        return Follow::Fits;
    }
    let lacks = positive.lacks || negative.lacks;
    let spans = |meeting: Meeting, own: Spans<'_>, new: Spans<'_>| {
        // A gauge that lacks buckets makes both sides anew, a counter only the side that lacks some.
        let merged = if gauge { lacks } else { meeting.lacks };
        let mut spans = OwnSpans::default();
        match merged {
            true => spans = OwnSpans::of(&union(own, new)),
            false => spans.set(new),
        }
        spans
    };
    Follow::Widens {
        positive: spans(positive, layout.positive.view(), next.positive),
        negative: spans(negative, layout.negative.view(), next.negative),
    }
}

/// How the buckets of a histogram differ from those of a chunk.
#[derive(Debug, Clone, Copy, Default)]
struct Meeting {
    /// It has buckets that the chunk has not.
    adds: bool,
    /// It lacks buckets that the chunk has.
    lacks: bool,
}

/// Compares buckets; none if a counter was reset: a count became less, or a bucket with a count is
/// gone.
fn meet<N: Number>(
    own: Spans<'_>,
    counts: &[N],
    spans: Spans<'_>,
    new: &[N],
    gauge: bool,
) -> Option<Meeting> {
    let fell = |(before, after): (&N, &N)| !gauge && before > after;
    if own == spans {
        return (!counts.iter().zip(new).any(fell)).then(Meeting::default);
    }
    let mut meeting = Meeting::default();
    let mut old = buckets(own).zip(counts).peekable();
    let mut new = buckets(spans).zip(new).peekable();
    loop {
        let (before, after) = (old.peek().copied(), new.peek().copied());
        match (before, after) {
            (None, None) => return Some(meeting),
            (Some((at, count)), Some((also_at, new_count))) if at == also_at => {
                if fell((count, new_count)) {
                    return None;
                }
                old.next();
                new.next();
            }
            (Some((at, count)), other) if other.is_none_or(|(other_at, _)| at < other_at) => {
                if !gauge && *count != N::default() {
                    return None;
                }
                meeting.lacks = true;
                old.next();
            }
            _ => {
                meeting.adds = true;
                new.next();
            }
        }
    }
}

/// The buckets of both.
fn union(a: Spans<'_>, b: Spans<'_>) -> Vec<i64> {
    let mut both: Vec<i64> = buckets(a).chain(buckets(b)).collect();
    both.sort_unstable();
    both.dedup();
    both
}
