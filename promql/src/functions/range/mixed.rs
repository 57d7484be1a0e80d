//! Series with native histograms or start timestamps: stale markers left out, windows over both kinds.

use std::ops::Range;
use std::sync::Arc;

use engine::model::is_stale;

use crate::functions::histogram::FloatHistogram;
use crate::functions::{Samples, Windows};

/// Samples without stale markers: borrowed where there are none.
pub(in crate::functions) struct Fresh<'a> {
    given: Samples<'a>,
    floats: Option<(Vec<i64>, Vec<f64>, Vec<i64>)>,
    histograms: Option<(Vec<i64>, Vec<Arc<FloatHistogram>>, Vec<i64>)>,
}

impl<'a> Fresh<'a> {
    pub(in crate::functions) fn new(given: &Samples<'a>) -> Self {
        let floats = given.values.iter().any(|&value| is_stale(value)).then(|| {
            let kept = |at: &usize| !is_stale(given.values[*at]);
            let kept: Vec<usize> = (0..given.values.len()).filter(kept).collect();
            (pick(given.ts, &kept), pick(given.values, &kept), pick(given.start_ts, &kept))
        });
        let stale = |histogram: &Arc<FloatHistogram>| histogram.is_stale();
        let histograms = given.histograms.iter().any(stale).then(|| {
            let kept = |at: &usize| !given.histograms[*at].is_stale();
            let kept: Vec<usize> = (0..given.histograms.len()).filter(kept).collect();
            (
                pick(given.histogram_ts, &kept),
                pick(given.histograms, &kept),
                pick(given.histogram_start_ts, &kept),
            )
        });
        Self { given: *given, floats, histograms }
    }

    pub(in crate::functions) fn samples(&self) -> Samples<'_> {
        let mut samples = self.given;
        if let Some((ts, values, start_ts)) = &self.floats {
            (samples.ts, samples.values, samples.start_ts) = (ts, values, start_ts);
        }
        if let Some((ts, histograms, start_ts)) = &self.histograms {
            samples.histogram_ts = ts;
            samples.histograms = histograms;
            samples.histogram_start_ts = start_ts;
        }
        samples
    }
}

/// The elements at `kept`; none of an empty slice.
fn pick<T: Clone>(from: &[T], kept: &[usize]) -> Vec<T> {
    if from.is_empty() { Vec::new() } else { kept.iter().map(|&at| from[at].clone()).collect() }
}

/// Calls `visit(k, floats, histograms)` for each window in order, with where its samples lie.
pub(in crate::functions) fn each_window(
    samples: &Samples<'_>,
    windows: &Windows,
    mut visit: impl FnMut(usize, Range<usize>, Range<usize>),
) {
    let mut of_floats = Vec::with_capacity(windows.len());
    windows.visit(samples.ts, |_, range| of_floats.push(range));
    let mut of_floats = of_floats.into_iter();
    windows.visit(samples.histogram_ts, |k, range| {
        visit(k, of_floats.next().unwrap_or_default(), range);
    });
}

/// A sample of either kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Float(f64),
    Histogram(&'a Arc<FloatHistogram>),
}

/// A sample, its time and its start timestamp in ms (0: unknown).
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) start: i64,
    pub(super) ts: i64,
    pub(super) value: Value<'a>,
}

/// The samples of both ranges in order of time.
pub(super) fn in_order<'a>(
    samples: &'a Samples<'a>,
    mut floats: Range<usize>,
    mut histograms: Range<usize>,
) -> impl Iterator<Item = Sample<'a>> {
    std::iter::from_fn(move || {
        let histogram_ts = samples.histogram_ts[histograms.clone()].first();
        let float_ts = samples.ts[floats.clone()].first();
        match (float_ts, histogram_ts) {
            (None, None) => None,
            (Some(&ts), later) if later.is_none_or(|&later| ts < later) => {
                let at = floats.next()?;
                let start = samples.start_ts.get(at).copied().unwrap_or(0);
                let value = samples.values.get(at).copied().unwrap_or(0.0);
                Some(Sample { start, ts, value: Value::Float(value) })
            }
            (_, ts) => {
                let at = histograms.next()?;
                let start = samples.histogram_start_ts.get(at).copied().unwrap_or(0);
                let value = Value::Histogram(&samples.histograms[at]);
                Some(Sample { start, ts: ts.copied().unwrap_or_default(), value })
            }
        }
    })
}
