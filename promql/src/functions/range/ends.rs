//! `first_over_time`, `last_over_time` and their timestamps.

use super::{Kernel, each_window};
use crate::functions::Windows;

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
}
