//! Ranges that reach further: `anchored` back to the sample before the range, `smoothed` to the samples
//! before and behind it, with values between them interpolated (`extendedRate` and
//! `extendedHistogramRate` in promql/functions.go).
//!
//! ```text
//! samples    10 at 0s     20 at 60s     30 at 120s          increase(m[60s] …) at 90s
//!                   (30s ─────────── 90s]
//! anchored   from 10, the sample before 30s, to 20          10
//! smoothed   from 15 at 30s to 25 at 90s                    10
//! ```

use std::ops::Range;
use std::sync::Arc;

use engine::model::CounterResetHint;

use super::mixed::{self, Value};
use super::{RangeFunction, RangeKernel};
use crate::functions::histogram::{FloatHistogram, Incompatible};
use crate::functions::start_timestamps::{is_reset, is_reset_after};
use crate::functions::{Remark, Remarks, Samples, Slots, Windows};

/// How far samples reach beyond a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Whether values at the edges are interpolated, and samples behind the range count too.
    pub smoothed: bool,
    /// How far before, and behind, the range samples are looked for, in ms.
    pub lookback: i64,
}

impl Reach {
    /// `windows` and what lies around them.
    pub(crate) fn windows(&self, windows: &Windows) -> Windows {
        windows.widened(self.lookback, if self.smoothed { self.lookback } else { 0 })
    }
}

/// The kernel of a function that knows of such ranges.
pub(super) fn kernel(function: RangeFunction, reach: Reach) -> Option<Box<dyn RangeKernel>> {
    let change = |counter, per_second| Some(Box::new(Change { counter, per_second, reach }) as _);
    match function {
        RangeFunction::Rate => change(true, true),
        RangeFunction::Increase => change(true, false),
        RangeFunction::Delta => change(false, false),
        RangeFunction::Resets => Some(Box::new(AnchoredCount { resets: true, reach })),
        RangeFunction::Changes => Some(Box::new(AnchoredCount { resets: false, reach })),
        _ => None,
    }
}

/// The change between the edges of each window.
#[derive(Debug)]
struct Change {
    counter: bool,
    per_second: bool,
    reach: Reach,
}

/// The range of a window, and where looking back begins.
#[derive(Debug, Clone, Copy)]
struct Edges {
    start: i64,
    end: i64,
    lookback_start: i64,
}

/// Numbers in a window and around it.
#[derive(Debug, Clone, Copy)]
struct Floats<'a> {
    ts: &'a [i64],
    values: &'a [f64],
    start_ts: &'a [i64],
}

impl Floats<'_> {
    fn start(&self, at: usize) -> i64 {
        self.start_ts.get(at).copied().unwrap_or(0)
    }
}

/// The places of the first and the last sample that matter: the newest at or before `start`, else the
/// first; and if `smoothed` the oldest at or behind `end`, else the last.
fn span(ts: &[i64], start: i64, end: i64, smoothed: bool) -> (usize, usize) {
    let last = ts.len() - 1;
    let first = ts[..last].partition_point(|&t| t <= start).saturating_sub(1);
    let last = if smoothed { ts[..last].partition_point(|&t| t < end) } else { last };
    (first, last)
}

/// The value at `t` on the line between two points; a counter that fell began at 0 (`interpolate`).
fn interpolate(before: (i64, f64), after: (i64, f64), t: i64, counter: bool) -> f64 {
    let from = if counter && after.1 < before.1 { 0.0 } else { before.1 };
    from + (after.1 - from) * (t - before.0) as f64 / (after.0 - before.0) as f64
}

