//! The windows that end at the steps of a grid, and where they lie in a series.

use std::ops::Range;

use crate::exec::grid::Grid;

/// One window a step: `(end - range, end]`, left-open, `end` already shifted by `offset` and `@`.
///
/// ```text
/// m[5m] offset 1m, steps 10:00, 10:01 → (09:54, 09:59], (09:55, 10:00]
/// m[5m] @ 09:00                       → (08:55, 09:00] at every step
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    grid: Grid,
    /// The first step that is visited.
    first: usize,
    first_end: i64,
    end_step: i64,
    range: i64,
}

impl Windows {
    /// Windows of `range` ms that end `offset` ms before each step (negative: after it).
    pub fn new(grid: Grid, range: i64, offset: i64) -> Self {
        let first_end = grid.start.saturating_sub(offset);
        Self { grid, first: 0, first_end, end_step: grid.step, range }
    }

    /// Windows of `range` ms that all end `offset` ms before `at`.
    pub fn fixed(grid: Grid, range: i64, offset: i64, at: i64) -> Self {
        Self { grid, first: 0, first_end: at.saturating_sub(offset), end_step: 0, range }
    }

    /// The same windows, of which only those of `steps` are visited; they keep their numbers.
    pub fn part(&self, steps: Range<usize>) -> Self {
        let grid = Grid { steps: steps.end.min(self.grid.steps), ..self.grid };
        Self { grid, first: steps.start, ..*self }
    }

    /// The same windows, `before` ms longer at their beginning and `after` ms at their end.
    pub fn widened(&self, before: i64, after: i64) -> Self {
        Self {
            first_end: self.first_end.saturating_add(after),
            range: self.range.saturating_add(before).saturating_add(after),
            ..*self
        }
    }

    /// What of each window no window before it holds: none is longer than a step.
    pub(crate) fn since_last(&self) -> Self {
        Self { range: self.range.min(self.grid.step), ..*self }
    }

    /// Whether all windows are the same.
    pub(crate) fn is_fixed(&self) -> bool {
        self.end_step == 0
    }

    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.grid.steps
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.grid.steps == 0
    }

    /// The window's length in ms.
    pub fn range(&self) -> i64 {
        self.range
    }

    /// The evaluation times.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The last instant inside window `k`.
    #[inline]
    pub fn end(&self, k: usize) -> i64 {
        self.first_end.saturating_add(self.end_step.saturating_mul(k as i64))
    }

    /// The last instant before window `k`.
    #[inline]
    pub fn start(&self, k: usize) -> i64 {
        self.end(k).saturating_sub(self.range)
    }

    /// The window's length in seconds, rounded as Go's `Duration.Seconds` rounds it.
    pub fn range_seconds(&self) -> f64 {
        let whole = self.range / 1000;
        let nanos = (self.range % 1000) * 1_000_000;
        whole as f64 + nanos as f64 / 1e9
    }

    /// Calls `visit(k, first..end)` for each window in order: the samples `ts[first..end]` lie in it.
    ///
    /// Positions only move forward, so the whole costs one pass over `ts` at most; where samples are
    /// regular, each edge is found by two comparisons.
    #[inline(always)]
    pub(crate) fn visit(&self, ts: &[i64], mut visit: impl FnMut(usize, Range<usize>)) {
        let (mut low, mut high) = (Edge::default(), Edge::default());
        for k in self.first..self.grid.steps {
            let end = self.end(k);
            low.advance(ts, end.saturating_sub(self.range));
            high.advance(ts, end);
            visit(k, low.at..high.at.max(low.at));
        }
    }

    /// Calls `visit(k, end)` for each window in order: `ts[..end]` lies at or before the window's end.
    #[inline(always)]
    pub(crate) fn visit_ends(&self, ts: &[i64], mut visit: impl FnMut(usize, usize)) {
        let mut high = Edge::default();
        for k in self.first..self.grid.steps {
            high.advance(ts, self.end(k));
            visit(k, high.at);
        }
    }
}

