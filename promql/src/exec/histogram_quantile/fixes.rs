//! What was done to buckets whose counts fell.

use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{DateTime, SecondsFormat, Utc};
use hashbrown::HashMap;

use crate::exec::grid::Grid;
use crate::functions::buckets::Flattened;
use crate::functions::float_text::{general, two_digits};

/// Collects the histograms that a call had to make monotonic, by metric, while it runs; read it
/// afterwards.
#[derive(Debug)]
pub struct MonotonicityFixes {
    /// The metric of each group, numbered by the planner; empty if all are metric 0.
    metric_of: Vec<u32>,
    /// The steps of the call.
    grid: Grid,
    /// All but the counts, and how many fixes each step has.
    seen: Mutex<HashMap<u32, (Fixed, BTreeMap<usize, u64>)>>,
}

/// What was done to the buckets of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fixed {
    min_bound: f64,
    max_bound: f64,
    max_diff: f64,
    /// In ms.
    first: i64,
    last: i64,
    count: u64,
}

impl MonotonicityFixes {
    /// Fixes of groups with the metrics `metric_of` at the steps of `grid`.
    pub fn new(metric_of: Vec<u32>, grid: Grid) -> Self {
        Self { metric_of, grid, seen: Mutex::default() }
    }

    /// Takes note of a fix of `group` at a step.
    pub(super) fn add(&self, group: u32, step: usize, fix: Flattened) {
        let metric = self.metric_of.get(group as usize).copied().unwrap_or(0);
        let time = self.grid.time(step);
        let new = Fixed {
            min_bound: fix.min_bound,
            max_bound: fix.max_bound,
            max_diff: fix.max_diff,
            first: time,
            last: time,
            count: 0,
        };
        let Ok(mut seen) = self.seen.lock() else { return };
        let (seen, counts) = seen.entry(metric).or_insert_with(|| (new, BTreeMap::new()));
        *seen = seen.merged(&new);
        *counts.entry(step).or_default() += 1;
    }

    /// What was done to each metric, sorted by metric.
    pub fn found(&self) -> Vec<(u32, Fixed)> {
        let Ok(seen) = self.seen.lock() else { return Vec::new() };
        let with_count = |(&metric, (fixed, counts)): (&u32, &(Fixed, BTreeMap<usize, u64>))| {
            (metric, Fixed { count: told(counts, self.grid.steps), ..*fixed })
        };
        let mut found: Vec<_> = seen.iter().map(with_count).collect();
        found.sort_unstable_by_key(|(metric, _)| *metric);
        found
    }
}

/// How many samples Prometheus says were fixed. It merges what is known with itself at each step after
/// the first that has a fix (`warnings.Merge` in `rangeEval` and in the function that it calls), so that
/// the number doubles, and runs over after 64 steps.
fn told(counts: &BTreeMap<usize, u64>, steps: usize) -> u64 {
    let Some((&first, &count)) = counts.first_key_value() else { return 0 };
    (first + 1..steps).fold(count, |told, step| {
        let more = counts.get(&step).copied().unwrap_or_default();
        told.wrapping_add(more).wrapping_mul(2)
    })
}

impl Fixed {
    /// Both together.
    pub fn merged(&self, other: &Self) -> Self {
        Self {
            min_bound: self.min_bound.min(other.min_bound),
            max_bound: self.max_bound.max(other.max_bound),
            max_diff: self.max_diff.max(other.max_diff),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            count: self.count.wrapping_add(other.count),
        }
    }

    /// What Prometheus' info says of it behind the metric's name.
    pub fn text(&self) -> String {
        let time = |ms: i64| {
            let time = DateTime::<Utc>::from_timestamp(ms.div_euclid(1000), 0).unwrap_or_default();
            time.to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            general(self.min_bound),
            general(self.max_bound),
            two_digits(self.max_diff),
            self.count.cast_signed(),
            time(self.first),
            time(self.last),
        )
    }
}
