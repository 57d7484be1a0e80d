//! Which samples of which replica make the deduplicated series: pure functions on timestamps.

mod chain;
mod coverage;
mod interval;
mod penalty;
mod totals;

use crate::source::DedupFunc;

pub(crate) use coverage::{Lead, live, pick_paced};
pub(crate) use interval::Pace;
pub use penalty::lanes;
pub use totals::{Total, pick_totals};

/// One replica's samples of a series.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replica<'a> {
    /// Timestamps in ms, strictly ascending.
    pub ts: &'a [i64],
    /// Positions in `ts` of stale markers, ascending; empty where they are not known.
    pub stale: &'a [u32],
}

/// A stretch of consecutive samples taken from one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Index of the replica.
    pub replica: usize,
    /// The first sample taken.
    pub start: usize,
    /// One past the last sample taken.
    pub end: usize,
    /// After a change of leader: the time up to which a counter's samples below the last value may
    /// be left out (one scrape interval, for skewed clocks). [`SETTLED`] otherwise.
    pub settle: i64,
}

/// The [`Pick::settle`] of a stretch from which nothing is left out.
pub const SETTLED: i64 = i64::MIN;

/// Appends to `picks` what `func` takes from `replicas`. Timestamps of the stretches, one after the
/// other, strictly ascend. `replicas` are in the order of the replicas' own names, which is also the
/// order of preference, so that the answer does not depend on how they arrived.
pub fn pick(func: DedupFunc, replicas: &[Replica<'_>], picks: &mut Vec<Pick>) {
    let mut present = replicas.iter().enumerate().filter(|(_, replica)| !replica.ts.is_empty());
    match (present.next(), present.next()) {
        (None, _) => {}
        (Some((at, only)), None) => push(picks, at, 0, only.ts.len(), SETTLED),
        (Some(_), Some(_)) => match func {
            DedupFunc::Coverage => coverage::pick(replicas, picks),
            DedupFunc::Penalty => penalty::pick(replicas, picks),
            DedupFunc::Chain => chain::pick(replicas, picks),
        },
    }
}

/// Appends a stretch, or lengthens the last one if it goes on there.
fn push(picks: &mut Vec<Pick>, replica: usize, start: usize, end: usize, settle: i64) {
    if start >= end {
        return;
    }
    match picks.last_mut() {
        Some(last) if last.replica == replica && last.end == start => last.end = end,
        _ => picks.push(Pick { replica, start, end, settle }),
    }
}

/// The first position at or after `from` whose timestamp is at least `target`: by doubling steps,
/// because it is usually near.
fn seek(ts: &[i64], from: usize, target: i64) -> usize {
    let rest = &ts[from.min(ts.len())..];
    let mut step = 1;
    while step < rest.len() && rest[step] < target {
        step *= 2;
    }
    let low = step / 2;
    let high = rest.len().min(step + 1);
    from + low + rest[low..high].partition_point(|&t| t < target)
}
