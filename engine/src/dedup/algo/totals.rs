//! Counters that are running totals already (downsampled ones): their replicas made one, and values
//! lifted where a change of replica would let them fall.
//!
//! ```text
//! replica 0   10 s: 30    20 s: 40                            60 s: 45
//! replica 1                           35 s: 38   50 s: 47
//! one              30          40           40         49           49     a change lifts what follows
//! ```
//!
//! Totals of two replicas begin with different samples, so they differ by a constant, and a fall would
//! be read as a reset. `penalty` does as Thanos does, bit for bit: at each change both replicas are
//! lifted to the last value (`counterErrAdjustSeriesIterator` in `pkg/dedup/iter.go`). The others lift
//! the replica that is changed to.

use super::{Pick, Replica, pick};
use crate::source::DedupFunc;

/// How long the replica that did not win stays out while there is no step yet, in ms.
const INITIAL_PENALTY: i64 = 5_000;

/// A replica of a counter: its running total at ascending timestamps (ms).
#[derive(Debug, Clone, Copy)]
pub struct Total<'a> {
    /// Timestamps in ms, strictly ascending.
    pub ts: &'a [i64],
    /// The total at each.
    pub values: &'a [f64],
}

/// Hands the samples that `func` takes from `totals`, in order of preference, to `emit`.
pub fn pick_totals(func: DedupFunc, totals: &[Total<'_>], mut emit: impl FnMut(i64, f64)) {
    let present: Vec<Total<'_>> = totals.iter().copied().filter(|t| !t.ts.is_empty()).collect();
    if let [only] = &present[..] {
        only.ts.iter().zip(only.values).for_each(|(&t, &value)| emit(t, value));
        return;
    }
    match (func, &present[..]) {
        (_, []) => {}
        (DedupFunc::Penalty, [first, others @ ..]) => Fold::new(*first, others).run(emit),
        (func, all) => lifted(func, all, emit),
    }
}

/// What the rule takes by its timestamps; a replica is lifted when it is changed to.
fn lifted(func: DedupFunc, totals: &[Total<'_>], mut emit: impl FnMut(i64, f64)) {
    let replicas: Vec<Replica<'_>> =
        totals.iter().map(|total| Replica { ts: total.ts, stale: &[] }).collect();
    let mut picks: Vec<Pick> = Vec::new();
    pick(func, &replicas, &mut picks);
    let mut lifts = vec![0.0; totals.len()];
    let mut last = f64::NEG_INFINITY;
    for Pick { replica, start, end, .. } in picks {
        let Total { ts, values } = totals[replica];
        let first = values[start] + lifts[replica];
        if last > first {
            lifts[replica] += last - first;
        }
        for (&t, value) in ts[start..end].iter().zip(&values[start..end]) {
            last = value + lifts[replica];
            emit(t, last);
        }
    }
}

/// One replica that is read sample by sample.
#[derive(Debug)]
struct Cursor<'a> {
    total: Total<'a>,
    at: usize,
    lift: f64,
}

impl<'a> Cursor<'a> {
    fn new(total: Total<'a>) -> Self {
        Self { total, at: 0, lift: 0.0 }
    }

    /// To the first sample at or after `target`, never back; false if there is none.
    fn seek(&mut self, target: i64) -> bool {
        self.at = super::seek(self.total.ts, self.at, target);
        self.at < self.total.ts.len()
    }

    fn ts(&self) -> i64 {
        self.total.ts.get(self.at).copied().unwrap_or(i64::MAX)
    }

    fn value(&self) -> f64 {
        self.total.values.get(self.at).map_or(f64::NAN, |value| value + self.lift)
    }

    fn lift_to(&mut self, last: f64) {
        let value = self.value();
        if last > value {
            self.lift += last - value;
        }
    }
}

/// What is left of a level and the replica on its right, made one (`dedupSeriesIterator`).
#[derive(Debug)]
struct Level<'a> {
    right: Cursor<'a>,
    left_goes_on: bool,
    right_goes_on: bool,
    /// Which side the last sample was taken from.
    took_left: bool,
    /// Which side the current sample lies on; the other one than before at the end of a side.
    on_left: bool,
    last: i64,
    left_penalty: i64,
    right_penalty: i64,
}

