//! `MergeSeriesExec`: series whose labels have become equal are one series.
//!
//! Dropping the metric's name or replacing labels can give two series the same labels. Where they
//! have values at different steps they are one series; two values at one step are an error. The
//! planner puts this operator in only where labels really collide.
//!
//! ```text
//! target of series 0, 1, 2 is 0, 1, 0
//! series 0   1 _ _                        series 0   1 _ 3
//! series 1   5 5 5           →            series 1   5 5 5
//! series 2   _ _ 3
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::fault::Fault;
use super::grid::{Cells, Grid, GridBuilder, GridRows, OwnedRow};
use super::operator::{Operator, OperatorExec, Transform, single};

/// `input` with series `s` as series `target[s]`.
pub fn merge_series(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    target: Arc<[u32]>,
) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&input);
    let operator = MergeSeries { grid, cells, target };
    OperatorExec::create(Arc::new(operator), vec![single(input)])
}

#[derive(Debug)]
struct MergeSeries {
    grid: Grid,
    cells: Cells,
    target: Arc<[u32]>,
}

impl Operator for MergeSeries {
    fn name(&self) -> &'static str {
        "MergeSeriesExec"
    }

    fn describe(&self) -> String {
        let targets = self.target.iter().max().map_or(0, |&last| last + 1);
        format!("from={}, to={targets}", self.target.len())
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let targets = self.target.iter().max().map_or(0, |&last| last as usize + 1);
        let mut sources = vec![0u32; targets];
        for &target in self.target.iter() {
            sources[target as usize] += 1;
        }
        Ok(Box::new(MergeStream {
            grid: self.grid,
            target: Arc::clone(&self.target),
            sources,
            merged: vec![None; targets],
            given: vec![false; targets],
            held: 0,
            next: None,
            builder: GridBuilder::of(self.grid, self.cells),
            ready: None,
        }))
    }
}

struct MergeStream {
    grid: Grid,
    target: Arc<[u32]>,
    /// How many series each target has; rows of targets with one go through.
    sources: Vec<u32>,
    merged: Vec<Option<OwnedRow>>,
    /// With one step: whether a target has been given.
    given: Vec<bool>,
    held: usize,
    next: Option<usize>,
    builder: GridBuilder,
    ready: Option<RecordBatch>,
}

impl Transform for MergeStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            let target = self.target[series as usize];
            if self.sources[target as usize] == 1 {
                self.builder.push_row(target, row);
                continue;
            }
            if self.grid.steps == 1 {
                // At once, so that rows that have been sorted keep their order.
                if row.present()[0] {
                    if std::mem::replace(&mut self.given[target as usize], true) {
                        return Err(Fault::SameLabels.into());
                    }
                    self.builder.push_row(target, row);
                }
                continue;
            }
            match &mut self.merged[target as usize] {
                Some(merged) => {
                    let present = row.present();
                    for slot in (0..present.len()).filter(|&slot| present[slot]) {
                        if merged.is_present(slot) {
                            return Err(Fault::SameLabels.into());
                        }
                        merged.set(slot, row);
                    }
                }
                empty => {
                    let new = OwnedRow::from(row);
                    self.held += new.bytes();
                    *empty = Some(new);
                }
            }
        }
        self.ready = self.builder.take()?;
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        self.next = Some(0);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.ready.take() {
            return Ok(Some(batch));
        }
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.merged.len() && !self.builder.is_full() {
            if let Some(row) = self.merged[next].take() {
                self.builder.push_row(next as u32, row.row());
            }
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held
    }
}
