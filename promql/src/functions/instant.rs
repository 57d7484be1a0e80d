//! Instant selectors: the newest sample in `(t - lookback, t]`, unless it is a stale marker.

use std::sync::Arc;

use engine::model::is_stale;

use super::histogram::FloatHistogram;
use super::range::RangeKernel;
use super::{Remarks, Samples, Slots, Windows};

/// The newest sample's value; `windows` have the lookback as their range
/// (`engine.go`, `vectorSelectorSingle`).
#[derive(Debug, Clone, Copy)]
pub struct Newest;

impl RangeKernel for Newest {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        if samples.histogram_ts.is_empty() {
            return newest(samples, windows, slots, |_, value| value);
        }
        newest_of_any(samples, windows, slots, |slots, k, found| match found {
            Found::Float(at) => slots.set(k, Some(samples.values.get(at).copied().unwrap_or(0.0))),
            Found::Histogram(at) => slots.set_histogram(k, Arc::clone(&samples.histograms[at])),
        });
    }
}

/// The newest sample's time in seconds: `timestamp()` of a bare selector. Values may be left out if
/// no sample is a stale marker.
#[derive(Debug, Clone, Copy)]
pub struct NewestTimestamp;

impl RangeKernel for NewestTimestamp {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        if samples.histogram_ts.is_empty() {
            return newest(samples, windows, slots, |t, _| t as f64 / 1000.0);
        }
        newest_of_any(samples, windows, slots, |slots, k, found| {
            let t = match found {
                Found::Float(at) => samples.ts[at],
                Found::Histogram(at) => samples.histogram_ts[at],
            };
            slots.set(k, Some(t as f64 / 1000.0));
        });
    }
}

/// The newest sample's time in seconds as an info series has it: NaN where it is a histogram.
#[derive(Debug, Clone, Copy)]
pub struct NewestFloatTimestamp;

impl RangeKernel for NewestFloatTimestamp {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        if samples.histogram_ts.is_empty() {
            return NewestTimestamp.row(samples, windows, slots, remarks);
        }
        newest_of_any(samples, windows, slots, |slots, k, found| {
            let time = match found {
                Found::Float(at) => samples.ts[at] as f64 / 1000.0,
                Found::Histogram(_) => f64::NAN,
            };
            slots.set(k, Some(time));
        });
    }
}

/// The newest sample's start timestamp in seconds, 0 where it is unknown: `start_timestamp()` of a
/// bare selector.
#[derive(Debug, Clone, Copy)]
pub struct NewestStart;

impl RangeKernel for NewestStart {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        newest_of_any(samples, windows, slots, |slots, k, found| {
            let start = match found {
                Found::Float(at) => samples.start_ts.get(at),
                Found::Histogram(at) => samples.histogram_start_ts.get(at),
            };
            slots.set(k, Some(start.copied().unwrap_or(0) as f64 / 1000.0));
        });
    }
}

#[inline(always)]
fn newest(
    samples: &Samples<'_>,
    windows: &Windows,
    slots: &mut Slots<'_>,
    cell: impl Fn(i64, f64) -> f64,
) {
    let Samples { ts, values, .. } = samples;
    let steps = windows.len();
    let (out, valid) = (&mut slots.values[..steps], &mut slots.valid[..steps]);
    windows.visit_ends(ts, |k, end| {
        let newest = end.checked_sub(1);
        let t = newest.map_or(i64::MIN, |at| ts[at]);
        let value = newest.and_then(|at| values.get(at)).copied().unwrap_or(0.0);
        let found = newest.is_some() && t > windows.start(k) && !is_stale(value);
        out[k] = if found { cell(t, value) } else { 0.0 };
        valid[k] = found;
    });
}

/// Where a sample lies.
enum Found {
    Float(usize),
    Histogram(usize),
}

/// Calls `cell` for each window whose newest sample, of either kind, is no stale marker.
fn newest_of_any(
    samples: &Samples<'_>,
    windows: &Windows,
    slots: &mut Slots<'_>,
    mut cell: impl FnMut(&mut Slots<'_>, usize, Found),
) {
    let mut floats = vec![None; windows.len()];
    windows.visit_ends(samples.ts, |k, end| floats[k] = end.checked_sub(1));
    windows.visit_ends(samples.histogram_ts, |k, end| {
        let (float, histogram) = (floats[k], end.checked_sub(1));
        let time = |ts: &[i64], at: Option<usize>| at.map_or(i64::MIN, |at| ts[at]);
        let (t, ht) = (time(samples.ts, float), time(samples.histogram_ts, histogram));
        let found = match (float, histogram) {
            (Some(at), _) if t > ht => {
                let stale = samples.values.get(at).is_some_and(|&value| is_stale(value));
                (!stale).then_some(Found::Float(at))
            }
            (_, Some(at)) => {
                let histogram: &FloatHistogram = &samples.histograms[at];
                (!histogram.is_stale()).then_some(Found::Histogram(at))
            }
            _ => None,
        };
        slots.set(k, None);
        if let Some(found) = found.filter(|_| t.max(ht) > windows.start(k)) {
            cell(slots, k, found);
        }
    });
}

#[cfg(test)]
mod tests {
    use engine::model::STALE_NAN_BITS;

    use super::*;
    use crate::exec::grid::Grid;

    const MINUTE: i64 = 60_000;

    fn row(kernel: &dyn RangeKernel, ts: &[i64], values: &[f64], ends: &[i64]) -> Vec<Option<f64>> {
        let at = |&end: &i64| {
            let windows = Windows::new(Grid::instant(end), 5 * MINUTE, 0);
            let (mut out, mut valid) = ([0.0], [false]);
            let mut slots = Slots { values: &mut out, valid: &mut valid, histograms: &mut [] };
            let samples = Samples::floats(ts, values);
            kernel.row(&samples, &windows, &mut slots, &mut Remarks::default());
            valid[0].then_some(out[0])
        };
        ends.iter().map(at).collect()
    }

    #[test]
    fn the_newest_sample_counts_and_a_stale_marker_ends_the_series() {
        let ts = [0, MINUTE, 2 * MINUTE, 9 * MINUTE];
        let values = [1.0, f64::NAN, f64::from_bits(STALE_NAN_BITS), 4.0];
        let ends = [-1, 0, 2 * MINUTE, 3 * MINUTE, 9 * MINUTE, 14 * MINUTE - 1, 14 * MINUTE];
        let found = row(&Newest, &ts, &values, &ends);
        // A sample exactly as old as the lookback is out.
        assert_eq!(found, [None, Some(1.0), None, None, Some(4.0), Some(4.0), None]);
        assert!(row(&Newest, &ts, &values, &[MINUTE])[0].is_some_and(f64::is_nan));
        let times = row(&NewestTimestamp, &ts, &values, &ends);
        assert_eq!(times, [None, Some(0.0), None, None, Some(540.0), Some(540.0), None]);
        // Without values no sample is a stale marker.
        let times = row(&NewestTimestamp, &ts, &[], &[2 * MINUTE]);
        assert_eq!(times, [Some(120.0)]);
    }
}
