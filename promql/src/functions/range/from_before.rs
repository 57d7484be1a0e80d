//! `xrate`, `xincrease` and `xdelta`: the change from the sample before the range on, as Thanos' engine
//! calculates it (`extendedRate` in ringbuffer/functions.go of thanos-io/promql-engine).
//!
//! ```text
//! samples          0 at 0s     10 at 60s     20 at 120s
//!                      (30s ──────────────────── 120s]
//! xincrease(m[90s]) at 120s   from 0, the sample before, to 20: 20
//! ```

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

    /// `load 30s  0 10 20 …`: the cases of Thanos' engine_test.go, "xrate", "xincrease" and "xdelta".
    #[test]
    fn a_change_begins_with_the_sample_before_the_range() {
        let steady: Vec<(i64, f64)> = (0..20).map(|at| (30 * at, 10.0 * at as f64)).collect();
        assert_eq!(at::<true, true>(&steady, 60, 300), Some(20.0));
        assert_eq!(at::<true, false>(&steady, 60, 300), Some(20.0 / 60.0));
        assert_eq!(at::<false, false>(&steady, 60, 300), Some(20.0));
        // The range begins between two samples: the one before is what counts.
        assert_eq!(at::<true, true>(&steady, 45, 300), Some(20.0));
        assert_eq!(at::<false, false>(&steady, 45, 300), Some(20.0 * (45.0 / 60.0)));
        // Nothing in the range nor in the hour before it.
        assert_eq!(at::<true, true>(&steady, 60, 30 * 19 + 3_660), None);
        assert_eq!(at::<true, true>(&steady, 60, 30 * 19 + 3_659), Some(0.0));
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