/// The value at the left edge, and the start timestamp that holds there (`pickOrInterpolateLeft`).
fn left_value(
    floats: Floats<'_>,
    first: usize,
    edges: Edges,
    smoothed: bool,
    counter: bool,
) -> (f64, i64) {
    let (t, value, start) = (floats.ts[first], floats.values[first], floats.start(first));
    let mut held = if start > edges.start { 0 } else { start };
    if t == edges.start {
        return (value, start);
    }
    if t > edges.start {
        let value = if !counter || !is_reset_after(edges.lookback_start, start, t) {
            value
        } else if is_reset_after(edges.start, start, t) || !smoothed {
            0.0
        } else {
            interpolate((start, 0.0), (t, value), edges.start, counter)
        };
        return (value, held);
    }
    let (next_t, next_start) = (floats.ts[first + 1], floats.start(first + 1));
    let (mut before, mut after) = ((t, value), (next_t, floats.values[first + 1]));
    if counter {
        if is_reset_after(edges.start, next_start, next_t) {
            after = (next_start, 0.0);
        } else if is_reset((start, t), (next_start, next_t)) {
            before = (next_start, 0.0);
            held = next_start;
        }
    }
    match smoothed {
        true => (interpolate(before, after, edges.start, counter), held),
        false => (before.1, held),
    }
}

/// The value at the right edge, and the start timestamp that holds there (`pickOrInterpolateRight`).
fn right_value(
    floats: Floats<'_>,
    last: usize,
    edges: Edges,
    smoothed: bool,
    counter: bool,
) -> (f64, i64) {
    let (t, value, start) = (floats.ts[last], floats.values[last], floats.start(last));
    let mut held = if start > edges.end { 0 } else { start };
    if t <= edges.end {
        return (value, held);
    }
    if last == 0 {
        let value = if !counter || !is_reset_after(edges.lookback_start, start, t) {
            value
        } else if is_reset_after(edges.end, start, t) || !smoothed {
            0.0
        } else {
            interpolate((start, 0.0), (t, value), edges.end, counter)
        };
        return (value, held);
    }
    let (before_t, before_start) = (floats.ts[last - 1], floats.start(last - 1));
    let (mut before, mut after) = ((before_t, floats.values[last - 1]), (t, value));
    if counter {
        if is_reset_after(edges.end, start, t) {
            after = (start, 0.0);
            held = before_start;
        } else if is_reset((before_start, before_t), (start, t)) {
            before = (start, 0.0);
        }
    }
    match smoothed {
        true => (interpolate(before, after, edges.end, counter), held),
        false => (before.1, held),
    }
}

impl Change {
    fn floats(&self, floats: Floats<'_>, edges: Edges, seconds: f64) -> Option<f64> {
        let Reach { smoothed, .. } = self.reach;
        let (mut first, last) = span(floats.ts, edges.start, edges.end, smoothed);
        if floats.ts[last] <= edges.start {
            return None;
        }
        if smoothed && floats.ts[first] > edges.end {
            let (start, t) = (floats.start(first), floats.ts[first]);
            let began = is_reset_after(edges.lookback_start, start, t)
                && !is_reset_after(edges.end, start, t);
            if !self.counter || !began {
                return None;
            }
        }
        let (left, left_start) = left_value(floats, first, edges, smoothed, self.counter);
        let (right, right_start) = right_value(floats, last, edges, smoothed, self.counter);
        let mut change = right - left;
        if self.counter {
            // Samples exactly inside; resets at the edges are in the values there.
            first += usize::from(floats.ts[first] <= edges.start);
            let end = if floats.ts[last] >= edges.end { last } else { last + 1 };
            let (mut before, mut times) = (left, (left_start, edges.start));
            let mut lost = 0.0;
            for at in first..end.max(first) {
                let (now, own) = (floats.values[at], (floats.start(at), floats.ts[at]));
                if now < before || is_reset(times, own) {
                    lost += before;
                }
                (before, times) = (now, own);
            }
            if right < before || is_reset(times, (right_start, edges.end)) {
                lost += before;
            }
            change += lost;
        }
        Some(if self.per_second { change / seconds } else { change })
    }

