//! What range functions read and write.

use std::sync::Arc;

use super::histogram::FloatHistogram;

/// The samples of one series, numbers and native histograms apart, each in order of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Samples<'a> {
    /// Timestamps of the numbers in ms, strictly ascending.
    pub ts: &'a [i64],
    /// The numbers, stale markers included; empty where timestamps alone were read and none is a
    /// stale marker.
    pub values: &'a [f64],
    /// Start timestamps of the numbers in ms, 0 for unknown; empty without.
    pub start_ts: &'a [i64],
    /// Timestamps of the histograms in ms, strictly ascending.
    pub histogram_ts: &'a [i64],
    /// The histograms, stale markers included.
    pub histograms: &'a [Arc<FloatHistogram>],
    /// Start timestamps of the histograms; empty without.
    pub histogram_start_ts: &'a [i64],
}

impl<'a> Samples<'a> {
    /// Numbers alone.
    pub fn floats(ts: &'a [i64], values: &'a [f64]) -> Self {
        Self { ts, values, ..Self::default() }
    }

    /// Whether these are numbers without start timestamps: what the kernels are fast on.
    pub fn is_plain(&self) -> bool {
        self.histogram_ts.is_empty() && self.start_ts.is_empty()
    }
}

/// The cells of a row that is being written, one a step: a number where `valid`, or a histogram.
#[derive(Debug)]
pub struct Slots<'a> {
    /// The numbers.
    pub values: &'a mut [f64],
    /// Which of them are there.
    pub valid: &'a mut [bool],
    /// The histograms; empty in a grid of numbers alone.
    pub histograms: &'a mut [Option<Arc<FloatHistogram>>],
}

impl Slots<'_> {
    /// Puts a number, or nothing, into the cell of a step.
    pub fn set(&mut self, step: usize, value: Option<f64>) {
        self.values[step] = value.unwrap_or(0.0);
        self.valid[step] = value.is_some();
    }

    /// Puts a histogram into the cell of a step.
    pub fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        if let Some(cell) = self.histograms.get_mut(step) {
            *cell = Some(histogram);
        }
    }
}
