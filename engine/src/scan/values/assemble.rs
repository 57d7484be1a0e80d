//! Located runs and their values to run batches: pure functions on slices.

use crate::dedup::SETTLED;
use crate::model::is_stale;

/// The last value of a counter, remembered from run to run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settling {
    /// The series, its last value, and whether samples below it are still left out.
    last: Option<(u32, f64)>,
    active: bool,
}

/// The counter rule on one run: how many of its first samples are left out.
pub(crate) fn left_out(
    state: &mut Settling,
    series: u32,
    settle: i64,
    goes_on: bool,
    ts: &[i64],
    values: &[f64],
) -> usize {
    if state.last.is_some_and(|(known, _)| known != series) {
        *state = Settling::default();
    }
    if settle == SETTLED {
        state.active = false;
    } else if !goes_on {
        state.active = true;
    }
    let mut out = 0;
    if state.active
        && let Some((_, floor)) = state.last
    {
        let below = |(&t, &value): (&i64, &f64)| t <= settle && value < floor;
        out = ts.iter().zip(values).take_while(|&sample| below(sample)).count();
        state.active = out == values.len();
    }
    if let Some(&last) = values[out..].iter().rev().find(|&&value| !is_stale(value)) {
        state.last = Some((series, last));
    }
    out
}

/// Removes the ranges `out` (ascending, disjoint) from `column`.
pub(super) fn remove<T: Copy>(column: &[T], out: &[std::ops::Range<usize>]) -> Vec<T> {
    let mut kept = Vec::with_capacity(column.len());
    let mut from = 0;
    for range in out {
        kept.extend_from_slice(&column[from..range.start]);
        from = range.end;
    }
    kept.extend_from_slice(&column[from..]);
    kept
}
