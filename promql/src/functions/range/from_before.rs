//! `xrate`, `xincrease` and `xdelta`: the change from the sample before the range on, as Thanos' engine
//! calculates it (`extendedRate` in ringbuffer/functions.go of thanos-io/promql-engine).
//!
//! ```text
//! samples          0 at 0s     10 at 60s     20 at 120s
//!                      (30s ──────────────────── 120s]
//! xincrease(m[90s]) at 120s   from 0, the sample before, to 20: 20
//! ```
//!
//! The answer does not depend on the step. In Thanos it does where steps are longer than ranges: there the
//! sample before is one of an earlier window, which its tests call odd.

use super::Kernel;
use crate::functions::Windows;

/// How far before a range its first sample is looked for, in ms (`ExtLookbackDelta`).
pub(crate) const LOOKBACK: i64 = 3_600_000;

/// The change over each window; an `INCREASE` is neither scaled to the range nor per second. Histograms
/// are left out.
#[derive(Debug)]
pub(super) struct FromBefore<const COUNTER: bool, const INCREASE: bool>;

impl<const COUNTER: bool, const INCREASE: bool> Kernel for FromBefore<COUNTER, INCREASE> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let appeared = ts.first().copied().unwrap_or(i64::MAX);
        windows.widened(LOOKBACK, 0).visit(ts, |k, near| {
            let (start, end) = (windows.start(k), windows.end(k));
            let inside = near.start + ts[near.clone()].partition_point(|&t| t <= start);
            let first = near.start.max(inside.saturating_sub(1));
            valid[k] = first < near.end;
            if !valid[k] {
                out[k] = 0.0;
                return;
            }
            let (ts, values) = (&ts[first..near.end], &values[first..near.end]);
            let new = end <= appeared.saturating_add(windows.range());
            out[k] = if INCREASE && new && values.iter().all(|&value| value == values[0]) {
                // A counter that has just appeared began at 0.
                values[0]
            } else {
                change::<COUNTER, INCREASE>(ts, values, (start, end))
            };
        });
    }
}

