//! `count_over_time` and `present_over_time`: timestamps alone.

use super::{Kernel, each_window, mixed};
use crate::functions::{Remarks, Samples, Slots, Windows};

/// How many samples.
#[derive(Debug)]
pub(super) struct Count;

impl Kernel for Count {
    fn evaluate(
        &self,
        ts: &[i64],
        _values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| range.len() as f64);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            let count = floats.len() + histograms.len();
            slots.set(k, (count > 0).then_some(count as f64));
        });
    }
}

/// 1 where there is any sample.
#[derive(Debug)]
pub(super) struct Present;

impl Kernel for Present {
    fn evaluate(
        &self,
        ts: &[i64],
        _values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, _| 1.0);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            let any = !floats.is_empty() || !histograms.is_empty();
            slots.set(k, any.then_some(1.0));
        });
    }
}
