//! `quantile_over_time` and `mad_over_time`.

use std::ops::Range;

use super::{Kernel, each_window};
use crate::functions::quantile::{interpolate, order, quantile};
use crate::functions::{Scalar, Windows};

/// The φ-quantile of the window's values.
///
/// The sorted window is carried from step to step: few values leave and come, and each finds its
/// place by a binary search.
#[derive(Debug)]
pub(super) struct Quantile {
    pub(super) quantile: Scalar,
}

impl Kernel for Quantile {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let mut sorted: Vec<f64> = Vec::new();
        let mut held = 0..0;
        each_window(ts, windows, 1, out, valid, |k, range| {
            slide(&mut sorted, values, &held, &range);
            held = range;
            interpolate(self.quantile.at(k), &sorted)
        });
    }
}

/// Makes `sorted`, which holds `values[held]`, hold `values[wanted]`. Both ends only move forward.
fn slide(sorted: &mut Vec<f64>, values: &[f64], held: &Range<usize>, wanted: &Range<usize>) {
    let leaving = held.start..wanted.start.min(held.end);
    let coming = held.end.max(wanted.start)..wanted.end;
    // Past this, sorting anew is cheaper than moving the rest for each.
    if (leaving.len() + coming.len()) * 4 > wanted.len() {
        sorted.clear();
        sorted.extend_from_slice(&values[wanted.clone()]);
        sorted.sort_unstable_by(order);
        return;
    }
    for &value in &values[leaving] {
        if let Ok(at) = sorted.binary_search_by(|probe| order(probe, &value)) {
            sorted.remove(at);
        }
    }
    for &value in &values[coming] {
        let at = sorted.partition_point(|probe| order(probe, &value).is_lt());
        sorted.insert(at, value);
    }
}

/// The median of the distances from the median; NaN if there is a NaN.
#[derive(Debug)]
pub(super) struct Mad;

impl Kernel for Mad {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let mut scratch: Vec<f64> = Vec::new();
        each_window(ts, windows, 1, out, valid, |_, range| {
            scratch.clear();
            scratch.extend_from_slice(&values[range]);
            if scratch.iter().any(|value| value.is_nan()) {
                return f64::NAN;
            }
            let median = quantile(0.5, &mut scratch);
            scratch.iter_mut().for_each(|value| *value = (*value - median).abs());
            quantile(0.5, &mut scratch)
        });
    }
}
