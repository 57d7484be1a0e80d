//! Warnings about parameters that only the run of a plan knows.

use super::notes::NoteTaker;
use crate::functions::RangeFunction;
use crate::functions::float_text::general;
use crate::functions::range::IntegralStrategy;

/// Whether the parameter of a range function is out of range.
pub(super) fn is_odd(function: RangeFunction, value: f64) -> bool {
    match function {
        RangeFunction::Integral => IntegralStrategy::of(value).is_none(),
        _ => !(0.0..=1.0).contains(&value),
    }
}

/// Warns of the parameter of a range function that is out of range.
pub(super) fn check(function: RangeFunction, value: f64, notes: &NoteTaker) {
    match function {
        RangeFunction::Integral if is_odd(function, value) => {
            let value = general(value);
            notes.warn(format!("strategy should be 0, 1, or 2 (default), using 2, got {value}"));
        }
        RangeFunction::Integral => {}
        _ => check_quantile(value, notes),
    }
}

/// Warns of a φ that is no quantile.
pub(super) fn check_quantile(phi: f64, notes: &NoteTaker) {
    if !(0.0..=1.0).contains(&phi) {
        let phi = general(phi);
        notes.warn(format!("quantile value should be between 0 and 1, got {phi}"));
    }
}

/// Warns of a ratio beyond -1 or 1.
pub(super) fn check_ratio(ratio: f64, notes: &NoteTaker) {
    if ratio.abs() > 1.0 {
        let (ratio, cap) = (general(ratio), ratio.signum());
        let text = "ratio value should be between -1 and 1";
        notes.warn(format!("{text}, got {ratio}, capping to {cap}"));
    }
}
