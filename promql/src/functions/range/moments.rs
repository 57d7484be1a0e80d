//! `sum_over_time`, `avg_over_time`, `stddev_over_time`, `stdvar_over_time`.

use super::{Kernel, each_window};
use crate::functions::Windows;
use crate::functions::kahan::{Kahan, Mean};

/// The compensated sum (`funcSumOverTime`).
#[derive(Debug)]
pub(super) struct Sum;

impl Kernel for Sum {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| {
            let mut sum = Kahan::default();
            values[range].iter().for_each(|&value| sum.add(value));
            sum.total()
        });
    }
}

/// The mean (`funcAvgOverTime`).
#[derive(Debug)]
pub(super) struct Avg;

impl Kernel for Avg {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| {
            let window = &values[range];
            let mut sum = Kahan::default();
            window.iter().for_each(|&value| sum.add(value));
            if sum.sum.is_finite() {
                let count = window.len() as f64;
                return sum.sum / count + sum.lost / count;
            }
            // Something overflowed, was infinite or NaN: again, and with care.
            let mut mean = Mean::default();
            window.iter().for_each(|&value| mean.add(value));
            mean.finish()
        });
    }
}

/// The population's variance, or its root (`varianceOverTime`): Welford's method, compensated.
#[derive(Debug)]
pub(super) struct Variance<const ROOT: bool>;

impl<const ROOT: bool> Kernel for Variance<ROOT> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| {
            let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
            let mut count = 0.0;
            for &value in &values[range] {
                count += 1.0;
                let delta = value - mean.total();
                mean.add(delta / count);
                squares.add(delta * (value - mean.total()));
            }
            let variance = squares.total() / count;
            if ROOT { variance.sqrt() } else { variance }
        });
    }
}
