//! Instant selectors: the newest sample in `(t - lookback, t]`, unless it is a stale marker.

use engine::model::is_stale;

use super::range::RangeKernel;
use super::windows::Windows;

/// The newest sample's value; `windows` have the lookback as their range
/// (`engine.go`, `vectorSelectorSingle`).
#[derive(Debug, Clone, Copy)]
pub struct Newest;

impl RangeKernel for Newest {
    fn row(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        newest(ts, values, windows, out, valid, |_, value| value);
    }
}

/// The newest sample's time in seconds: `timestamp()` of a bare selector. `values` may be empty if
/// no sample is a stale marker.
#[derive(Debug, Clone, Copy)]
pub struct NewestTimestamp;

impl RangeKernel for NewestTimestamp {
    fn row(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        newest(ts, values, windows, out, valid, |t, _| t as f64 / 1000.0);
    }
}

#[inline(always)]
fn newest(
    ts: &[i64],
    values: &[f64],
    windows: &Windows,
    out: &mut [f64],
    valid: &mut [bool],
    cell: impl Fn(i64, f64) -> f64,
) {
    let (out, valid) = (&mut out[..windows.len()], &mut valid[..windows.len()]);
    windows.visit_ends(ts, |k, end| {
        let newest = end.checked_sub(1);
        let t = newest.map_or(i64::MIN, |at| ts[at]);
        let value = newest.and_then(|at| values.get(at)).copied().unwrap_or(0.0);
        let found = newest.is_some() && t > windows.start(k) && !is_stale(value);
        out[k] = if found { cell(t, value) } else { 0.0 };
        valid[k] = found;
    });
}

#[cfg(test)]
mod tests {
    use engine::model::STALE_NAN_BITS;

    use super::*;
    use crate::exec::grid::Grid;

    const MINUTE: i64 = 60_000;

    fn row(kernel: &dyn RangeKernel, ts: &[i64], values: &[f64], ends: &[i64]) -> Vec<Option<f64>> {
        let at = |&end: &i64| {
            let windows = Windows::new(Grid::instant(end), 5 * MINUTE, 0);
            let (mut out, mut valid) = ([0.0], [false]);
            kernel.row(ts, values, &windows, &mut out, &mut valid);
            valid[0].then_some(out[0])
        };
        ends.iter().map(at).collect()
    }

    #[test]
    fn the_newest_sample_counts_and_a_stale_marker_ends_the_series() {
        let ts = [0, MINUTE, 2 * MINUTE, 9 * MINUTE];
        let values = [1.0, f64::NAN, f64::from_bits(STALE_NAN_BITS), 4.0];
        let ends = [-1, 0, 2 * MINUTE, 3 * MINUTE, 9 * MINUTE, 14 * MINUTE - 1, 14 * MINUTE];
        let found = row(&Newest, &ts, &values, &ends);
        // A sample exactly as old as the lookback is out.
        assert_eq!(found, [None, Some(1.0), None, None, Some(4.0), Some(4.0), None]);
        assert!(row(&Newest, &ts, &values, &[MINUTE])[0].is_some_and(f64::is_nan));
        let times = row(&NewestTimestamp, &ts, &values, &ends);
        assert_eq!(times, [None, Some(0.0), None, None, Some(540.0), Some(540.0), None]);
        // Without values no sample is a stale marker.
        let times = row(&NewestTimestamp, &ts, &[], &[2 * MINUTE]);
        assert_eq!(times, [Some(120.0)]);
    }
}
