//! `min_over_time`, `max_over_time` and the times of their values.

use super::{Kernel, each_window};
use crate::functions::Windows;

/// The greater (or lesser) of two neighbours. NaN gives way to anything, and of equals the earlier
/// one stays (which shows in the sign of zero), so that any bracketing gives what a scan from left
/// to right gives (`compareOverTime`).
#[inline(always)]
pub(crate) fn better<const MAX: bool>(left: f64, right: f64) -> f64 {
    let replace = if MAX { right > left } else { right < left };
    if replace || left.is_nan() { right } else { left }
}

/// The greatest (or least) value.
///
/// Windows overlap, so each keeps what its neighbours know: values left of a pivot are folded from
/// the right once (`tail[i]` is the extreme of `values[i..pivot]`), values right of it from the left
/// as windows grow. Each sample is looked at twice, however long the window.
#[derive(Debug)]
pub(super) struct Extreme<const MAX: bool>;

impl<const MAX: bool> Kernel for Extreme<MAX> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let mut tail: Vec<f64> = Vec::new();
        let (mut tail_start, mut pivot) = (0, 0);
        let (mut front, mut front_end) = (f64::NAN, 0);
        each_window(ts, windows, 1, out, valid, |_, range| {
            if range.start >= pivot {
                (tail_start, pivot, front_end) = (range.start, range.end, range.end);
                front = f64::NAN;
                tail.clear();
                tail.extend_from_slice(&values[range.clone()]);
                for i in (0..tail.len().saturating_sub(1)).rev() {
                    tail[i] = better::<MAX>(tail[i], tail[i + 1]);
                }
            }
            for &value in &values[front_end..range.end] {
                front = better::<MAX>(front, value);
            }
            front_end = range.end;
            better::<MAX>(tail[range.start - tail_start], front)
        });
    }
}

/// The time in seconds of the latest sample that has the greatest (or least) value.
#[derive(Debug)]
pub(super) struct TsOfExtreme<const MAX: bool>;

impl<const MAX: bool> Kernel for TsOfExtreme<MAX> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| {
            let mut best = range.start;
            for i in range {
                let (held, value) = (values[best], values[i]);
                let replace = if MAX { value >= held } else { value <= held };
                if replace || held.is_nan() {
                    best = i;
                }
            }
            ts[best] as f64 / 1000.0
        });
    }
}
