//! `penalty`: Thanos' rule (`pkg/dedup/iter.go`, `dedupSeriesIterator`), its sequence of samples
//! equal, without the adjustment of counter values: samples stay bit-exact.
//!
//! Replicas are folded left pairwise, `((r0 ⊕ r1) ⊕ r2) …`. The smaller next timestamp wins (a tie
//! goes to the left); the loser may not come back before twice the winner's last step has passed,
//! or 5 s while there is no step yet. So while the left side leads with steps `d`, the right side
//! can win only where `d[k+1] > 2·d[k] + 1`: all before is one slice.

use std::ops::Range;

use super::{Pick, Replica, SETTLED, push, seek};

const INITIAL_PENALTY: i64 = 5_000;

pub(super) fn pick(replicas: &[Replica<'_>], picks: &mut Vec<Pick>) {
    let base = picks.len();
    let mut folded: Vec<i64> = Vec::new();
    let mut first: Option<usize> = None;
    for (index, replica) in replicas.iter().enumerate() {
        if replica.ts.is_empty() {
            continue;
        }
        let Some(first_index) = first else {
            first = Some(index);
            push(picks, index, 0, replica.ts.len(), SETTLED);
            continue;
        };
        let left: &[i64] = if folded.is_empty() { replicas[first_index].ts } else { &folded };
        let mut merged = Vec::with_capacity(left.len());
        let before = picks.split_off(base);
        let mut lefts = LeftPicks { picks: &before, at: 0, passed: 0 };
        fold(left, replica.ts, |side, range| match side {
            Side::Left => {
                merged.extend_from_slice(&left[range.clone()]);
                lefts.copy(range, picks);
            }
            Side::Right => {
                merged.extend_from_slice(&replica.ts[range.clone()]);
                push(picks, index, range.start, range.end, SETTLED);
            }
        });
        folded = merged;
    }
}

/// Translates ascending ranges of the folded sequence back to the replicas' own positions.
struct LeftPicks<'a> {
    picks: &'a [Pick],
    at: usize,
    /// Samples of the folded sequence before `picks[at]`.
    passed: usize,
}

impl LeftPicks<'_> {
    fn copy(&mut self, range: Range<usize>, picks: &mut Vec<Pick>) {
        let mut from = range.start;
        while from < range.end && self.at < self.picks.len() {
            let pick = self.picks[self.at];
            let length = pick.end - pick.start;
            if from >= self.passed + length {
                self.passed += length;
                self.at += 1;
                continue;
            }
            let to = range.end.min(self.passed + length);
            let start = pick.start + (from - self.passed);
            push(picks, pick.replica, start, start + (to - from), SETTLED);
            from = to;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// One side of a pair: its samples, the next one, and where it must have got to.
struct Cursor<'a> {
    ts: &'a [i64],
    at: usize,
    penalty: i64,
}

impl Cursor<'_> {
    /// To the first sample after `last` by at least the penalty. Never back.
    fn advance(&mut self, last: i64) {
        let target = last.saturating_add(1).saturating_add(self.penalty);
        self.at = seek(self.ts, self.at, target);
        if last == i64::MAX {
            self.at = self.ts.len();
        }
    }

    fn next(&self) -> Option<i64> {
        self.ts.get(self.at).copied()
    }
}

/// Two replicas, both not empty: hands out the stretches that are taken, in order of time.
fn fold(left: &[i64], right: &[i64], mut take: impl FnMut(Side, Range<usize>)) {
    let mut a = Cursor { ts: left, at: 0, penalty: 0 };
    let mut b = Cursor { ts: right, at: 0, penalty: 0 };
    let mut last: Option<i64> = None;
    loop {
        if let Some(last) = last {
            a.advance(last);
            b.advance(last);
        }
        let (side, winner, loser) = match (a.next(), b.next()) {
            (None, None) => return,
            // Whoever is left alone gives all the rest.
            (None, Some(_)) => return take(Side::Right, b.at..right.len()),
            (Some(_), None) => return take(Side::Left, a.at..left.len()),
            (Some(ta), Some(tb)) if ta <= tb => (Side::Left, &mut a, &mut b),
            (Some(_), Some(_)) => (Side::Right, &mut b, &mut a),
        };
        let start = winner.at;
        let first = winner.ts[start];
        winner.penalty = 0;
        loser.penalty = match last {
            None => INITIAL_PENALTY,
            Some(last) => first.saturating_sub(last).saturating_mul(2),
        };
        // The stretch in which the loser cannot win, whatever it has: its next sample is past the
        // furthest point that it was sent to. Without a step yet, only one sample.
        let mut end = start + 1;
        let mut current = first;
        let mut target = current.saturating_add(1).saturating_add(loser.penalty);
        while let Some(&next) = winner.ts.get(end) {
            let sure = match side {
                Side::Left => next <= target,
                Side::Right => next < target,
            };
            if !sure {
                break;
            }
            loser.penalty = next.saturating_sub(current).saturating_mul(2);
            current = next;
            target = target.max(current.saturating_add(1).saturating_add(loser.penalty));
            end += 1;
        }
        take(side, start..end);
        winner.at = end;
        // The loser was sought at every step and never goes back, so the furthest target counts.
        loser.at = seek(loser.ts, loser.at, target);
        last = Some(current);
    }
}

/// Deals the pieces of one replica, ordered by their first timestamp, to as many lanes as they
/// overlap (Thanos' `NewOverlapSplit`): a piece goes to the first lane that ends before it. Each
/// lane is then a replica of its own. Pieces are `(first, last)` timestamps; the answer is the lane
/// of each piece.
pub fn lanes(pieces: impl IntoIterator<Item = (i64, i64)>) -> Vec<usize> {
    let mut ends: Vec<i64> = Vec::new();
    pieces
        .into_iter()
        .map(|(first, last)| match ends.iter().position(|&end| end < first) {
            Some(lane) => {
                ends[lane] = last;
                lane
            }
            None => {
                ends.push(last);
                ends.len() - 1
            }
        })
        .collect()
}
