//! `rate`, `increase`, `delta`; `irate`, `idelta`.

use std::ops::Range;
use std::sync::Arc;

use engine::model::CounterResetHint;

use super::histogram_rate::{self, Points};
use super::mixed::{self, Sample, Value};
use super::{Kernel, each_window};
use crate::functions::histogram::FloatHistogram;
use crate::functions::start_timestamps::{is_reset, overlaps};
use crate::functions::{Remark, Remarks, Samples, Slots, Windows};

/// The change over the window, extrapolated to its edges (`extrapolatedRate`).
///
/// Resets of counters are searched once a series; a series without one, which is nearly each, costs
/// four loads and the divisions a step.
#[derive(Debug)]
pub(super) struct Extrapolated<const COUNTER: bool, const PER_SECOND: bool>;

impl<const COUNTER: bool, const PER_SECOND: bool> Kernel for Extrapolated<COUNTER, PER_SECOND> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        let resets = if COUNTER { resets(values) } else { Vec::new() };
        let seconds = windows.range_seconds();
        let mut next_reset = 0;
        each_window(ts, windows, 2, out, valid, |k, range| {
            let (first, last) = (range.start, range.end - 1);
            let mut change = values[last] - values[first];
            if !resets.is_empty() {
                while resets.get(next_reset).is_some_and(|&reset| reset <= first) {
                    next_reset += 1;
                }
                for &reset in resets[next_reset..].iter().take_while(|&&reset| reset <= last) {
                    change += values[reset - 1];
                }
            }
            let edges = Edges {
                to_start: ts[first].wrapping_sub(windows.start(k)),
                sampled: ts[last].wrapping_sub(ts[first]),
                to_end: windows.end(k).wrapping_sub(ts[last]),
                gaps: last - first,
            };
            edges.extrapolate::<COUNTER, PER_SECOND>(change, values[first], seconds)
        });
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        let fell = if COUNTER { histogram_rate::falls(samples.histograms) } else { Vec::new() };
        mixed::each_window(samples, windows, |k, floats, histograms| {
            slots.set(k, None);
            let of_floats = match (floats.is_empty(), histograms.is_empty()) {
                (false, false) => return remarks.add(Remark::MixedRange),
                (true, true) => return,
                (_, only_floats) => only_floats,
            };
            let (ts, start_ts) = match of_floats {
                true => (&samples.ts[floats.clone()], cut(samples.start_ts, &floats)),
                false => (
                    &samples.histogram_ts[histograms.clone()],
                    cut(samples.histogram_start_ts, &histograms),
                ),
            };
            let edges = Edges::new(ts, windows, k);
            if of_floats {
                let values = &samples.values[floats];
                let change = float_change(ts, values, start_ts, COUNTER, remarks);
                let value = match begin::<COUNTER>(ts, start_ts, windows.start(k)) {
                    Some(start) => {
                        let edges = edges.since_start(ts, start);
                        Some((change + values[0]) * edges.factor::<PER_SECOND>(windows))
                    }
                    None if ts.len() < 2 => None,
                    None => {
                        let edges = edges.extended::<COUNTER>(change, values[0]);
                        Some(change * edges.factor::<PER_SECOND>(windows))
                    }
                };
                slots.set(k, value);
                return;
            }
            let fell = fell.get(histograms.clone()).unwrap_or_default();
            let points = Points { ts, histograms: &samples.histograms[histograms], start_ts, fell };
            let first = &points.histograms[0];
            let change = match ts.len() {
                1 => None,
                _ => match histogram_rate::change(points, COUNTER, remarks) {
                    Some(change) => Some(change),
                    None => return,
                },
            };
            let (mut change, edges) =
                match (begin::<COUNTER>(ts, start_ts, windows.start(k)), change) {
                    (Some(start), None) => ((**first).clone(), edges.since_start(ts, start)),
                    (Some(start), Some(mut change)) => {
                        match change.add(first) {
                            Ok(merged) if merged.bounds_reconciled => {
                                remarks.add(Remark::ReconciledAdd);
                            }
                            Ok(_) => {}
                            Err(_) => return remarks.add(Remark::MixedBuckets),
                        }
                        (change, edges.since_start(ts, start))
                    }
                    (None, None) => return,
                    (None, Some(change)) => {
                        let edges = edges.extended::<COUNTER>(change.count, first.count);
                        (change, edges)
                    }
                };
            change.mul(edges.factor::<PER_SECOND>(windows));
            slots.set_histogram(k, Arc::new(change));
        });
    }
}

