//! How many samples a selector gives at each step: what `stats` tells of a query (`QuerySamples` in
//! util/stats/query_stats.go).
//!
//! ```text
//! samples at 0 15 30 45 60 75        m[60s] at 60 and 75
//! total   windows overlap, and count what is in both twice     4 4
//! read    what no window before has seen                       4 1
//! ```
//!
//! A number counts as one sample, a native histogram as so many as it takes the memory of. Stale markers
//! are none.

use super::histogram::FloatHistogram;
use super::range::mixed::{Fresh, each_window};
use super::{Samples, Slots, Windows};

/// Samples, one number a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumption {
    /// Samples that are looked at.
    pub total: Vec<u64>,
    /// Those among them that no step before has looked at.
    pub read: Vec<u64>,
}

impl Consumption {
    /// Nothing at any of `steps`.
    pub fn new(steps: usize) -> Self {
        Self { total: vec![0; steps], read: vec![0; steps] }
    }

    /// Adds `samples` that step `k` alone looks at.
    pub fn add(&mut self, k: usize, samples: u64) {
        for counts in [&mut self.total, &mut self.read] {
            if let Some(count) = counts.get_mut(k) {
                *count += samples;
            }
        }
    }

    /// Adds what another counted at the same steps.
    pub fn merge(&mut self, other: &Self) {
        let add = |to: &mut [u64], from: &[u64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        add(&mut self.total, &other.total);
        add(&mut self.read, &other.read);
    }

    /// Adds what an instant selector found of a series: each cell is one sample (`evalSeries` in
    /// promql/engine.go).
    pub fn add_cells(&mut self, cells: &Slots<'_>) {
        let numbers = cells.valid.iter().enumerate().filter(|(_, valid)| **valid);
        numbers.for_each(|(k, _)| self.add(k, 1));
        for (k, histogram) in cells.histograms.iter().enumerate() {
            if let Some(histogram) = histogram {
                self.add(k, histogram.samples());
            }
        }
    }

    /// Adds the samples of a series that lie in the windows of a range (`eval` of a call in
    /// promql/engine.go). Windows that are the same at every step are read once.
    pub fn add_windows(&mut self, samples: &Samples<'_>, windows: &Windows) {
        let fresh = Fresh::new(samples);
        let samples = fresh.samples();
        let sizes: Vec<u64> = samples.histograms.iter().map(|h| h.samples()).collect();
        let count = |floats: std::ops::Range<usize>, histograms: std::ops::Range<usize>| {
            floats.len() as u64 + sizes[histograms].iter().sum::<u64>()
        };
        each_window(&samples, windows, |k, floats, histograms| {
            self.total[k] += count(floats, histograms);
        });
        let moving = !windows.is_fixed();
        each_window(&samples, &windows.since_last(), |k, floats, histograms| {
            if moving && k > 0 {
                self.read[k] += count(floats, histograms);
            }
        });
        each_window(&samples, &windows.part(0..1), |k, floats, histograms| {
            self.read[k] += count(floats, histograms);
        });
    }
}

impl FloatHistogram {
    /// As how many samples it counts: its size in Go's memory and that of its timestamp, in units of 16
    /// bytes (`HPoint.size` in promql/value.go).
    pub fn samples(&self) -> u64 {
        let spans = self.positive_spans.len() + self.negative_spans.len();
        let buckets = self.positive_buckets.len() + self.negative_buckets.len();
        (168 + 8 * (spans + buckets + self.custom_values.len() + 1)) as u64 / 16
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::model::{CounterResetHint, STALE_NAN_BITS, Span};

    use super::*;
    use crate::exec::grid::Grid;

    fn histogram(buckets: usize) -> Arc<FloatHistogram> {
        Arc::new(FloatHistogram {
            counter_reset_hint: CounterResetHint::Unknown,
            schema: 0,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: buckets as f64,
            sum: 1.0,
            positive_spans: vec![Span { offset: 0, length: buckets as u32 }],
            negative_spans: Vec::new(),
            positive_buckets: vec![1.0; buckets],
            negative_buckets: Vec::new(),
            custom_values: Arc::default(),
        })
    }

    fn windows(samples: &Samples<'_>, windows: Windows) -> (Vec<u64>, Vec<u64>) {
        let mut found = Consumption::new(windows.len());
        found.add_windows(samples, &windows);
        (found.total, found.read)
    }

    #[test]
    fn overlapping_windows_count_again_and_read_once() {
        let ts = [0, 15, 30, 45, 60, 75, 90];
        let mut values = [1.0; 7];
        let floats = Samples::floats(&ts, &values);
        let steps = Grid { start: 60, step: 15, steps: 3 };
        assert_eq!(windows(&floats, Windows::new(steps, 60, 0)), (vec![4, 4, 4], vec![4, 1, 1]));
        // Steps longer than the range read all of their windows.
        let far = Grid { start: 30, step: 60, steps: 2 };
        assert_eq!(windows(&floats, Windows::new(far, 30, 0)), (vec![2, 2], vec![2, 2]));
        let fixed = Windows::fixed(steps, 30, 0, 45);
        assert_eq!(windows(&floats, fixed), (vec![2, 2, 2], vec![2, 0, 0]));
        values[4] = f64::from_bits(STALE_NAN_BITS);
        let floats = Samples::floats(&ts, &values);
        assert_eq!(windows(&floats, Windows::new(steps, 60, 0)), (vec![3, 3, 3], vec![3, 1, 1]));
        // Timestamps alone.
        let times = Samples { ts: &ts, ..Samples::default() };
        assert_eq!(windows(&times, Windows::new(steps, 60, 0)), (vec![4, 4, 4], vec![4, 1, 1]));
    }

    #[test]
    fn histograms_count_by_their_size() {
        assert_eq!((histogram(0).samples(), histogram(4).samples()), (11, 13));
        let histograms = [histogram(4), histogram(4)];
        let samples = Samples {
            histogram_ts: &[30, 60],
            histograms: &histograms,
            ..Samples::floats(&[45], &[1.0])
        };
        let steps = Grid { start: 45, step: 15, steps: 2 };
        assert_eq!(windows(&samples, Windows::new(steps, 45, 0)), (vec![14, 27], vec![14, 13]));
        let mut found = Consumption::new(2);
        found.add_cells(&Slots {
            values: &mut [1.0, 0.0],
            valid: &mut [true, false],
            histograms: &mut [None, Some(histogram(4))],
        });
        assert_eq!(found.total, [1, 13]);
        assert_eq!(found.read, [1, 13]);
    }
}
