//! What one selector of a query has given, counted while the plan runs.

use std::sync::{Arc, Mutex};

use crate::functions::{Consumption, Samples, Slots, Windows};

/// Collects the counts of an operator's partitions; read it after the plan has run.
#[derive(Debug)]
pub struct Consumed(Mutex<Consumption>);

impl Consumed {
    /// Nothing yet, at any of `steps`.
    pub fn new(steps: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Consumption::new(steps))))
    }

    /// What was counted.
    pub fn counts(&self) -> Consumption {
        self.0.lock().map(|counts| counts.clone()).unwrap_or_default()
    }

    /// Adds `samples` that the first step alone looks at.
    pub(crate) fn add(&self, samples: u64) {
        if let Ok(mut counts) = self.0.lock() {
            counts.add(0, samples);
        }
    }
}

/// Counts for [`Consumed`]; each partition has its own.
#[derive(Debug)]
pub(super) struct Counter {
    consumed: Arc<Consumed>,
    counts: Consumption,
    /// The windows that are counted; none if the cells are.
    windows: Option<Windows>,
}

impl Counter {
    /// A counter of the samples in `windows`, or of cells.
    pub(super) fn new(consumed: &Arc<Consumed>, windows: Option<Windows>, steps: usize) -> Self {
        Self { consumed: Arc::clone(consumed), counts: Consumption::new(steps), windows }
    }

    /// Counts one series: its samples, and the cells that were made of them.
    pub(super) fn add(&mut self, samples: &Samples<'_>, cells: &Slots<'_>) {
        match &self.windows {
            Some(windows) => self.counts.add_windows(samples, windows),
            None => self.counts.add_cells(cells),
        }
    }

    /// Hands on what was counted, once the input has ended.
    pub(super) fn finish(&mut self) {
        if let Ok(mut counts) = self.consumed.0.lock() {
            counts.merge(&std::mem::take(&mut self.counts));
        }
    }

    /// Bytes held, here and for all partitions together.
    pub(super) fn held(&self) -> usize {
        4 * self.counts.total.capacity() * size_of::<u64>()
    }
}
