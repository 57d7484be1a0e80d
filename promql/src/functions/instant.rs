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