/// The start timestamps of a range; empty without.
fn cut<'a>(start_ts: &'a [i64], range: &Range<usize>) -> &'a [i64] {
    start_ts.get(range.clone()).unwrap_or_default()
}

/// The start timestamp of a counter that began inside the window, before its first sample: its value
/// was 0 there.
fn begin<const COUNTER: bool>(ts: &[i64], start_ts: &[i64], window_start: i64) -> Option<i64> {
    let start = *start_ts.first().filter(|_| COUNTER)?;
    (start != 0 && start > window_start && start < ts[0]).then_some(start)
}

/// The last value less the first, for a counter with what was lost in resets between.
fn float_change(
    ts: &[i64],
    values: &[f64],
    start_ts: &[i64],
    counter: bool,
    remarks: &mut Remarks,
) -> f64 {
    let mut change = values[values.len() - 1] - values[0];
    if counter {
        for at in 1..values.len() {
            let mut reset = values[at] < values[at - 1];
            if let (Some(&before), Some(&start)) = (start_ts.get(at - 1), start_ts.get(at)) {
                if overlaps((before, ts[at - 1]), start) {
                    remarks.add(Remark::StartOverlap);
                }
                reset |= is_reset((before, ts[at - 1]), (start, ts[at]));
            }
            if reset {
                change += values[at - 1];
            }
        }
    }
    change
}

/// The indices of samples below their predecessors.
fn resets(values: &[f64]) -> Vec<usize> {
    let later = values.get(1..).unwrap_or_default();
    // First only counted, which the compiler turns into wide compares.
    let count = values.iter().zip(later).filter(|(before, after)| after < before).count();
    if count == 0 {
        return Vec::new();
    }
    let mut found = Vec::with_capacity(count);
    for (i, (before, after)) in values.iter().zip(later).enumerate() {
        if after < before {
            found.push(i + 1);
        }
    }
    found
}

/// Where the samples lie in the window; lengths in ms.
struct Edges {
    to_start: i64,
    sampled: i64,
    to_end: i64,
    gaps: usize,
}

/// How far a change is taken to reach; lengths in seconds.
struct Reach {
    sampled: f64,
    before: f64,
    after: f64,
}

impl Edges {
    /// Where the samples at `ts` lie in window `k`.
    fn new(ts: &[i64], windows: &Windows, k: usize) -> Self {
        let (first, last) = (ts[0], ts[ts.len() - 1]);
        Self {
            to_start: first.wrapping_sub(windows.start(k)),
            sampled: last.wrapping_sub(first),
            to_end: windows.end(k).wrapping_sub(last),
            gaps: ts.len() - 1,
        }
    }

    #[inline(always)]
    fn extrapolate<const COUNTER: bool, const PER_SECOND: bool>(
        &self,
        change: f64,
        first: f64,
        window_seconds: f64,
    ) -> f64 {
        change * self.extended::<COUNTER>(change, first).times::<PER_SECOND>(window_seconds)
    }

    /// The reach to the edges of the window, or half a gap; of a counter not beyond its zero.
    #[inline(always)]
    fn extended<const COUNTER: bool>(&self, change: f64, first: f64) -> Reach {
        let mut before = self.to_start as f64 / 1000.0;
        let sampled = self.sampled as f64 / 1000.0;
        let average = sampled / self.gaps as f64;
        // Samples closer to the edge than this are taken to go on to it; else the series is taken to
        // begin or end half a gap away.
        let threshold = average * 1.1;
        if before >= threshold {
            before = average / 2.0;
        }
        if COUNTER && change > 0.0 && first >= 0.0 {
            // A counter cannot have been below zero.
            let to_zero = sampled * (first / change);
            if to_zero < before {
                before = to_zero;
            }
        }
        Reach { sampled, before, after: self.after(average) }
    }

