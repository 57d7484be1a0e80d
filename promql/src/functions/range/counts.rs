//! `count_over_time` and `present_over_time`: timestamps alone.

use super::{Kernel, each_window};
use crate::functions::Windows;

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
}
