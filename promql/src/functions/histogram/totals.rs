//! Histograms of which only counts and sums matter (`HistogramStatsIterator`).

use std::sync::Arc;

use engine::model::CounterResetHint;

use super::FloatHistogram;
use crate::functions::{Samples, Windows};

/// The histograms of a series without their buckets; each says itself whether there was a counter reset
/// before it, which cannot be seen any more. Nothing is known of that where the one before lies in no
/// window, and so was passed over.
pub fn totals(samples: &Samples<'_>, windows: &Windows) -> Vec<Arc<FloatHistogram>> {
    let mut jumps = jumps(samples, windows).into_iter().peekable();
    let mut before: Option<Arc<FloatHistogram>> = None;
    let total = |(&ts, histogram): (&i64, &Arc<FloatHistogram>)| {
        while jumps.next_if(|&to| to <= ts).is_some() {
            before = None;
        }
        let mut hint = histogram.counter_reset_hint;
        if !histogram.is_stale() {
            if let (CounterResetHint::Unknown, Some(before)) = (hint, &before) {
                hint = match histogram.detect_reset(before) {
                    true => CounterResetHint::CounterReset,
                    false => CounterResetHint::NotCounterReset,
                };
            }
            let held = FloatHistogram { counter_reset_hint: hint, ..(**histogram).clone() };
            before = Some(Arc::new(held));
        }
        let empty = FloatHistogram::empty_like(histogram);
        Arc::new(FloatHistogram {
            counter_reset_hint: hint,
            count: histogram.count,
            sum: histogram.sum,
            custom_values: Arc::default(),
            ..empty
        })
    };
    samples.histogram_ts.iter().zip(samples.histograms).map(total).collect()
}

/// The times to which reading jumps over samples (`BufferedSeriesIterator.Seek`): where a window begins
/// behind the sample that ended the one before. From the second step on, no more is buffered than the step
/// is long.
fn jumps(samples: &Samples<'_>, windows: &Windows) -> Vec<i64> {
    let first_at = |t: i64| {
        let first = |ts: &[i64]| ts.get(ts.partition_point(|&other| other < t)).copied();
        match (first(samples.ts), first(samples.histogram_ts)) {
            (Some(float), Some(histogram)) => Some(float.min(histogram)),
            (float, histogram) => float.or(histogram),
        }
    };
    let mut jumps = Vec::new();
    let mut reached = i64::MIN;
    for window in 0..windows.len() {
        let end = windows.end(window);
        let buffered = match window {
            0 => windows.range(),
            _ => windows.range().min(windows.grid().step),
        };
        let begin = end.saturating_sub(buffered);
        if begin > reached {
            jumps.push(begin);
        }
        let Some(next) = first_at(end.max(begin)) else { break };
        reached = reached.max(next);
    }
    jumps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::grid::Grid;

    #[test]
    fn a_hint_is_known_where_the_histogram_before_was_read() {
        let counted = |count| {
            Arc::new(FloatHistogram {
                counter_reset_hint: CounterResetHint::Unknown,
                schema: 0,
                zero_threshold: 0.0,
                zero_count: count,
                count,
                sum: count,
                positive_spans: Vec::new(),
                negative_spans: Vec::new(),
                positive_buckets: Vec::new(),
                negative_buckets: Vec::new(),
                custom_values: Arc::default(),
            })
        };
        let histograms: Vec<_> = [1.0, 2.0, 1.0, 5.0].map(counted).to_vec();
        let samples = Samples {
            histogram_ts: &[10, 20, 30, 40],
            histograms: &histograms,
            ..Samples::default()
        };
        let hints = |range, step| -> Vec<CounterResetHint> {
            let windows = Windows::new(Grid { start: 20, step, steps: 3 }, range, 0);
            totals(&samples, &windows).iter().map(|total| total.counter_reset_hint).collect()
        };
        use CounterResetHint::{CounterReset, NotCounterReset, Unknown};
        assert_eq!(hints(100, 10), [Unknown, NotCounterReset, CounterReset, NotCounterReset]);
        // (15, 20], (25, 30], (35, 40]: each window alone.
        assert_eq!(hints(5, 10), [Unknown; 4]);
    }
}
