//! How many samples a query consumes, if the request asks for it: what each selector gave at its own
//! steps, carried up to the steps of the query as Prometheus does (`QuerySamples` in
//! util/stats/query_stats.go).
//!
//! ```text
//! max_over_time(rate(m[5m])[10m:1m])    m[5m] at each minute     what the query's step looks back on:
//!                                       20 20 20 20 …            the sum over ten of them
//! m @ 1000                              once                     at every step; read at the first
//! ```

use std::sync::Arc;

use crate::exec::consumed::Consumed;
use crate::exec::grid::Grid;
use crate::functions::Consumption;

/// What the selectors of a query give.
#[derive(Debug, Default)]
pub(super) struct Counting {
    wanted: bool,
    /// What stands around that which is planned now.
    around: Option<Arc<Around>>,
    /// The selectors planned so far.
    selectors: Vec<Counted>,
    /// Those of parts that were executed before planning began anew.
    executed: Vec<Counted>,
}

/// A selector that is counted.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    consumed: Arc<Consumed>,
    grid: Grid,
    series: usize,
    around: Option<Arc<Around>>,
}

/// A part of a query that is evaluated at other steps than what it stands in.
#[derive(Debug)]
pub(super) struct Around {
    /// The steps around it.
    grid: Grid,
    taken: Taken,
    outer: Option<Arc<Self>>,
}

/// What the steps around take of a part.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    /// Its one step at each of theirs.
    Repeated,
    /// The steps of a subquery that lie in a window of `range` ms; it ends `offset` ms before each step,
    /// or before `at`.
    Subquery { range: i64, offset: i64, at: Option<i64> },
}

impl Counting {
    /// Counts if it is `wanted`.
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Where a selector of `series` series at the steps of `grid` is counted, if it is.
    pub(super) fn selector(&mut self, grid: Grid, series: usize) -> Option<Arc<Consumed>> {
        self.wanted.then(|| {
            let consumed = Consumed::new(grid.steps);
            let around = self.around.clone();
            let counted = Counted { consumed: Arc::clone(&consumed), grid, series, around };
            self.selectors.push(counted);
            consumed
        })
    }

    /// What is planned next is evaluated at other steps than those of `grid`, and taken so; returns what
    /// was around before, for [`leave`](Self::leave).
    pub(super) fn enter(&mut self, grid: Grid, taken: Taken) -> Option<Arc<Around>> {
        let outer = self.around.clone();
        if self.wanted {
            self.around = Some(Arc::new(Around { grid, taken, outer: outer.clone() }));
        }
        outer
    }

    /// What is planned next has `around` around it.
    pub(super) fn leave(&mut self, around: Option<Arc<Around>>) {
        self.around = around;
    }

    /// How many selectors have been planned.
    pub(super) fn planned(&self) -> usize {
        self.selectors.len()
    }

    /// The selectors planned after the first `before`.
    pub(super) fn since(&self, before: usize) -> Vec<Counted> {
        self.selectors[before.min(self.selectors.len())..].to_vec()
    }

    /// Planning begins anew; `executed` stays as it was planned and executed.
    pub(super) fn restart(&mut self, executed: Vec<Counted>) {
        self.selectors.clear();
        self.executed.extend(executed);
    }

    /// What all selectors together gave at each of `steps` steps, and of how many series; none if it is
    /// not wanted.
    pub(super) fn sum(&self, steps: usize) -> Option<(Consumption, usize)> {
        self.wanted.then(|| {
            let (mut sum, mut series) = (Consumption::new(steps), 0);
            for counted in self.executed.iter().chain(&self.selectors) {
                sum.merge(&counted.at_steps_of_query());
                series += counted.series;
            }
            (sum, series)
        })
    }
}

