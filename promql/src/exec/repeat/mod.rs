//! `RepeatExec`: a part of the query that is the same at every step (`m @ 1000`) is evaluated once,
//! and its one slot repeated.
//!
//! Prometheus: `StepInvariantExpr` in promql/engine.go.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Cells, Grid, GridBuilder, GridRows};
use super::operator::{Operator, OperatorExec, Transform};
use crate::functions::histogram::FloatHistogram;

/// `input`, a grid of the one step of `from`, at every step of `to`.
pub fn repeat(input: Arc<dyn ExecutionPlan>, from: Grid, to: Grid) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&input);
    OperatorExec::create(Arc::new(Repeat { from, to, cells }), vec![input])
}

#[derive(Debug)]
struct Repeat {
    from: Grid,
    to: Grid,
    cells: Cells,
}

impl Operator for Repeat {
    fn name(&self) -> &'static str {
        "RepeatExec"
    }

    fn describe(&self) -> String {
        self.to.to_string()
    }

    fn schema(&self) -> SchemaRef {
        self.to.schema_of(self.cells)
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let builder = GridBuilder::of(self.to, self.cells);
        Ok(Box::new(RepeatStream { from: self.from, builder, rows: VecDeque::new() }))
    }
}

struct RepeatStream {
    from: Grid,
    builder: GridBuilder,
    rows: VecDeque<(u32, Cell)>,
}

/// The one cell of a series.
enum Cell {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl Transform for RepeatStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, row) in GridRows::new(batch, self.from)?.rows() {
            if let Some(histogram) = row.histogram(0) {
                self.rows.push_back((series, Cell::Histogram(Arc::clone(histogram))));
            } else if row.valid.first() == Some(&true) {
                self.rows.push_back((series, Cell::Float(row.values[0])));
            }
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        Ok(())
    }

    /// One narrow batch becomes many wide ones, a full one at a time.
    fn take(&mut self) -> Result<Option<RecordBatch>> {
        while !self.builder.is_full() {
            let Some((series, cell)) = self.rows.pop_front() else { break };
            let slots = self.builder.all_slots();
            match cell {
                Cell::Float(value) => {
                    slots.values.fill(value);
                    slots.valid.fill(true);
                }
                Cell::Histogram(histogram) => slots.histograms.fill(Some(histogram)),
            }
            self.builder.commit(series);
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.rows.capacity() * size_of::<(u32, Cell)>() + self.builder.held()
    }
}
