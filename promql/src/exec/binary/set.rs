//! Set operators: validity decides, values are copied.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{NO_KEY, SetMatching, SetOp, SetOperation};
use crate::exec::grid::{Grid, GridBuilder, GridRows, OwnedRow, Row};
use crate::exec::operator::Transform;

/// At which steps a match group has a value.
#[derive(Debug)]
struct Presence {
    groups: Vec<Option<Box<[bool]>>>,
    held: usize,
}

impl Presence {
    fn new(keys: u32) -> Self {
        Self { groups: vec![None; keys as usize], held: keys as usize * size_of::<Box<[bool]>>() }
    }

    fn add(&mut self, key: u32, valid: &[bool]) {
        let Some(group) = self.groups.get_mut(key as usize) else { return };
        match group {
            Some(present) => present.iter_mut().zip(valid).for_each(|(to, &from)| *to |= from),
            None => {
                self.held += valid.len();
                *group = Some(valid.into());
            }
        }
    }

    fn get(&self, key: u32) -> Option<&[bool]> {
        self.groups.get(key as usize)?.as_deref()
    }
}

/// `and`, `unless`: the left rows where the right side has (or has not) a value in the group.
pub(super) struct FilterStream {
    grid: Grid,
    keep_present: bool,
    matching: Arc<SetMatching>,
    right: Presence,
    builder: GridBuilder,
    ready: Option<RecordBatch>,
}

impl FilterStream {
    pub(super) fn new(operator: &SetOperation) -> Self {
        Self {
            grid: operator.grid,
            keep_present: operator.op == SetOp::And,
            matching: Arc::clone(&operator.matching),
            right: Presence::new(operator.matching.keys),
            builder: GridBuilder::of(operator.grid, operator.cells),
            ready: None,
        }
    }
}

impl Transform for FilterStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        let rows = GridRows::new(batch, self.grid)?;
        for (series, row) in rows.rows() {
            if input == 0 {
                self.right.add(self.matching.right_key[series as usize], &row.present());
                continue;
            }
            match (self.right.get(self.matching.left_key[series as usize]), self.keep_present) {
                (None, true) => {}
                (None, false) => self.builder.push_row(series, row),
                (Some(right), keep) => {
                    let slots = self.builder.all_slots();
                    slots.values.copy_from_slice(row.values);
                    let valid = row.valid.iter().zip(right);
                    for (to, (&left, &right)) in slots.valid.iter_mut().zip(valid) {
                        *to = left && right == keep;
                    }
                    let histograms = row.histograms.iter().zip(right);
                    for (to, (left, &right)) in slots.histograms.iter_mut().zip(histograms) {
                        *to = left.clone().filter(|_| right == keep);
                    }
                    self.builder.commit(series);
                }
            }
        }
        self.ready = self.builder.take()?;
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.take())
    }

    fn held(&self) -> usize {
        self.right.held + self.builder.held()
    }
}

/// `or`: the left rows, then the right ones where the left side has no value in the group.
pub(super) struct UnionStream {
    grid: Grid,
    matching: Arc<SetMatching>,
    left: Presence,
    /// Left rows that a right one may complete, by result series.
    waiting: Vec<Option<OwnedRow>>,
    /// Whether a result series has both a left and a right source.
    shared: Vec<bool>,
    held: usize,
    /// The next waiting row to give, once the right side has ended.
    next: Option<usize>,
    builder: GridBuilder,
    ready: Option<RecordBatch>,
}

impl UnionStream {
    pub(super) fn new(operator: &SetOperation) -> Self {
        let matching = Arc::clone(&operator.matching);
        let series = matching.left_out.iter().chain(&matching.right_out).max();
        let series = series.map_or(0, |&last| last as usize + 1);
        let mut of_left = vec![false; series];
        matching.left_out.iter().for_each(|&out| of_left[out as usize] = true);
        let mut shared = vec![false; series];
        for &out in &matching.right_out {
            shared[out as usize] = of_left[out as usize];
        }
        Self {
            grid: operator.grid,
            left: Presence::new(matching.keys),
            matching,
            waiting: vec![None; series],
            shared,
            held: 0,
            next: None,
            builder: GridBuilder::of(operator.grid, operator.cells),
            ready: None,
        }
    }

    fn left_row(&mut self, series: usize, row: Row<'_>) {
        self.left.add(self.matching.left_key[series], &row.present());
        let out = self.matching.left_out[series];
        if self.shared[out as usize] {
            let row = OwnedRow::from(row);
            self.held += row.bytes();
            self.waiting[out as usize] = Some(row);
        } else {
            self.builder.push_row(out, row);
        }
    }

    fn right_row(&mut self, series: usize, row: Row<'_>) {
        let out = self.matching.right_out[series];
        let key = self.matching.right_key[series];
        let left = if key == NO_KEY { None } else { self.left.get(key) };
        let present = row.present();
        let fills = |step: usize| present[step] && !left.is_some_and(|left| left[step]);
        if let Some(to) = &mut self.waiting[out as usize] {
            // Equal labels are in one group, so both never have a value at one step.
            for step in (0..present.len()).filter(|&step| fills(step)) {
                to.set(step, row);
            }
            return;
        }
        let to = self.builder.all_slots();
        to.values.copy_from_slice(row.values);
        for step in (0..present.len()).filter(|&step| fills(step)) {
            to.valid[step] = row.valid[step];
            if let Some(histogram) = row.histogram(step) {
                to.histograms[step] = Some(Arc::clone(histogram));
            }
        }
        self.builder.commit(out);
    }
}

impl Transform for UnionStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            match input {
                0 => self.left_row(series as usize, row),
                _ => self.right_row(series as usize, row),
            }
        }
        self.ready = self.builder.take()?;
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == 1 {
            self.next = Some(0);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.ready.take() {
            return Ok(Some(batch));
        }
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.waiting.len() && !self.builder.is_full() {
            if let Some(row) = self.waiting[next].take() {
                self.builder.push_row(next as u32, row.row());
            }
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.left.held + self.held + self.builder.held()
    }
}