impl Counted {
    fn at_steps_of_query(&self) -> Consumption {
        let (mut counts, mut grid) = (self.consumed.counts(), self.grid);
        let mut around = self.around.as_deref();
        while let Some(Around { grid: outside, taken, outer }) = around {
            counts = carried(&counts, grid, *outside, *taken);
            grid = *outside;
            around = outer.as_deref();
        }
        counts
    }
}

/// What was counted at the steps of `inner`, at the steps of `outer`.
fn carried(counts: &Consumption, inner: Grid, outer: Grid, taken: Taken) -> Consumption {
    let mut carried = Consumption::new(outer.steps);
    let sum = |counts: &[u64]| counts.iter().sum::<u64>();
    let (range, offset, at) = match taken {
        Taken::Subquery { range, offset, at } if outer.steps > 1 => (range, offset, at),
        _ => {
            carried.total.fill(sum(&counts.total));
            carried.read.iter_mut().take(1).for_each(|read| *read = sum(&counts.read));
            return carried;
        }
    };
    // How many inner steps are, shifted by the offset, at or before `t`.
    let until = |t: i64| match t.saturating_sub(offset).saturating_sub(inner.start) {
        ..0 => 0,
        ms => inner.steps.min((ms / inner.step) as usize + 1),
    };
    let window = |end: i64| until(end.saturating_sub(range))..until(end);
    if let Some(at) = at {
        carried.total.fill(sum(&counts.total[window(at)]));
        carried.read[0] = sum(&counts.read[window(at)]);
        return carried;
    }
    let mut before = vec![0; inner.steps + 1];
    for (k, total) in counts.total.iter().enumerate() {
        before[k + 1] = before[k] + total;
    }
    let mut read = 0;
    for step in 0..outer.steps {
        let window = window(outer.time(step));
        carried.total[step] = before[window.end] - before[window.start];
        // Each inner step is read by the first window that has it.
        carried.read[step] = sum(&counts.read[read.max(window.start)..window.end.max(read)]);
        read = read.max(window.end);
    }
    carried
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(total: &[u64]) -> Consumption {
        Consumption { total: total.to_vec(), read: total.to_vec() }
    }

    #[test]
    fn what_is_evaluated_once_is_taken_at_every_step() {
        let outer = Grid { start: 0, step: 10, steps: 3 };
        let found = carried(&counts(&[7]), Grid::instant(0), outer, Taken::Repeated);
        assert_eq!(found, Consumption { total: vec![7, 7, 7], read: vec![7, 0, 0] });
        let nothing =
            carried(&counts(&[7]), Grid::instant(0), Grid { steps: 0, ..outer }, Taken::Repeated);
        assert_eq!(nothing, Consumption::default());
    }

    #[test]
    fn windows_take_the_steps_of_a_subquery() {
        let inner = Grid { start: 10, step: 10, steps: 6 };
        let given = counts(&[1, 2, 4, 8, 16, 32]);
        let taken = |range, offset, at| Taken::Subquery { range, offset, at };
        let outer = Grid { start: 30, step: 20, steps: 2 };
        // (10, 30] and (30, 50]; 10 and 60 lie in none.
        let found = carried(&given, inner, outer, taken(20, 0, None));
        assert_eq!(found, Consumption { total: vec![6, 24], read: vec![6, 24] });
        // (0, 30] and (20, 50] have 30 in common.
        let found = carried(&given, inner, outer, taken(30, 0, None));
        assert_eq!(found, Consumption { total: vec![7, 28], read: vec![7, 24] });
        // (20, 30] and (40, 50], ten later.
        let found = carried(&given, inner, outer, taken(10, 10, None));
        assert_eq!(found, Consumption { total: vec![2, 8], read: vec![2, 8] });
        let found = carried(&given, inner, outer, taken(20, 0, Some(40)));
        assert_eq!(found, Consumption { total: vec![12, 12], read: vec![12, 0] });
        // One step takes all that was evaluated.
        let found = carried(&given, inner, Grid::instant(60), taken(20, 0, None));
        assert_eq!(found, Consumption { total: vec![63], read: vec![63] });
    }
}
