//! What was done to buckets whose counts fell.

use std::sync::Mutex;

use chrono::{DateTime, SecondsFormat, Utc};
use hashbrown::HashMap;

use crate::functions::buckets::Flattened;
use crate::functions::float_text::{general, two_digits};

/// Collects the histograms that a call had to make monotonic, by metric, while it runs; read it
/// afterwards.
#[derive(Debug, Default)]
pub struct MonotonicityFixes {
    /// The metric of each group, numbered by the planner; empty if all are metric 0.
    metric_of: Vec<u32>,
    seen: Mutex<HashMap<u32, Seen>>,
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
    /// Fixes of groups with the metrics `metric_of`.
    pub fn new(metric_of: Vec<u32>) -> Self {
        Self { metric_of, seen: Mutex::default() }
    }

    /// Takes note of a fix of `group` at `time` in ms.
    pub(super) fn add(&self, group: u32, time: i64, fix: Flattened) {
        let metric = self.metric_of.get(group as usize).copied().unwrap_or(0);
        let Ok(mut seen) = self.seen.lock() else { return };
        let seen = seen.entry(metric).or_insert(Seen {
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

    /// What Prometheus' info says of each metric behind its name, sorted by metric.
    pub fn found(&self) -> Vec<(u32, String)> {
        let Ok(seen) = self.seen.lock() else { return Vec::new() };
        let mut found: Vec<_> = seen.iter().map(|(&metric, seen)| (metric, seen.text())).collect();
        found.sort_unstable();
        found
    }
}

impl Seen {
    fn text(&self) -> String {
        let time = |ms: i64| {
            let time = DateTime::<Utc>::from_timestamp(ms.div_euclid(1000), 0).unwrap_or_default();
            time.to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            general(self.min_bound),
            general(self.max_bound),
            two_digits(self.max_diff),
            self.count,
            time(self.first),
            time(self.last),
        )
    }
}
