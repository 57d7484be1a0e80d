//! `first_over_time`, `last_over_time` and their timestamps.

use std::ops::Range;
use std::sync::Arc;

use super::{Kernel, each_window, mixed};
use crate::functions::{Remarks, Samples, Slots, Windows};

/// The oldest value.
#[derive(Debug)]
pub(super) struct First;

impl Kernel for First {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| values[range.start]);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            let (float, histogram) =
                (first(samples.ts, &floats), first(samples.histogram_ts, &histograms));
            match (float, histogram) {
                (Some(float), histogram) if histogram.is_none_or(|histogram| float < histogram) => {
                    slots.set(k, Some(samples.values[floats.start]));
                }
                (_, Some(_)) => {
                    slots.set(k, None);
                    slots.set_histogram(k, Arc::clone(&samples.histograms[histograms.start]));
                }
                _ => slots.set(k, None),
            }
        });
    }
}

/// The newest value.
#[derive(Debug)]
pub(super) struct Last;

impl Kernel for Last {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| values[range.end - 1]);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            let (float, histogram) =
                (last(samples.ts, &floats), last(samples.histogram_ts, &histograms));
            match (float, histogram) {
                (Some(float), histogram) if histogram.is_none_or(|histogram| histogram < float) => {
                    slots.set(k, Some(samples.values[floats.end - 1]));
                }
                (_, Some(_)) => {
                    slots.set(k, None);
                    slots.set_histogram(k, Arc::clone(&samples.histograms[histograms.end - 1]));
                }
                _ => slots.set(k, None),
            }
        });
    }
}

/// The oldest sample's time in seconds.
#[derive(Debug)]
pub(super) struct TsOfFirst;

impl Kernel for TsOfFirst {
    fn evaluate(
        &self,
        ts: &[i64],
        _values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| ts[range.start] as f64 / 1000.0);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            let times = [first(samples.ts, &floats), first(samples.histogram_ts, &histograms)];
            slots.set(k, times.into_iter().flatten().min().map(|t| t as f64 / 1000.0));
        });
    }
}

/// The newest sample's time in seconds.
#[derive(Debug)]
pub(super) struct TsOfLast;

impl Kernel for TsOfLast {
    fn evaluate(
        &self,
        ts: &[i64],
        _values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 1, out, valid, |_, range| ts[range.end - 1] as f64 / 1000.0);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            let times = [last(samples.ts, &floats), last(samples.histogram_ts, &histograms)];
            slots.set(k, times.into_iter().flatten().max().map(|t| t as f64 / 1000.0));
        });
    }
}

fn first(ts: &[i64], range: &Range<usize>) -> Option<i64> {
    ts[range.clone()].first().copied()
}

fn last(ts: &[i64], range: &Range<usize>) -> Option<i64> {
    ts[range.clone()].last().copied()
}
