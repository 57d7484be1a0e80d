//! `resets` and `changes`: how often neighbours differ, from prefix counts.

use super::{Kernel, each_window};
use crate::functions::Windows;

/// Falls from a sample to the next (`funcResets`).
#[derive(Debug)]
pub(super) struct Resets;

impl Kernel for Resets {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        count_pairs(ts, values, windows, out, valid, |before, after| after < before);
    }
}

/// Neighbours that differ; two NaNs do not (`funcChanges`).
#[derive(Debug)]
pub(super) struct Changes;

impl Kernel for Changes {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        count_pairs(ts, values, windows, out, valid, |before, after| {
            after != before && !(after.is_nan() && before.is_nan())
        });
    }
}

#[inline(always)]
fn count_pairs(
    ts: &[i64],
    values: &[f64],
    windows: &Windows,
    out: &mut [f64],
    valid: &mut [bool],
    differ: impl Fn(f64, f64) -> bool,
) {
    // until[i]: pairs that differ among values[..=i].
    let mut until = Vec::with_capacity(values.len());
    let mut count = 0u64;
    for (i, &value) in values.iter().enumerate() {
        count += u64::from(i > 0 && differ(values[i - 1], value));
        until.push(count);
    }
    each_window(ts, windows, 1, out, valid, |_, range| {
        (until[range.end - 1] - until[range.start]) as f64
    });
}
