//! Histograms of which only counts and sums matter (`HistogramStatsIterator`).

use std::sync::Arc;

use engine::model::CounterResetHint;

use super::FloatHistogram;

/// The histograms of a series without their buckets; each says itself whether there was a counter reset
/// before it, which cannot be seen any more.
pub fn totals(histograms: &[Arc<FloatHistogram>]) -> Vec<Arc<FloatHistogram>> {
    let mut before: Option<Arc<FloatHistogram>> = None;
    let total = |histogram: &Arc<FloatHistogram>| {
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
    histograms.iter().map(total).collect()
}
