//! `deriv` and `predict_linear`: least squares (`linearRegression`).

use super::{Kernel, each_window};
use crate::functions::kahan::Kahan;
use crate::functions::{Scalar, Windows};

/// The slope a second.
#[derive(Debug)]
pub(super) struct Deriv;

impl Kernel for Deriv {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 2, out, valid, |_, range| {
            let origin = ts[range.start];
            fit(&ts[range.clone()], &values[range], origin).0
        });
    }
}

/// The line's value some seconds after the step (not after the window's end).
#[derive(Debug)]
pub(super) struct PredictLinear {
    pub(super) seconds: Scalar,
}

impl Kernel for PredictLinear {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let grid = windows.grid();
        each_window(ts, windows, 2, out, valid, |k, range| {
            let (slope, intercept) = fit(&ts[range.clone()], &values[range], grid.time(k));
            slope * self.seconds.at(k) + intercept
        });
    }
}

/// Slope a second, and value at `origin`.
fn fit(ts: &[i64], values: &[f64], origin: i64) -> (f64, f64) {
    let (mut x_sum, mut y_sum) = (Kahan::default(), Kahan::default());
    let (mut xy_sum, mut xx_sum) = (Kahan::default(), Kahan::default());
    let initial = values[0];
    let mut constant = true;
    for (i, (&t, &y)) in ts.iter().zip(values).enumerate() {
        constant &= i == 0 || y == initial;
        let x = t.wrapping_sub(origin) as f64 / 1e3;
        x_sum.add(x);
        y_sum.add(y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    if constant {
        return if initial.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, initial) };
    }
    let n = ts.len() as f64;
    let (x, y, xy, xx) = (x_sum.total(), y_sum.total(), xy_sum.total(), xx_sum.total());
    let covariance = xy - x * y / n;
    let variance = xx - x * x / n;
    let slope = covariance / variance;
    (slope, y / n - slope * x / n)
}
