//! `sum_over_time`, `avg_over_time`, `stddev_over_time`, `stdvar_over_time`.

use std::ops::Range;
use std::sync::Arc;

use super::{Kernel, each_window, mixed};
use crate::functions::histogram::FloatHistogram;
use crate::functions::kahan::{Kahan, Mean};
use crate::functions::{HistogramTotal, Remark, Remarks, Samples, Slots, Windows};

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

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        self.evaluate(samples.ts, samples.values, windows, slots.values, slots.valid);
        total(samples, windows, slots, remarks, HistogramTotal::add, HistogramTotal::sum);
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

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        self.evaluate(samples.ts, samples.values, windows, slots.values, slots.valid);
        total(samples, windows, slots, remarks, HistogramTotal::add_to_mean, HistogramTotal::mean);
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

/// Sums or means of the windows that have histograms alone; windows with both kinds have none.
fn total(
    samples: &Samples<'_>,
    windows: &Windows,
    slots: &mut Slots<'_>,
    remarks: &mut Remarks,
    add: impl Fn(&mut HistogramTotal, &FloatHistogram, &mut Remarks),
    finish: impl Fn(HistogramTotal, &mut Remarks) -> Option<Arc<FloatHistogram>>,
) {
    mixed::each_window(samples, windows, |k, floats: Range<usize>, histograms| {
        let [first, rest @ ..] = &samples.histograms[histograms] else { return };
        if !floats.is_empty() {
            slots.set(k, None);
            return remarks.add(Remark::MixedRange);
        }
        let mut noted = Remarks::default();
        let mut total = HistogramTotal::new(first);
        rest.iter().for_each(|histogram| add(&mut total, histogram, &mut noted));
        match finish(total, &mut noted) {
            Some(total) => slots.set_histogram(k, total),
            // Nothing else is said of histograms that do not go together.
            None => noted = Remark::MixedBuckets.into(),
        }
        remarks.merge(noted);
    });
}
