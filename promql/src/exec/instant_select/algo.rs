//! The newest sample of each window.

use engine::model::is_stale;

/// The window ends of an instant selector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) lookback: i64,
}

/// For each slot the index of the newest sample in `(end - lookback, end]`, by `write(slot, index)`.
/// Ends do not descend, so one pass over `ts` is enough.
pub(super) fn newest(ts: &[i64], ends: Ends, slots: usize, mut write: impl FnMut(usize, usize)) {
    let mut next = 0;
    for slot in 0..slots {
        let end = ends.start + slot as i64 * ends.step;
        while next < ts.len() && ts[next] <= end {
            next += 1;
        }
        if next > 0 && ts[next - 1] > end - ends.lookback {
            write(slot, next - 1);
        }
    }
}

/// Fills a row with values; stale markers end a series.
pub(super) fn values(ts: &[i64], from: &[f64], ends: Ends, out: &mut [f64], valid: &mut [bool]) {
    newest(ts, ends, out.len(), |slot, at| {
        let value = from[at];
        if !is_stale(value) {
            out[slot] = value;
            valid[slot] = true;
        }
    });
}

/// Fills a row with the timestamps of the samples in seconds; `from` is only asked for stale markers.
pub(super) fn timestamps(
    ts: &[i64],
    from: Option<&[f64]>,
    ends: Ends,
    out: &mut [f64],
    valid: &mut [bool],
) {
    newest(ts, ends, out.len(), |slot, at| {
        if from.is_none_or(|values| !is_stale(values[at])) {
            out[slot] = ts[at] as f64 / 1000.0;
            valid[slot] = true;
        }
    });
}