    fn histograms(
        &self,
        ts: &[i64],
        histograms: &[Arc<FloatHistogram>],
        edges: Edges,
        seconds: f64,
        remarks: &mut Remarks,
    ) -> Option<FloatHistogram> {
        let Reach { smoothed, .. } = self.reach;
        let (first, last) = span(ts, edges.start, edges.end, smoothed);
        if ts[last] <= edges.start || (smoothed && ts[first] > edges.end) {
            return None;
        }
        let custom = histograms[first].uses_custom_buckets();
        for histogram in &histograms[first..=last] {
            if histogram.uses_custom_buckets() != custom {
                remarks.add(Remark::MixedBuckets);
                return None;
            }
            if self.counter && histogram.counter_reset_hint == CounterResetHint::Gauge {
                remarks.add(Remark::NotCounter);
            }
        }
        let change = |remarks: &mut Remarks| -> Result<FloatHistogram, Incompatible> {
            let at = |at: usize| (ts[at], &*histograms[at]);
            let left = match smoothed && ts[first] < edges.start {
                true => between(at(first), at(first + 1), edges.start, self.counter, remarks),
                false => Ok((*histograms[first]).clone()),
            };
            let left = left?;
            let right = match smoothed && last > 0 && ts[last] > edges.end {
                true => between(at(last - 1), at(last), edges.end, self.counter, remarks),
                false => Ok((*histograms[last]).clone()),
            };
            let right = right?;
            let gauge = CounterResetHint::Gauge;
            if !self.counter && [&left, &right].iter().any(|h| h.counter_reset_hint != gauge) {
                remarks.add(Remark::NotGauge);
            }
            let mut change = right.clone();
            if change.sub(&left)?.bounds_reconciled {
                remarks.add(Remark::ReconciledSub);
            }
            if self.counter {
                let inside = Inside { ts, histograms, first, last, start: edges.start, smoothed };
                if let Some(lost) = inside.lost(left, &right, remarks)?
                    && change.add(&lost)?.bounds_reconciled
                {
                    remarks.add(Remark::ReconciledAdd);
                }
            }
            if self.per_second {
                change.div(seconds);
            }
            change.counter_reset_hint = gauge;
            change.compact();
            Ok(change)
        };
        let change = change(remarks);
        if change.is_err() {
            remarks.add(Remark::MixedBuckets);
        }
        change.ok()
    }
}

/// The histograms between both edges.
struct Inside<'a> {
    ts: &'a [i64],
    histograms: &'a [Arc<FloatHistogram>],
    first: usize,
    last: usize,
    start: i64,
    smoothed: bool,
}

impl Inside<'_> {
    /// What was lost in counter resets (`correctForCounterResetsHistogram`).
    fn lost(
        &self,
        left: FloatHistogram,
        right: &FloatHistogram,
        remarks: &mut Remarks,
    ) -> Result<Option<FloatHistogram>, Incompatible> {
        let Self { ts, histograms, mut first, last, .. } = *self;
        let (mut before, mut next) = (Arc::new(left), first + 1);
        if self.smoothed
            && ts[first] < self.start
            && histograms[first + 1].detect_reset(&histograms[first])
        {
            // The value at the edge already begins after that reset.
            first += 1;
            before = Arc::clone(&histograms[first]);
            next += 1;
        }
        // The right edge has the last one's hint: it is not compared with it.
        if next > last {
            return Ok(None);
        }
        let mut lost: Option<FloatHistogram> = None;
        let mut add = |histogram: &FloatHistogram, remarks: &mut Remarks| {
            match &mut lost {
                None => lost = Some(histogram.clone()),
                Some(lost) => {
                    if lost.add(histogram)?.bounds_reconciled {
                        remarks.add(Remark::ReconciledAdd);
                    }
                }
            }
            Ok(())
        };
        for histogram in &histograms[next..last] {
            if histogram.detect_reset(&before) {
                add(&before, remarks)?;
            }
            before = Arc::clone(histogram);
        }
        if right.detect_reset(&before) {
            add(&before, remarks)?;
        }
        Ok(lost)
    }
}

