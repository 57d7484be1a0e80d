//! What operators notice in the samples while a plan runs, by metric: the annotations of the answer.

use std::sync::{Arc, Mutex};

use hashbrown::HashMap;

use crate::functions::{Remark, Remarks};

/// Collects remarks of one call or operator; read it after the plan has run.
#[derive(Debug, Default)]
pub struct Notes {
    /// The metric of each series, numbered by the planner; empty if all are metric 0.
    metric_of: Vec<u32>,
    seen: Mutex<HashMap<u32, Remarks>>,
    /// Warnings about parameters.
    warnings: Mutex<Vec<String>>,
}

impl Notes {
    /// Notes on series with the metrics `metric_of`.
    pub fn new(metric_of: Vec<u32>) -> Arc<Self> {
        Arc::new(Self { metric_of, ..Self::default() })
    }

    /// Adds a warning about a parameter, once.
    fn warn(&self, text: String) {
        if let Ok(mut warnings) = self.warnings.lock()
            && !warnings.contains(&text)
        {
            warnings.push(text);
        }
    }

    /// Warnings about parameters.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().map(|warnings| warnings.clone()).unwrap_or_default()
    }

    /// What was noticed: metric and remark, sorted.
    pub fn found(&self) -> Vec<(u32, Remark)> {
        let Ok(seen) = self.seen.lock() else { return Vec::new() };
        let each = seen
            .iter()
            .flat_map(|(&metric, remarks)| remarks.iter().map(move |remark| (metric, remark)));
        let mut found: Vec<(u32, Remark)> = each.collect();
        found.sort_unstable();
        found
    }
}

/// Writes to [`Notes`]; each partition has its own.
#[derive(Debug)]
pub(super) struct NoteTaker {
    notes: Arc<Notes>,
    /// What was added last: mostly the next series says the same.
    last: (u32, Remarks),
}

impl NoteTaker {
    pub(super) fn new(notes: &Arc<Notes>) -> Self {
        Self { notes: Arc::clone(notes), last: (0, Remarks::default()) }
    }

    /// Adds a warning about a parameter.
    pub(super) fn warn(&self, text: String) {
        self.notes.warn(text);
    }

    /// Adds what was noticed in the samples of `series`.
    pub(super) fn add(&mut self, series: u32, remarks: Remarks) {
        if remarks.is_empty() {
            return;
        }
        let metric = self.notes.metric_of.get(series as usize).copied().unwrap_or(0);
        let (last, known) = &mut self.last;
        if *last == metric && remarks.without(*known).is_empty() {
            return;
        }
        if let Ok(mut seen) = self.notes.seen.lock() {
            let all = seen.entry(metric).or_default();
            all.merge(remarks);
            (*last, *known) = (metric, *all);
        }
    }
}
