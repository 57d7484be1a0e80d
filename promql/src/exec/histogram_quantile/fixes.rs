//! What was done to buckets whose counts fell.

use std::sync::Mutex;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::functions::buckets::Flattened;
use crate::functions::float_text::{general, two_digits};

/// Collects the histograms that a call had to make monotonic, while it runs; read it afterwards.
#[derive(Debug, Default)]
pub struct MonotonicityFixes {
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    min_bound: f64,
    max_bound: f64,
    max_diff: f64,
    first: i64,
    last: i64,
    count: u64,
}

impl MonotonicityFixes {
    /// Takes note of a fix at `time` in ms.
    pub(super) fn add(&self, time: i64, fix: Flattened) {
        let Ok(mut seen) = self.seen.lock() else { return };
        let seen = seen.get_or_insert(Seen {
            min_bound: fix.min_bound,
            max_bound: fix.max_bound,
            max_diff: fix.max_diff,
            first: time,
            last: time,
            count: 0,
        });
        seen.min_bound = seen.min_bound.min(fix.min_bound);
        seen.max_bound = seen.max_bound.max(fix.max_bound);
        seen.max_diff = seen.max_diff.max(fix.max_diff);
        seen.first = seen.first.min(time);
        seen.last = seen.last.max(time);
        seen.count += 1;
    }

    /// Prometheus' info about all of them, if there were any; without a position.
    pub fn info(&self) -> Option<String> {
        let seen = (*self.seen.lock().ok()?)?;
        let time = |ms: i64| {
            let time = DateTime::<Utc>::from_timestamp(ms.div_euclid(1000), 0).unwrap_or_default();
            time.to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        Some(format!(
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), \
             from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            general(seen.min_bound),
            general(seen.max_bound),
            two_digits(seen.max_diff),
            seen.count,
            time(seen.first),
            time(seen.last),
        ))
    }
}