/// The histogram at `t` on the line between two (`interpolateHistograms`).
fn between(
    (before_t, before): (i64, &FloatHistogram),
    (after_t, after): (i64, &FloatHistogram),
    t: i64,
    counter: bool,
    remarks: &mut Remarks,
) -> Result<FloatHistogram, Incompatible> {
    if t == before_t {
        return Ok(before.clone());
    }
    let mut result = after.clone();
    if t == after_t {
        return Ok(result);
    }
    let fraction = (t - before_t) as f64 / (after_t - before_t) as f64;
    if counter && after.detect_reset(before) {
        result.mul(fraction);
        return Ok(result);
    }
    if result.sub(before)?.bounds_reconciled {
        remarks.add(Remark::ReconciledSub);
    }
    result.mul(fraction);
    if result.add(before)?.bounds_reconciled {
        remarks.add(Remark::ReconciledAdd);
    }
    Ok(result)
}

impl RangeKernel for Change {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        let fresh = mixed::Fresh::new(samples);
        let samples = fresh.samples();
        let seconds = windows.range_seconds();
        let wide = self.reach.windows(windows);
        mixed::each_window(&samples, &wide, |k, floats, histograms| {
            slots.set(k, None);
            let start = windows.start(k);
            let lookback_start = start.saturating_sub(self.reach.lookback);
            let edges = Edges { start, end: windows.end(k), lookback_start };
            match (floats.is_empty(), histograms.is_empty()) {
                (true, true) => {}
                (false, false) => remarks.add(Remark::MixedRange),
                (false, true) => {
                    let floats = cut(&samples, floats);
                    slots.set(k, self.floats(floats, edges, seconds));
                }
                (true, false) => {
                    let ts = &samples.histogram_ts[histograms.clone()];
                    let histograms = &samples.histograms[histograms];
                    let mut noted = Remarks::default();
                    let change = self.histograms(ts, histograms, edges, seconds, &mut noted);
                    remarks.merge(noted);
                    if let Some(change) = change {
                        slots.set_histogram(k, Arc::new(change));
                    }
                }
            }
        });
    }
}

fn cut<'a>(samples: &Samples<'a>, range: Range<usize>) -> Floats<'a> {
    Floats {
        ts: &samples.ts[range.clone()],
        values: &samples.values[range.clone()],
        start_ts: samples.start_ts.get(range).unwrap_or_default(),
    }
}

/// `resets` and `changes` from the sample before the range on (`pickFirstSampleIndices`).
#[derive(Debug)]
struct AnchoredCount {
    resets: bool,
    reach: Reach,
}

impl RangeKernel for AnchoredCount {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        _: &mut Remarks,
    ) {
        let fresh = mixed::Fresh::new(samples);
        let samples = fresh.samples();
        let wide = self.reach.windows(windows);
        mixed::each_window(&samples, &wide, |k, floats, histograms| {
            let start = windows.start(k);
            let mut all: Vec<_> = mixed::in_order(&samples, floats, histograms).collect();
            let before = all.partition_point(|sample| sample.ts <= start);
            if before == all.len() {
                return slots.set(k, None);
            }
            all.drain(..before.saturating_sub(1));
            let differs = |pair: &&[mixed::Sample<'_>]| {
                let [before, after] = pair else { return false };
                let begins =
                    self.resets && is_reset((before.start, before.ts), (after.start, after.ts));
                match (before.value, after.value) {
                    (Value::Float(first), Value::Float(last)) if self.resets => {
                        last < first || begins
                    }
                    (Value::Float(first), Value::Float(last)) => {
                        super::changes::changed(first, last)
                    }
                    (Value::Histogram(first), Value::Histogram(last)) if self.resets => {
                        begins || last.detect_reset(first)
                    }
                    (Value::Histogram(first), Value::Histogram(last)) => !last.equals(first),
                    _ => true,
                }
            };
            slots.set(k, Some(all.windows(2).filter(differs).count() as f64));
        });
    }
}

