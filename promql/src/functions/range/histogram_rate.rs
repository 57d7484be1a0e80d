//! The change of a native histogram over a window (`histogramRate` in promql/functions.go).

use std::sync::Arc;

use engine::model::CounterResetHint;

use crate::functions::histogram::FloatHistogram;
use crate::functions::start_timestamps::{is_reset, overlaps};
use crate::functions::{Remark, Remarks};

/// The histograms of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points<'a> {
    pub(super) ts: &'a [i64],
    pub(super) histograms: &'a [Arc<FloatHistogram>],
    /// Start timestamps, or empty.
    pub(super) start_ts: &'a [i64],
    /// Of a counter: whether each [fell](falls) from the one before; not looked at for the first.
    pub(super) fell: &'a [bool],
}

impl Points<'_> {
    /// Whether the counter began anew with point `at`, by its start timestamp or its buckets.
    fn begins(&self, at: usize) -> bool {
        let started = self.start_ts.len() > at
            && is_reset((self.start_ts[at - 1], self.ts[at - 1]), (self.start_ts[at], self.ts[at]));
        started || self.fell[at]
    }
}

/// Whether each histogram of a series shows that the counter began anew after the one before: found once a
/// series, because windows overlap.
pub(super) fn falls(histograms: &[Arc<FloatHistogram>]) -> Vec<bool> {
    let mut falls = vec![false; histograms.len()];
    for (fell, pair) in falls.iter_mut().skip(1).zip(histograms.windows(2)) {
        *fell = pair[1].detect_reset(&pair[0]);
    }
    falls
}

/// The last histogram less the first, for a counter with what was lost in resets between: a gauge,
/// compact. None if the histograms do not go together. There are two at least.
pub(super) fn change(
    points: Points<'_>,
    counter: bool,
    remarks: &mut Remarks,
) -> Option<FloatHistogram> {
    let mut noted = Remarks::default();
    let change = compatible_change(points, counter, &mut noted);
    remarks.merge(match change {
        Ok(_) => noted,
        // That the first or last histogram is no counter is said all the same.
        Err(Mixed::Ends) => {
            noted.add(Remark::MixedBuckets);
            noted
        }
        Err(Mixed::Between) => Remark::MixedBuckets.into(),
    });
    change.ok()
}

/// Where histograms of exponential and of custom buckets met.
enum Mixed {
    Ends,
    Between,
}

fn compatible_change(
    points: Points<'_>,
    counter: bool,
    remarks: &mut Remarks,
) -> Result<FloatHistogram, Mixed> {
    let histograms = points.histograms;
    let [first, .., last] = histograms else { return Err(Mixed::Ends) };
    let is_gauge =
        |histogram: &FloatHistogram| histogram.counter_reset_hint == CounterResetHint::Gauge;
    if counter && (is_gauge(first) || is_gauge(last)) {
        remarks.add(Remark::NotCounter);
    }
    // If the counter began anew after the first histogram, its buckets do not matter.
    let empty = (counter && points.begins(1)).then(|| FloatHistogram::empty_like(&histograms[1]));
    let before = empty.as_ref().unwrap_or(first);
    let custom = before.uses_custom_buckets();
    if last.uses_custom_buckets() != custom {
        return Err(Mixed::Ends);
    }
    let mut schema = last.schema.min(before.schema);
    if counter {
        for between in &histograms[1..histograms.len() - 1] {
            if is_gauge(between) {
                remarks.add(Remark::NotCounter);
            }
            schema = schema.min(between.schema);
            if between.uses_custom_buckets() != custom {
                return Err(Mixed::Between);
            }
        }
    }
    let mut change = last.copy_to_schema(schema).map_err(|_| Mixed::Between)?;
    let merged = change.sub(before).map_err(|_| Mixed::Between)?;
    if merged.bounds_reconciled {
        remarks.add(Remark::ReconciledSub);
    }
    if counter {
        for at in 1..histograms.len() {
            if points.start_ts.len() > at
                && overlaps((points.start_ts[at - 1], points.ts[at - 1]), points.start_ts[at])
            {
                remarks.add(Remark::StartOverlap);
            }
            // The first, if the counter began anew after it, was never taken off.
            if at > 1 && points.begins(at) {
                let merged = change.add(&histograms[at - 1]).map_err(|_| Mixed::Between)?;
                if merged.bounds_reconciled {
                    remarks.add(Remark::ReconciledAdd);
                }
            }
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        remarks.add(Remark::NotGauge);
    }
    change.counter_reset_hint = CounterResetHint::Gauge;
    change.compact();
    Ok(change)
}