/// All replicas, folded left pairwise: level 0 is the first replica, level n all up to the nth.
#[derive(Debug)]
struct Fold<'a> {
    first: Cursor<'a>,
    levels: Vec<Level<'a>>,
}

impl<'a> Fold<'a> {
    /// No replica is empty.
    fn new(first: Total<'a>, others: &[Total<'a>]) -> Self {
        let mut fold = Self { first: Cursor::new(first), levels: Vec::with_capacity(others.len()) };
        for (below, total) in others.iter().enumerate() {
            let left_goes_on = below == 0 || fold.next(below);
            fold.levels.push(Level {
                right: Cursor::new(*total),
                left_goes_on,
                right_goes_on: true,
                took_left: true,
                on_left: true,
                last: i64::MIN,
                left_penalty: 0,
                right_penalty: 0,
            });
        }
        fold
    }

    fn run(mut self, mut emit: impl FnMut(i64, f64)) {
        let top = self.levels.len();
        while self.next(top) {
            emit(self.ts(top), self.value(top));
        }
    }

    fn level(&mut self, level: usize) -> &mut Level<'a> {
        &mut self.levels[level - 1]
    }

    /// To the next sample of a level that is no replica alone.
    fn next(&mut self, level: usize) -> bool {
        let Level {
            left_goes_on, right_goes_on, on_left, last, left_penalty, right_penalty, ..
        } = *self.level(level);
        let alive = if on_left { left_goes_on } else { right_goes_on };
        let before = alive.then(|| self.value(level));
        let target = |penalty: i64| last.saturating_add(1).saturating_add(penalty);
        let left_goes_on = left_goes_on && self.seek(level - 1, target(left_penalty));
        let this = self.level(level);
        this.left_goes_on = left_goes_on;
        this.right_goes_on = right_goes_on && this.right.seek(target(right_penalty));
        let goes_on = self.choose(level);
        let now_left = self.level(level).on_left;
        if now_left != on_left
            && let Some(before) = before
        {
            self.lift_to(level, before);
        }
        goes_on
    }

    /// Which side has the next sample, and how long the other one has to wait.
    fn choose(&mut self, level: usize) -> bool {
        let Level { left_goes_on, right_goes_on, last, .. } = *self.level(level);
        let left_ts = if left_goes_on { self.ts(level - 1) } else { i64::MAX };
        let this = self.level(level);
        let right_ts = this.right.ts();
        match (left_goes_on, right_goes_on) {
            (false, right) => {
                this.on_left = false;
                if right {
                    (this.last, this.took_left, this.right_penalty) = (right_ts, false, 0);
                }
                return right;
            }
            (true, false) => {
                (this.on_left, this.last, this.took_left, this.left_penalty) =
                    (true, left_ts, true, 0);
                return true;
            }
            (true, true) => {}
        }
        let left = left_ts <= right_ts;
        let taken = if left { left_ts } else { right_ts };
        let wait = match last {
            i64::MIN => INITIAL_PENALTY,
            last => taken.saturating_sub(last).saturating_mul(2),
        };
        (this.on_left, this.took_left, this.last) = (left, left, taken);
        (this.left_penalty, this.right_penalty) = if left { (0, wait) } else { (wait, 0) };
        true
    }

    /// To the first sample at or after `target`, taking those before as they come.
    fn seek(&mut self, level: usize, target: i64) -> bool {
        if level == 0 {
            return self.first.seek(target);
        }
        while self.ts(level) < target {
            if !self.next(level) {
                return false;
            }
        }
        true
    }

    fn ts(&self, level: usize) -> i64 {
        match level.checked_sub(1).map(|at| &self.levels[at]) {
            None => self.first.ts(),
            Some(this) if this.on_left => self.ts(level - 1),
            Some(this) => this.right.ts(),
        }
    }

    fn value(&self, level: usize) -> f64 {
        match level.checked_sub(1).map(|at| &self.levels[at]) {
            None => self.first.value(),
            Some(this) if this.took_left => self.value(level - 1),
            Some(this) => this.right.value(),
        }
    }

    fn lift_to(&mut self, level: usize, last: f64) {
        if level == 0 {
            self.first.lift_to(last);
            return;
        }
        if self.level(level).left_goes_on {
            self.lift_to(level - 1, last);
        }
        let this = self.level(level);
        if this.right_goes_on {
            this.right.lift_to(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Samples = Vec<(i64, f64)>;

    fn picked(func: DedupFunc, replicas: &[Samples]) -> Samples {
        let split: Vec<(Vec<i64>, Vec<f64>)> =
            replicas.iter().map(|samples| samples.iter().copied().unzip()).collect();
        let totals: Vec<Total<'_>> =
            split.iter().map(|(ts, values)| Total { ts, values }).collect();
        let mut out = Samples::new();
        pick_totals(func, &totals, |t, value| out.push((t, value)));
        out
    }

    /// The table of the module's documentation.
    #[test]
    fn values_do_not_fall_at_a_change() {
        let replicas = [
            vec![(10_000, 30.0), (20_000, 40.0), (60_000, 45.0)],
            vec![(35_000, 38.0), (50_000, 47.0)],
        ];
        let got = picked(DedupFunc::Chain, &replicas);
        let values: Vec<f64> = got.iter().map(|&(_, value)| value).collect();
        assert_eq!(values, [30.0, 40.0, 40.0, 49.0, 49.0]);
    }

    /// The example in Thanos' source: replica 1 saw the counter at 45 before it was reset.
    #[test]
    fn penalty_lifts_the_replica_that_saw_less() {
        let at = |times: &[i64], values: &[f64]| -> Samples {
            times.iter().map(|t| t * 1000).zip(values.iter().copied()).collect()
        };
        let replicas = [
            at(&[0, 10, 20, 70, 80], &[20.0, 30.0, 40.0, 40.0, 45.0]),
            at(&[5, 15, 25, 35, 45, 55, 65], &[25.0, 35.0, 45.0, 45.0, 46.0, 47.0, 48.0]),
        ];
        let got = picked(DedupFunc::Penalty, &replicas);
        let expected = at(&[0, 10, 20, 45, 55, 65], &[20.0, 30.0, 40.0, 46.0, 47.0, 48.0]);
        assert_eq!(got[..6], expected);
        // The first replica has 45 when the second ends at 48.
        assert_eq!(got.get(6), Some(&(80_000, 48.0)).filter(|_| got.len() == 7));
    }

    fn replica() -> impl Strategy<Value = Samples> {
        prop::collection::btree_map(0i64..300, 0u32..40, 0..40).prop_map(|steps| {
            let mut total = 0.0;
            let sample = |(t, step): (i64, u32)| {
                total += f64::from(step);
                (t * 1_000, total)
            };
            steps.into_iter().map(sample).collect()
        })
    }

    proptest! {
        /// The samples that are taken are those of the rule on timestamps, and no value falls.
        #[test]
        fn totals_are_taken_as_samples_are(replicas in prop::collection::vec(replica(), 0..5)) {
            let ts: Vec<Vec<i64>> =
                replicas.iter().map(|r| r.iter().map(|&(t, _)| t).collect()).collect();
            let plain: Vec<Replica<'_>> =
                ts.iter().map(|ts| Replica { ts, stale: &[] }).collect();
            for func in [DedupFunc::Penalty, DedupFunc::Chain, DedupFunc::Coverage] {
                let mut picks = Vec::new();
                pick(func, &plain, &mut picks);
                let expected: Vec<i64> =
                    picks.iter().flat_map(|p| ts[p.replica][p.start..p.end].to_vec()).collect();
                let got = picked(func, &replicas);
                let times: Vec<i64> = got.iter().map(|&(t, _)| t).collect();
                prop_assert_eq!(times, expected, "{:?}", func);
                prop_assert!(got.is_sorted_by(|a, b| a.1 <= b.1), "{:?}: {:?}", func, got);
            }
        }
    }
}