/// `smoothed` of an instant selector: the value on the line between the samples before and behind each
/// step (`smoothSeries` in promql/engine.go).
#[derive(Debug, Clone, Copy)]
pub struct Smooth;

impl RangeKernel for Smooth {
    fn row(
        &self,
        samples: &Samples<'_>,
        windows: &Windows,
        slots: &mut Slots<'_>,
        remarks: &mut Remarks,
    ) {
        let fresh = mixed::Fresh::new(samples);
        let samples = fresh.samples();
        let wide = windows.widened(0, windows.range());
        mixed::each_window(&samples, &wide, |k, floats, histograms| {
            slots.set(k, None);
            let t = windows.end(k);
            if !floats.is_empty() && !histograms.is_empty() {
                return remarks.add(Remark::MixedRange);
            }
            let (ts, is_float) = match floats.is_empty() {
                false => (&samples.ts[floats.clone()], true),
                true => (&samples.histogram_ts[histograms.clone()], false),
            };
            let at = ts.partition_point(|&other| other < t);
            let exact = ts.get(at) == Some(&t);
            if !exact && at == 0 {
                return;
            }
            if is_float {
                let values = &samples.values[floats];
                slots.set(
                    k,
                    Some(match (exact, ts.get(at)) {
                        (true, _) => values[at],
                        (false, Some(&next)) => {
                            let before = (ts[at - 1], values[at - 1]);
                            interpolate(before, (next, values[at]), t, false)
                        }
                        (false, None) => values[at - 1],
                    }),
                );
                return;
            }
            let all = &samples.histograms[histograms];
            let gauge = CounterResetHint::Gauge;
            let result = match (exact, ts.get(at)) {
                (true, _) => Ok((*all[at]).clone()),
                (false, Some(&next)) => {
                    let (first, last) = (&all[at - 1], &all[at]);
                    let counter =
                        first.counter_reset_hint != gauge || last.counter_reset_hint != gauge;
                    match first.uses_custom_buckets() == last.uses_custom_buckets() {
                        true => between((ts[at - 1], first), (next, last), t, counter, remarks),
                        false => Err(Incompatible),
                    }
                }
                (false, None) => {
                    let unknown = CounterResetHint::Unknown;
                    Ok(FloatHistogram { counter_reset_hint: unknown, ..(*all[at - 1]).clone() })
                }
            };
            match result {
                Ok(result) => slots.set_histogram(k, Arc::new(result)),
                Err(Incompatible) => remarks.add(Remark::MixedBuckets),
            }
        });
    }
}

/// The samples of an extended range with values at its edges (`extendFloats` in promql/engine.go).
pub fn boundaries(
    ts: &[i64],
    values: &[f64],
    (start, end): (i64, i64),
    reach: Reach,
) -> (Vec<i64>, Vec<f64>) {
    if ts.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let floats = Floats { ts, values, start_ts: &[] };
    let (mut first, last) = span(ts, start, end, reach.smoothed);
    if ts[last] <= start {
        return (Vec::new(), Vec::new());
    }
    let edges = Edges { start, end, lookback_start: start.saturating_sub(reach.lookback) };
    let (left, _) = left_value(floats, first, edges, reach.smoothed, false);
    let (right, _) = right_value(floats, last, edges, reach.smoothed, false);
    first += usize::from(ts[first] <= start);
    let inside = first..if ts[last] >= end { last } else { last + 1 }.max(first);
    let with = |edge: i64, inside: &[i64], other: i64| [&[edge], inside, &[other]].concat();
    let times = with(start, &ts[inside.clone()], end);
    (times, [&[left], &values[inside], &[right]].concat())
}
