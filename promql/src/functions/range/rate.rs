//! `rate`, `increase`, `delta`; `irate`, `idelta`.

use super::{Kernel, each_window};
use crate::functions::Windows;

/// The change over the window, extrapolated to its edges (`extrapolatedRate`).
///
/// Resets of counters are searched once a series; a series without one, which is nearly each, costs
/// four loads and the divisions a step.
#[derive(Debug)]
pub(super) struct Extrapolated<const COUNTER: bool, const PER_SECOND: bool>;

impl<const COUNTER: bool, const PER_SECOND: bool> Kernel for Extrapolated<COUNTER, PER_SECOND> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let resets = if COUNTER { resets(values) } else { Vec::new() };
        let seconds = windows.range_seconds();
        let mut next_reset = 0;
        each_window(ts, windows, 2, out, valid, |k, range| {
            let (first, last) = (range.start, range.end - 1);
            let mut change = values[last] - values[first];
            if !resets.is_empty() {
                while resets.get(next_reset).is_some_and(|&reset| reset <= first) {
                    next_reset += 1;
                }
                for &reset in resets[next_reset..].iter().take_while(|&&reset| reset <= last) {
                    change += values[reset - 1];
                }
            }
            let edges = Edges {
                to_start: ts[first].wrapping_sub(windows.start(k)),
                sampled: ts[last].wrapping_sub(ts[first]),
                to_end: windows.end(k).wrapping_sub(ts[last]),
                gaps: last - first,
            };
            edges.extrapolate::<COUNTER, PER_SECOND>(change, values[first], seconds)
        });
    }
}

/// The indices of samples below their predecessors.
fn resets(values: &[f64]) -> Vec<usize> {
    let later = values.get(1..).unwrap_or_default();
    // First only counted, which the compiler turns into wide compares.
    let count = values.iter().zip(later).filter(|(before, after)| after < before).count();
    if count == 0 {
        return Vec::new();
    }
    let mut found = Vec::with_capacity(count);
    for (i, (before, after)) in values.iter().zip(later).enumerate() {
        if after < before {
            found.push(i + 1);
        }
    }
    found
}

/// Where the samples lie in the window; lengths in ms.
struct Edges {
    to_start: i64,
    sampled: i64,
    to_end: i64,
    gaps: usize,
}

impl Edges {
    #[inline(always)]
    fn extrapolate<const COUNTER: bool, const PER_SECOND: bool>(
        &self,
        change: f64,
        first: f64,
        window_seconds: f64,
    ) -> f64 {
        let mut to_start = self.to_start as f64 / 1000.0;
        let mut to_end = self.to_end as f64 / 1000.0;
        let sampled = self.sampled as f64 / 1000.0;
        let average = sampled / self.gaps as f64;
        // Samples closer to the edge than this are taken to go on to it; else the series is taken to
        // begin or end half a gap away.
        let threshold = average * 1.1;
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if COUNTER && change > 0.0 && first >= 0.0 {
            // A counter cannot have been below zero.
            let to_zero = sampled * (first / change);
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let mut factor = if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled };
        if PER_SECOND {
            factor /= window_seconds;
        }
        change * factor
    }
}

/// The change between the window's last two samples (`instantValue`).
#[derive(Debug)]
pub(super) struct LastTwo<const RATE: bool>;

impl<const RATE: bool> Kernel for LastTwo<RATE> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 2, out, valid, |_, range| {
            let last = range.end - 1;
            let (before, after) = (values[last - 1], values[last]);
            if !RATE {
                return after - before;
            }
            // After a reset the counter began at zero.
            let change = if after < before { after } else { after - before };
            change / (ts[last].wrapping_sub(ts[last - 1]) as f64 / 1000.0)
        });
    }
}
