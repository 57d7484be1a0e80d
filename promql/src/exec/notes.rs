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
    /// Of operators that keep one remark a step: the last of each, with its place among the others.
    last: Mutex<Vec<Option<(u64, Remark)>>>,
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
        if let Ok(last) = self.last.lock() {
            found.extend(last.iter().flatten().map(|&(_, remark)| (0, remark)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Writes to [`Notes`]; each partition has its own.
#[derive(Debug)]
pub(super) struct NoteTaker {
    notes: Arc<Notes>,
    /// What was added last: mostly the next series says the same.
    last: (u32, Remarks),
    /// The last remark of each step and its place, if any was added.
    by_step: Vec<Option<(u64, Remark)>>,
}

impl NoteTaker {
    pub(super) fn new(notes: &Arc<Notes>) -> Self {
        Self { notes: Arc::clone(notes), last: (0, Remarks::default()), by_step: Vec::new() }
    }

    /// Adds a warning about a parameter.
    pub(super) fn warn(&self, text: String) {
        self.notes.warn(text);
    }

    /// Adds what an operator noticed at `step`, that keeps the last remark of each alone
    /// (`VectorBinop` and `VectorscalarBinop` in promql/engine.go); `place` says which is later.
    pub(super) fn add_last(&mut self, step: usize, place: u64, remark: Remark) {
        if self.by_step.len() <= step {
            self.by_step.resize(step + 1, None);
        }
        keep_later(&mut self.by_step[step], (place, remark));
    }

    /// Hands on the last remark of each step, once the input has ended.
    pub(super) fn finish(&mut self) {
        if self.by_step.is_empty() {
            return;
        }
        if let Ok(mut last) = self.notes.last.lock() {
            let steps = last.len().max(self.by_step.len());
            last.resize(steps, None);
            for (last, own) in last.iter_mut().zip(self.by_step.drain(..)) {
                own.into_iter().for_each(|own| keep_later(last, own));
            }
        }
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

fn keep_later(kept: &mut Option<(u64, Remark)>, new: (u64, Remark)) {
    if kept.is_none_or(|(place, _)| place <= new.0) {
        *kept = Some(new);
    }
}