/// The change over the window `(start, end]` of at least one sample.
fn change<const COUNTER: bool, const INCREASE: bool>(
    mut ts: &[i64],
    mut values: &[f64],
    (start, end): (i64, i64),
) -> f64 {
    let gap = |ts: &[i64]| (ts[ts.len() - 1] - ts[0]) as f64 / (ts.len() as f64 - 1.0);
    // A sample too far before the range says nothing of it.
    if !INCREASE && (start - ts[0]) as f64 > gap(ts) {
        if ts.len() < 3 {
            return 0.0;
        }
        (ts, values) = (&ts[1..], &values[1..]);
    }
    let mut resets = 0.0;
    if COUNTER {
        let mut last = 0.0;
        for &value in values {
            if value < last {
                resets += last;
            }
            last = value;
        }
    }
    let last = ts.len() - 1;
    let mut result = values[last] - values[0] + resets;
    let seconds = ((end - start) / 1000) as f64;
    if !INCREASE && ts[0] <= start && ((end - ts[last]) as f64) < gap(ts) {
        result *= seconds / ((ts[last] - ts[0]) as f64 / 1000.0);
    }
    if COUNTER && !INCREASE { result / seconds } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::grid::Grid;

    fn at<const COUNTER: bool, const INCREASE: bool>(
        samples: &[(i64, f64)],
        range: i64,
        end: i64,
    ) -> Option<f64> {
        let (ts, values): (Vec<i64>, Vec<f64>) =
            samples.iter().map(|&(t, value)| (t * 1000, value)).unzip();
        let windows = Windows::new(Grid::instant(end * 1000), range * 1000, 0);
        let (mut out, mut valid) = ([0.0], [false]);
        FromBefore::<COUNTER, INCREASE>.evaluate(&ts, &values, &windows, &mut out, &mut valid);
        valid[0].then_some(out[0])
    }

    fn each(gap: i64, values: &[i32]) -> Vec<(i64, f64)> {
        (0..).zip(values).map(|(at, &value)| (gap * at, f64::from(value))).collect()
    }

    /// The examples of `TestXFunctions` and its kin in engine/engine_test.go of promql-engine.
    #[test]
    fn changes_are_those_of_thanos_engine() {
        let foo = each(5, &[0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        let bar = each(5, &[0, 10, 20, 30, 40, 50, 0, 10, 20, 30, 40]);
        for (range, end, of_foo, of_bar) in [
            (50, 50, 100.0, 90.0),
            (5, 50, 10.0, 10.0),
            (10, 50, 20.0, 20.0),
            (3, 50, 10.0, 10.0),
            (5, 17, 10.0, 10.0),
            (10, 17, 20.0, 20.0),
        ] {
            assert_eq!(at::<true, true>(&foo, range, end), Some(of_foo), "[{range}s] at {end}s");
            assert_eq!(at::<true, true>(&bar, range, end), Some(of_bar), "[{range}s] at {end}s");
        }
        for (range, of_foo, of_bar) in
            [(50, 2.0, 1.8), (100, 1.0, 0.9), (5, 2.0, 2.0), (3, 2.0, 2.0)]
        {
            assert_eq!(at::<true, false>(&foo, range, 50), Some(of_foo), "[{range}s]");
            assert_eq!(at::<true, false>(&bar, range, 50), Some(of_bar), "[{range}s]");
        }
        let foo = each(300, &[0, 50, 300, 150, 200]);
        let bar = each(300, &[200, 150, 300, 50, 0]);
        for (range, change) in [(20, 200.0), (19, 190.0), (1, 10.0)] {
            assert_eq!(at::<false, false>(&foo, 60 * range, 1200), Some(change), "[{range}m]");
            assert_eq!(at::<false, false>(&bar, 60 * range, 1200), Some(-change), "[{range}m]");
        }
        let foo = each(5, &[1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3]);
        let bar = each(5, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        for (end, of_foo, of_bar) in [(25, 0.02, 0.1), (24, 0.02, 0.08), (26, 0.02, 0.1)] {
            assert_eq!(at::<true, false>(&foo, 50, end), Some(of_foo), "at {end}s");
            assert_eq!(at::<true, false>(&bar, 50, end), Some(of_bar), "at {end}s");
        }
        let gaps = [(0, 1.0), (10, 5.0), (20, 10.0), (30, 20.0), (50, 40.0)];
        for (range, changes) in
            [(10, [1.0, 4.0, 5.0, 10.0, 0.0, 20.0]), (20, [1.0, 4.0, 9.0, 15.0, 10.0, 20.0])]
        {
            for (step, change) in (0..).zip(changes) {
                let found = at::<true, true>(&gaps, range, 10 * step);
                assert_eq!(found, Some(change), "[{range}s] at {}s", 10 * step);
            }
        }
    }

    #[test]
    fn the_sample_before_is_looked_for_in_one_hour() {
        let one = each(30, &[0, 10, 20]);
        assert_eq!(at::<true, true>(&one, 60, 60 + 3_660), None);
        assert_eq!(at::<true, true>(&one, 60, 60 + 3_659), Some(0.0));
    }

    #[test]
    fn a_counter_that_falls_began_anew() {
        let reset = [(0, 10.0), (30, 20.0), (60, 5.0), (90, 15.0)];
        assert_eq!(at::<true, true>(&reset, 90, 90), Some(25.0));
        assert_eq!(at::<true, false>(&reset, 90, 90), Some(25.0 / 90.0));
        assert_eq!(at::<false, false>(&reset, 90, 90), Some(5.0));
    }

    #[test]
    fn a_counter_that_appears_rises_from_0_for_one_range() {
        let new = [(100, 7.0), (130, 7.0)];
        assert_eq!(at::<true, true>(&new, 60, 160), Some(7.0));
        assert_eq!(at::<true, true>(&new, 60, 161), Some(0.0));
        assert_eq!(at::<true, false>(&new, 60, 130), Some(0.0));
    }

    #[test]
    fn a_sample_far_before_the_range_is_left_out_of_rates() {
        let gap = [(0, 0.0), (300, 50.0), (330, 60.0)];
        assert_eq!(at::<true, true>(&gap, 60, 330), Some(60.0));
        // The gap before the range is longer than samples are apart.
        assert_eq!(at::<false, false>(&gap, 60, 330), Some(10.0));
        assert_eq!(at::<false, false>(&[(0, 0.0), (300, 50.0)], 60, 361), Some(0.0));
    }
}
