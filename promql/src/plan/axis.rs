//! Times: the steps of a query and of its subqueries, and the windows of its selectors.

use engine::model::TimeRange;
use engine::{Error, ErrorKind, Result};

use super::consumption::Taken;
use crate::ast::{At, Extended, Selector, Subquery};
use crate::exec::grid::Grid;
use crate::functions::BEFORE;
use crate::functions::Windows;
use crate::query::Evaluation;

/// Most steps of a query or subquery. A row of so many steps is 45 MB.
const MAX_STEPS: usize = 5_000_000;

/// What of the request decides which samples are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The first step of the query in ms.
    pub(crate) start: i64,
    /// The end of the query in ms; the last step may be before.
    pub(crate) end: i64,
    /// The query's step in ms; 0 for an instant query.
    pub(crate) step: i64,
    /// How far an instant selector looks back in ms.
    pub(crate) lookback: i64,
    /// The step of subqueries that name none, in ms.
    pub(crate) subquery_step: i64,
    /// The coarsest resolution that samples may have, in ms; 0 is raw.
    pub(crate) max_resolution: i64,
}

impl Times {
    /// The times of a request, and its steps.
    pub(crate) fn new(
        evaluation: Evaluation,
        lookback: i64,
        subquery_step: i64,
        max_resolution: i64,
    ) -> Result<(Self, Grid)> {
        let (lookback, subquery_step) = (lookback.max(1), subquery_step.max(1));
        let (start, end, step) = match evaluation {
            Evaluation::Instant { time } => (time, time, 0),
            Evaluation::Range { start, end, step } => (start, end, step),
        };
        let grid = match step {
            0 => Grid::instant(start),
            _ => checked(Grid::until(start, end, step))?,
        };
        Ok((Self { start, end, step, lookback, subquery_step, max_resolution }, grid))
    }

    /// What the storage is asked for, so that a selector can look back `range` ms whenever it is
    /// evaluated in `evaluated` (`getTimeRangesForSelector` in promql/engine.go). It may begin before
    /// the first window: which samples are left of two replicas depends on where reading begins.
    pub(crate) fn read(&self, selector: &Selector, range: i64, evaluated: TimeRange) -> TimeRange {
        let TimeRange { min, max } = self.before(selector.at, selector.offset, evaluated);
        let (back, ahead) = match selector.extended {
            None => (0, 0),
            Some(Extended::Anchored) => (self.lookback, 0),
            Some(Extended::Before) => (BEFORE, 0),
            Some(Extended::Smoothed) => (self.lookback, self.lookback),
        };
        let min = min.saturating_sub(range).saturating_sub(back).saturating_add(1);
        TimeRange::new(min, max.saturating_add(ahead))
    }

    /// When the expression of a subquery may be evaluated, if the subquery is evaluated in
    /// `evaluated`: from the beginning of its range on, though its first step may be later
    /// (`subqueryTimes` in promql/engine.go).
    pub(crate) fn subquery_evaluated(
        &self,
        subquery: &Subquery,
        evaluated: TimeRange,
    ) -> TimeRange {
        let TimeRange { min, max } = self.before(subquery.at, subquery.offset, evaluated);
        TimeRange::new(min.saturating_sub(subquery.range), max)
    }

    /// The times that `@` and `offset` make of `evaluated`.
    fn before(&self, at: Option<At>, offset: i64, evaluated: TimeRange) -> TimeRange {
        let TimeRange { min, max } =
            self.at(at).map_or(evaluated, |time| TimeRange::new(time, time));
        TimeRange::new(min.saturating_sub(offset), max.saturating_sub(offset))
    }

    /// The time of an `@`.
    fn at(&self, at: Option<At>) -> Option<i64> {
        at.map(|at| match at {
            At::Time(time) => time,
            At::Start => self.start,
            At::End => self.end,
        })
    }

    /// The windows of `range` ms of a selector.
    pub(crate) fn windows(&self, selector: &Selector, range: i64, grid: Grid) -> Windows {
        self.shifted(selector.at, selector.offset, range, grid)
    }

    /// What each step around a subquery takes of its steps.
    pub(super) fn taken(&self, subquery: &Subquery) -> Taken {
        let &Subquery { range, offset, at, .. } = subquery;
        Taken::Subquery { range, offset, at: self.at(at) }
    }

    /// The windows of a subquery's range, over its own steps.
    pub(crate) fn subquery_windows(&self, subquery: &Subquery, grid: Grid) -> Windows {
        self.shifted(subquery.at, subquery.offset, subquery.range, grid)
    }

