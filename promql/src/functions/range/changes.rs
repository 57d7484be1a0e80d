//! `resets` and `changes`: how often neighbours differ, from prefix counts.

use super::mixed::{self, Sample, Value};
use super::{Kernel, each_window};
use crate::functions::start_timestamps::is_reset;
use crate::functions::{Remarks, Samples, Slots, Windows};

/// Falls from a sample to the next (`funcResets`).
#[derive(Debug)]
pub(super) struct Resets;

impl Kernel for Resets {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        count_pairs(ts, values, windows, out, valid, |before, after| after < before);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        count_any(samples, windows, slots, |before, after| match (before.value, after.value) {
            (Value::Float(first), Value::Float(last)) => last < first || begins(before, after),
            (Value::Histogram(first), Value::Histogram(last)) => {
                begins(before, after) || last.detect_reset(first)
            }
            _ => true,
        });
    }
}

/// Neighbours that differ; two NaNs do not (`funcChanges`).
#[derive(Debug)]
pub(super) struct Changes;

impl Kernel for Changes {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        count_pairs(ts, values, windows, out, valid, changed);
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        count_any(samples, windows, slots, |before, after| match (before.value, after.value) {
            (Value::Float(first), Value::Float(last)) => changed(first, last),
            (Value::Histogram(first), Value::Histogram(last)) => !last.equals(first),
            _ => true,
        });
    }
}

#[inline(always)]
pub(super) fn changed(before: f64, after: f64) -> bool {
    after != before && !(after.is_nan() && before.is_nan())
}

/// Whether the counter began anew between two samples by its start timestamp.
fn begins(before: &Sample<'_>, after: &Sample<'_>) -> bool {
    is_reset((before.start, before.ts), (after.start, after.ts))
}

/// Pairs of neighbours of either kind.
fn count_any(
    samples: &Samples<'_>,
    windows: &Windows,
    slots: &mut Slots<'_>,
    differ: impl Fn(&Sample<'_>, &Sample<'_>) -> bool,
) {
    mixed::each_window(samples, windows, |k, floats, histograms| {
        let mut all = mixed::in_order(samples, floats, histograms);
        let Some(mut before) = all.next() else { return slots.set(k, None) };
        let mut count = 0u64;
        for after in all {
            count += u64::from(differ(&before, &after));
            before = after;
        }
        slots.set(k, Some(count as f64));
    });
}

#[inline(always)]
fn count_pairs(
    ts: &[i64],
    values: &[f64],
    windows: &Windows,
    out: &mut [f64],
    valid: &mut [bool],
    differ: impl Fn(f64, f64) -> bool,
) {
    // until[i]: pairs that differ among values[..=i].
    let mut until = Vec::with_capacity(values.len());
    let mut count = 0u64;
    for (i, &value) in values.iter().enumerate() {
        count += u64::from(i > 0 && differ(values[i - 1], value));
        until.push(count);
    }
    each_window(ts, windows, 1, out, valid, |_, range| {
        (until[range.end - 1] - until[range.start]) as f64
    });
}
