//! One replica's runs of a series as one sequence of samples.

use std::borrow::Cow;

use super::algo::{Replica, SETTLED};
use crate::scan::located::{Located, LocatedBuilder};

/// The runs of one replica of a series, in order of time.
#[derive(Debug, Default)]
pub(super) struct Runs<'a> {
    /// Batch and row of each run.
    runs: Vec<(usize, usize)>,
    /// All timestamps; a copy only if the runs do not lie side by side.
    ts: Cow<'a, [i64]>,
    stale: Vec<u32>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(batches: &[Located<'a>], runs: Vec<(usize, usize)>) -> Self {
        let side_by_side =
            runs.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1);
        let ts = match (runs.first(), runs.last()) {
            (Some(&(batch, first)), Some(&(_, last))) if side_by_side => {
                let located = batches[batch];
                let from = located.offsets[first] as usize;
                let to = located.offsets[last + 1] as usize;
                (&located.ts[from..to]).into()
            }
            _ => {
                let slices: Vec<&[i64]> =
                    runs.iter().map(|&(batch, at)| batches[batch].ts(at)).collect();
                slices.concat().into()
            }
        };
        let mut stale = Vec::new();
        let mut before = 0;
        for &(batch, at) in &runs {
            stale.extend(batches[batch].stale(at).iter().map(|marker| before + marker));
            before += batches[batch].ts(at).len() as u32;
        }
        Self { runs, ts, stale }
    }

    /// What the rules see of it.
    pub(super) fn replica(&self) -> Replica<'_> {
        Replica { ts: &self.ts, stale: &self.stale }
    }

    /// Appends samples `from..to` of the replica to `out`, run by run.
    pub(super) fn copy(
        &self,
        batches: &[Located<'a>],
        from: usize,
        to: usize,
        settle: i64,
        out: &mut LocatedBuilder,
    ) {
        let mut before = 0;
        let mut settle = settle;
        for &(batch, at) in &self.runs {
            let length = batches[batch].ts(at).len();
            let (low, high) = (from.max(before), to.min(before + length));
            if low < high {
                out.copy(&batches[batch], at, low - before, high - before, settle);
                if settle <= batches[batch].ts(at)[high - before - 1] {
                    settle = SETTLED;
                }
            }
            before += length;
            if before >= to {
                return;
            }
        }
    }
}
