//! `integral`: the area below the samples (`funcIntegral`).

use super::{Kernel, each_window};
use crate::functions::kahan::Kahan;
use crate::functions::{Scalar, Windows};

/// How the area between two samples is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// By the first of both.
    Left,
    /// By the second.
    Right,
    /// By their mean.
    Trapezoidal,
}

impl Strategy {
    /// The strategy of this number, if it is one.
    pub(crate) fn of(number: f64) -> Option<Self> {
        match number {
            0.0 => Some(Self::Left),
            1.0 => Some(Self::Right),
            2.0 => Some(Self::Trapezoidal),
            _ => None,
        }
    }
}

/// The area in value times seconds; NaN counts as 0.
#[derive(Debug)]
pub(super) struct Integral {
    pub(super) strategy: Option<Scalar>,
}

impl Kernel for Integral {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |k, range| {
            let number = self.strategy.as_ref().map_or(2.0, |strategy| strategy.at(k));
            let strategy = Strategy::of(number).unwrap_or(Strategy::Trapezoidal);
            let mut area = Kahan::default();
            for at in range.start + 1..range.end {
                let number = |value: f64| if value.is_nan() { 0.0 } else { value };
                let (before, now) = (number(values[at - 1]), number(values[at]));
                let height = match strategy {
                    Strategy::Left => Kahan { sum: before, lost: 0.0 },
                    Strategy::Right => Kahan { sum: now, lost: 0.0 },
                    Strategy::Trapezoidal => mean(before, now),
                };
                if height.sum != 0.0 || height.lost != 0.0 {
                    let seconds = (ts[at] - ts[at - 1]) as f64 / 1000.0;
                    area.lost += height.lost * seconds;
                    area.add(height.sum * seconds);
                }
            }
            if area.sum.is_infinite() { area.sum } else { area.total() }
        });
    }
}

/// The mean of two numbers and its error, without overflow.
fn mean(before: f64, now: f64) -> Kahan {
    let sum_of = |a: f64, b: f64| {
        let mut sum = Kahan { sum: a, lost: 0.0 };
        sum.add(b);
        sum
    };
    let sum = sum_of(before, now);
    if sum.sum.is_infinite() && before.is_finite() && now.is_finite() {
        return sum_of(before / 2.0, now / 2.0);
    }
    Kahan { sum: sum.sum / 2.0, lost: sum.lost / 2.0 }
}