    fn shifted(&self, at: Option<At>, offset: i64, range: i64, grid: Grid) -> Windows {
        match self.at(at) {
            Some(time) => Windows::fixed(grid, range, offset, time),
            None => Windows::new(grid, range, offset),
        }
    }

    /// The steps of a subquery: the multiples of its step that any window holds
    /// (`subqueryTimeRange` in promql/engine.go).
    pub(crate) fn subquery_grid(&self, subquery: &Subquery, parent: Grid) -> Result<Grid> {
        let step = subquery.step.unwrap_or(self.subquery_step);
        let first = self.at(subquery.at).unwrap_or(parent.start);
        let before = first.saturating_sub(subquery.offset).saturating_sub(subquery.range);
        let mut start = step * (before / step);
        if start <= before {
            start = start.saturating_add(step);
        }
        let end = self.subquery_end(subquery, parent);
        let grid = Grid::until(start, end, step);
        checked(if parent.steps == 0 { Grid { steps: 0, ..grid } } else { grid })
    }

    /// When the evaluation of a subquery's expression ends; its last step may be before.
    pub(crate) fn subquery_end(&self, subquery: &Subquery, parent: Grid) -> i64 {
        self.at(subquery.at).unwrap_or(parent.end()).saturating_sub(subquery.offset)
    }
}

fn checked(grid: Grid) -> Result<Grid> {
    if grid.steps > MAX_STEPS {
        return Err(Error::new(
            ErrorKind::ResourcesExhausted,
            format!("{} steps are more than the {MAX_STEPS} that a query may have", grid.steps),
        ));
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Expr;

    fn times() -> Times {
        Times {
            start: 0,
            end: 100_000,
            step: 10_000,
            lookback: 300_000,
            subquery_step: 60_000,
            max_resolution: 0,
        }
    }

    fn subquery(range: i64, step: Option<i64>, offset: i64, at: Option<At>) -> Subquery {
        Subquery { expr: Expr::Number(1.0), range, step, offset, at }
    }

    #[test]
    fn subqueries_step_on_multiples_of_their_step() {
        let parent = Grid { start: 100_000, step: 10_000, steps: 3 };
        let cases = [
            // (100 s - 30 s, 120 s], multiples of 20 s: the first is later than 70 s.
            (subquery(30_000, Some(20_000), 0, None), 80_000, 3),
            // A multiple on the left edge is out.
            (subquery(20_000, Some(20_000), 0, None), 100_000, 2),
            (subquery(30_000, Some(20_000), 5_000, None), 80_000, 2),
            (subquery(100_000, None, 0, None), 60_000, 2),
            // Division truncates toward zero, so the first step is a multiple later than -30 s.
            (subquery(30_000, Some(20_000), 0, Some(At::Start)), -20_000, 2),
        ];
        for (subquery, start, steps) in cases {
            let grid = times().subquery_grid(&subquery, parent).unwrap();
            assert_eq!((grid.start, grid.steps), (start, steps), "{subquery:?}");
        }
    }

    /// 100 s to 120 s, 30 s before, then the range of the selector within.
    #[test]
    fn reading_begins_with_the_range_of_a_subquery() {
        let evaluated = TimeRange::new(100_000, 120_000);
        let selector = |offset, at| Selector {
            id: 0,
            matchers: Vec::new(),
            offset,
            at,
            extended: None,
            totals_only: false,
            place: 0,
        };
        let inner = times().subquery_evaluated(&subquery(30_000, Some(20_000), 0, None), evaluated);
        assert_eq!(inner, TimeRange::new(70_000, 120_000));
        let read = |selector| times().read(&selector, 5_000, inner);
        assert_eq!(read(selector(0, None)), TimeRange::new(65_001, 120_000));
        assert_eq!(read(selector(1_000, None)), TimeRange::new(64_001, 119_000));
        assert_eq!(read(selector(1_000, Some(At::Start))), TimeRange::new(-5_999, -1_000));
        let fixed = subquery(30_000, None, 10_000, Some(At::End));
        let inner = times().subquery_evaluated(&fixed, evaluated);
        assert_eq!(inner, TimeRange::new(60_000, 90_000));
    }

    #[test]
    fn too_many_steps_are_refused_before_memory_is_taken() {
        let parent = Grid::instant(0);
        let year = 365 * 86_400_000;
        let error = times().subquery_grid(&subquery(10 * year, Some(1), 0, None), parent);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ResourcesExhausted);
        let far =
            subquery(i64::MAX / 1_000_000, Some(1), i64::MIN / 2, Some(At::Time(i64::MAX / 5)));
        assert!(times().subquery_grid(&far, parent).is_err());
    }
}