/// A window's edge as an index, and how far it moved last time: the guess for the next time.
#[derive(Debug, Default, Clone, Copy)]
struct Edge {
    at: usize,
    stride: usize,
}

impl Edge {
    /// Moves to the first index whose timestamp is later than `bound`; bounds never fall.
    #[inline(always)]
    fn advance(&mut self, ts: &[i64], bound: i64) {
        let from = self.at;
        let mut at = from + self.stride.min(ts.len() - from);
        if at > from && ts[at - 1] > bound {
            // Too far: never more than the last stride, so the walk is paid for by that one.
            while at > from && ts[at - 1] > bound {
                at -= 1;
            }
        } else if at < ts.len() && ts[at] <= bound {
            at = gallop(ts, at + 1, bound);
        }
        self.stride = at - from;
        self.at = at;
    }
}

/// The first index from `at` on whose timestamp is later than `bound`.
fn gallop(ts: &[i64], mut at: usize, bound: i64) -> usize {
    let mut leap = 1;
    while at + leap <= ts.len() && ts[at + leap - 1] <= bound {
        at += leap;
        leap *= 2;
    }
    let limit = (at + leap).min(ts.len());
    at + ts[at..limit].partition_point(|&t| t <= bound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(windows: &Windows, ts: &[i64]) -> Vec<Range<usize>> {
        let mut all = Vec::new();
        windows.visit(ts, |k, range| {
            assert_eq!(k, all.len());
            all.push(range);
        });
        all
    }

    #[test]
    fn windows_are_open_on_the_left() {
        // A window as long as four intervals holds four samples, not five.
        let ts: Vec<i64> = (0..10).map(|i| i * 15).collect();
        let steps = Grid { start: 60, step: 15, steps: 3 };
        assert_eq!(ranges(&Windows::new(steps, 60, 0), &ts), [1..5, 2..6, 3..7]);
        assert_eq!(ranges(&Windows::new(steps, 15, 0), &ts), [4..5, 5..6, 6..7]);
        assert_eq!(ranges(&Windows::new(steps, 15, 30), &ts), [2..3, 3..4, 4..5]);
        assert_eq!(ranges(&Windows::fixed(steps, 30, 15, 45), &ts), [1..3, 1..3, 1..3]);
        assert_eq!(ranges(&Windows::new(steps, 0, 0), &ts), [5..5, 6..6, 7..7]);
    }

    #[test]
    fn parts_are_visited_under_the_same_numbers() {
        let ts: Vec<i64> = (0..10).map(|i| i * 15).collect();
        let windows = Windows::new(Grid { start: 60, step: 15, steps: 5 }, 60, 0);
        let mut found = Vec::new();
        for part in [0..2, 2..3, 3..9] {
            windows.part(part).visit(&ts, |k, range| found.push((k, range)));
        }
        let whole: Vec<_> = ranges(&windows, &ts).into_iter().enumerate().collect();
        assert_eq!(found, whole);
    }

    #[test]
    fn seconds_are_those_of_go() {
        let steps = Grid::instant(0);
        assert_eq!(Windows::new(steps, 300_000, 0).range_seconds(), 300.0);
        assert_eq!(Windows::new(steps, 1_500, 0).range_seconds(), 1.5);
    }

    proptest! {
        #[test]
        fn positions_equal_a_search_by_comparison(
            gaps in proptest::collection::vec(1i64..40, 0..200),
            start in -50i64..2_000, step in 1i64..300, count in 0usize..40,
            range in 0i64..500, offset in -100i64..100,
        ) {
            let ts: Vec<i64> = gaps.iter().scan(0, |t, g| { *t += g; Some(*t) }).collect();
            let windows = Windows::new(Grid { start, step, steps: count }, range, offset);
            let found = ranges(&windows, &ts);
            prop_assert_eq!(found.len(), count);
            for (k, found) in found.into_iter().enumerate() {
                let end = start + step * k as i64 - offset;
                let low = ts.iter().filter(|&&t| t <= end - range).count();
                let high = ts.iter().filter(|&&t| t <= end).count();
                prop_assert_eq!(found, low..high);
            }
        }
    }
}
