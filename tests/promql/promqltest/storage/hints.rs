//! Which counter reset hints survive being stored.
//!
//! Prometheus' head keeps a hint only by where it cuts chunks (`appendable` in
//! `tsdb/chunkenc/float_histogram.go`): histograms after the first of a chunk are known to be no reset,
//! of the first nothing is known, and gauges stay gauges. What a histogram said itself matters only
//! where it makes a chunk end.

use std::collections::BTreeMap;

use engine::model::CounterResetHint;

use super::super::histogram::Native;
use super::super::script::{Sample, Value};

/// No chunk goes on over a multiple of this, in ms: the block range of promqltest's storage.
const CHUNK_RANGE_MS: i64 = 24 * 3_600_000;

/// Gives the histograms of a series the hints with which they are read back.
pub(super) fn keep(samples: &mut [Sample]) {
    // The time at which the chunk of counters began, and its last histogram.
    let mut chunk: Option<(i64, Native)> = None;
    for Sample { ts, value, .. } in samples {
        let native = match value {
            Value::Histogram(native) if native.hint != CounterResetHint::Gauge => native,
            _ => {
                chunk = None;
                continue;
            }
        };
        let goes_on = chunk.as_ref().is_some_and(|(began, last)| {
            began.div_euclid(CHUNK_RANGE_MS) == ts.div_euclid(CHUNK_RANGE_MS)
                && continues(last, native)
        });
        native.hint = match goes_on && !native.is_stale() {
            true => CounterResetHint::NotCounterReset,
            false => CounterResetHint::Unknown,
        };
        let began = chunk.take().filter(|_| goes_on).map_or(*ts, |(began, _)| began);
        chunk = Some((began, (**native).clone()));
    }
}

/// Whether `next` stands in the same chunk as `last`.
fn continues(last: &Native, next: &Native) -> bool {
    if next.hint == CounterResetHint::CounterReset {
        return false;
    }
    if next.is_stale() || last.is_stale() {
        return next.is_stale();
    }
    let none_falls = |last: &BTreeMap<i32, f64>, next: &BTreeMap<i32, f64>| {
        last.iter().all(|(at, &count)| next.get(at).copied().unwrap_or_default() >= count)
    };
    next.count >= last.count
        && next.schema == last.schema
        && next.zero_threshold == last.zero_threshold
        && next.custom_values == last.custom_values
        && next.zero_count >= last.zero_count
        && none_falls(&last.positive, &next.positive)
        && none_falls(&last.negative, &next.negative)
}
