//! `double_exponential_smoothing`.

use engine::Result;

use super::{Kernel, each_window};
use crate::functions::{Scalar, Windows};

/// Holt's linear smoothing (`funcDoubleExponentialSmoothing`).
#[derive(Debug)]
pub(super) struct Smoothing {
    factor: Scalar,
    trend: Scalar,
}

impl Smoothing {
    /// Both factors must lie between 0 and 1, at each step.
    pub(super) fn new(factor: Scalar, trend: Scalar) -> Result<Self> {
        check(&factor, "smoothing", "sf")?;
        check(&trend, "trend", "tf")?;
        Ok(Self { factor, trend })
    }
}

fn check(scalar: &Scalar, what: &str, short: &str) -> Result<()> {
    let values = match scalar {
        Scalar::Constant(value) => std::slice::from_ref(value),
        Scalar::Steps(values) => values,
    };
    match values.iter().find(|&&value| value <= 0.0 || value >= 1.0) {
        None => Ok(()),
        Some(value) => Err(crate::functions::refused(format!(
            "invalid {what} factor. Expected: 0 < {short} < 1, got: {value:.6}"
        ))),
    }
}

impl Kernel for Smoothing {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 2, out, valid, |k, range| {
            let (factor, trend_factor) = (self.factor.at(k), self.trend.at(k));
            let window = &values[range];
            let mut before = 0.0;
            let mut smoothed = window[0];
            let mut trend = window[1] - window[0];
            for (i, &value) in window[1..].iter().enumerate() {
                let scaled = factor * value;
                if i > 0 {
                    trend = trend_factor * (smoothed - before) + (1.0 - trend_factor) * trend;
                }
                let carried = (1.0 - factor) * (smoothed + trend);
                (before, smoothed) = (smoothed, scaled + carried);
            }
            smoothed
        });
    }
}
