//! `count_values`: series made of values.

use std::sync::{Arc, Mutex};

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Groups, Ordered};
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::operator::Transform;
use crate::functions::order::ValueCounts;

/// A series of a `count_values` result.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedValue {
    /// The group it belongs to.
    pub group: u32,
    /// The text of the value that is counted.
    pub value: String,
}

/// The result series of a `count_values`, by id: group by group, numbers ascending, then
/// histograms.
#[derive(Debug, Default)]
pub struct CountedValues {
    found: Mutex<Vec<CountedValue>>,
}

impl CountedValues {
    /// The series, after the plan has run.
    pub fn get(&self) -> Vec<CountedValue> {
        self.found.lock().map(|found| found.clone()).unwrap_or_default()
    }
}

pub(super) struct CountStream {
    grid: Grid,
    groups: Arc<Groups>,
    found: Arc<CountedValues>,
    counts: Vec<Option<ValueCounts>>,
    held: usize,
    done: bool,
    /// The next group, the next row of it, and the next id.
    next: (usize, usize, u32),
    builder: GridBuilder,
}

impl CountStream {
    pub(super) fn new(operator: &Ordered, found: Arc<CountedValues>) -> Self {
        Self {
            grid: operator.grid,
            groups: Arc::clone(&operator.groups),
            found,
            counts: (0..operator.groups.count).map(|_| None).collect(),
            held: 0,
            done: false,
            next: (0, 0, 0),
            builder: GridBuilder::new(operator.grid),
        }
    }
}

impl Transform for CountStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            let group = self.groups.group_of[series as usize];
            let counts = self.counts[group as usize]
                .get_or_insert_with(|| ValueCounts::new(self.grid.steps));
            let before = counts.bytes();
            counts.add(row.values, row.valid);
            for (step, histogram) in row.histograms.iter().enumerate() {
                if let Some(histogram) = histogram {
                    counts.add_text(step, histogram.to_string());
                }
            }
            self.held += counts.bytes() - before;
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        let mut found = Vec::new();
        for (group, counts) in self.counts.iter().enumerate() {
            for (value, _) in counts.iter().flat_map(ValueCounts::rows) {
                found.push(CountedValue { group: group as u32, value });
            }
        }
        if let Ok(mut shared) = self.found.found.lock() {
            *shared = found;
        }
        self.done = true;
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let (mut group, mut row, mut id) = self.next;
        while self.done && group < self.counts.len() && !self.builder.is_full() {
            let rows = self.counts[group].as_ref().map(ValueCounts::rows).unwrap_or_default();
            for (_, counts) in &rows[row..] {
                if self.builder.is_full() {
                    break;
                }
                let (out, valid) = self.builder.slots();
                out.copy_from_slice(counts);
                valid.iter_mut().zip(*counts).for_each(|(to, &count)| *to = count > 0.0);
                self.builder.commit(id);
                (row, id) = (row + 1, id + 1);
            }
            if row == rows.len() {
                (group, row) = (group + 1, 0);
            }
        }
        self.next = (group, row, id);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held + self.builder.held()
    }
}