    /// The reach of a counter that began at `start`, inside the window.
    fn since_start(&self, ts: &[i64], start: i64) -> Reach {
        let average = match self.gaps {
            0 => 0.0,
            gaps => self.sampled as f64 / 1000.0 / gaps as f64,
        };
        let sampled = (ts[ts.len() - 1] - start) as f64 / 1000.0;
        Reach { sampled, before: 0.0, after: self.after(average) }
    }

    #[inline(always)]
    fn after(&self, average: f64) -> f64 {
        let after = self.to_end as f64 / 1000.0;
        if after >= average * 1.1 { average / 2.0 } else { after }
    }
}

impl Reach {
    fn factor<const PER_SECOND: bool>(&self, windows: &Windows) -> f64 {
        self.times::<PER_SECOND>(windows.range_seconds())
    }

    /// What the change between the samples is multiplied by.
    #[inline(always)]
    fn times<const PER_SECOND: bool>(&self, window_seconds: f64) -> f64 {
        let Self { sampled, before, after } = *self;
        let mut factor = if sampled == 0.0 { 1.0 } else { (sampled + before + after) / sampled };
        if PER_SECOND {
            factor /= window_seconds;
        }
        factor
    }
}

/// The change between the window's last two samples (`instantValue`).
#[derive(Debug)]
pub(super) struct LastTwo<const RATE: bool>;

impl<const RATE: bool> Kernel for LastTwo<RATE> {
    fn evaluate(
        &self,
        ts: &[i64],
        values: &[f64],
        windows: &Windows,
        out: &mut [f64],
        valid: &mut [bool],
    ) {
        each_window(ts, windows, 2, out, valid, |_, range| {
            let last = range.end - 1;
            let (before, after) = (values[last - 1], values[last]);
            if !RATE {
                return after - before;
            }
            // After a reset the counter began at zero.
            let change = if after < before { after } else { after - before };
            change / (ts[last].wrapping_sub(ts[last - 1]) as f64 / 1000.0)
        });
    }

    fn evaluate_all(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        mixed::each_window(samples, windows, |k, floats, histograms| {
            slots.set(k, None);
            let last =
                |range: Range<usize>| range.end.saturating_sub(2).max(range.start)..range.end;
            let mut two = mixed::in_order(samples, last(floats), last(histograms));
            let (Some(mut before), Some(mut after)) = (two.next(), two.next()) else { return };
            for next in two {
                (before, after) = (after, next);
            }
            let seconds = (after.ts - before.ts) as f64 / 1000.0;
            match (before.value, after.value) {
                (Value::Float(first), Value::Float(last)) => {
                    let reset = last < first || is_reset(times(&before), times(&after));
                    let change = if RATE && reset { last } else { last - first };
                    slots.set(k, Some(if RATE { change / seconds } else { change }));
                }
                (Value::Histogram(first), Value::Histogram(last)) => {
                    let reset = RATE
                        && (is_reset(times(&before), times(&after)) || last.detect_reset(first));
                    if let Some(mut change) = difference::<RATE>(first, last, reset, remarks) {
                        if RATE {
                            change.div(seconds);
                        }
                        slots.set_histogram(k, Arc::new(change));
                    }
                }
                _ => remarks.add(Remark::MixedRange),
            }
        });
    }
}

/// Start timestamp and timestamp.
fn times(sample: &Sample<'_>) -> (i64, i64) {
    (sample.start, sample.ts)
}

/// The later of two histograms, less the one before unless there was a reset between.
fn difference<const RATE: bool>(
    first: &FloatHistogram,
    last: &FloatHistogram,
    reset: bool,
    remarks: &mut Remarks,
) -> Option<FloatHistogram> {
    let gauges = [first, last].map(|h| h.counter_reset_hint == CounterResetHint::Gauge);
    if RATE && gauges.contains(&true) {
        remarks.add(Remark::NotCounter);
    }
    if !RATE && gauges.contains(&false) {
        remarks.add(Remark::NotGauge);
    }
    let mut change = last.clone();
    if !reset {
        match change.sub(first) {
            Ok(merged) if merged.bounds_reconciled => remarks.add(Remark::ReconciledSub),
            Ok(_) => {}
            Err(_) => {
                remarks.add(Remark::MixedBuckets);
                return None;
            }
        }
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact();
    Some(change)
}
