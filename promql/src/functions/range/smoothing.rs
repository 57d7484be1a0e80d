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
    /// Both factors must have been [checked](check) for the steps at which a series has samples.
    pub(super) fn new(factor: Scalar, trend: Scalar) -> Self {
        Self { factor, trend }
    }
}

/// Refuses factors that do not lie between 0 and 1. Prometheus looks at them only where a window has
/// samples.
///
/// # Errors
/// In Prometheus' words.
pub(crate) fn check_factors(smoothing: f64, trend: f64) -> Result<()> {
    for (value, what, short) in [(smoothing, "smoothing", "sf"), (trend, "trend", "tf")] {
        if value <= 0.0 || value >= 1.0 {
            let shown = match value.is_infinite() {
                true if value > 0.0 => "+Inf".to_owned(),
                true => "-Inf".to_owned(),
                false => format!("{value:.6}"),
            };
            return Err(crate::functions::refused(format!(
                "invalid {what} factor. Expected: 0 < {short} < 1, got: {shown}"
            )));
        }
    }
    Ok(())
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
