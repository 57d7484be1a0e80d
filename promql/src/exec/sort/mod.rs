//! `SortExec`: the rows of a grid with one step in order of their values; NaN last, whichever way.
//!
//! Only the order of an instant query's answer shows it; in a range query `sort` changes nothing.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Grid, GridBuilder, GridRows};
use super::operator::{Operator, OperatorExec, Transform, single};

/// `input`, which has one step, sorted by value.
pub fn sort(input: Arc<dyn ExecutionPlan>, grid: Grid, descending: bool) -> Arc<dyn ExecutionPlan> {
    OperatorExec::create(Arc::new(Sort { grid, descending }), vec![single(input)])
}

#[derive(Debug)]
struct Sort {
    grid: Grid,
    descending: bool,
}

impl Operator for Sort {
    fn name(&self) -> &'static str {
        "SortExec"
    }

    fn describe(&self) -> String {
        if self.descending { "descending" } else { "ascending" }.to_owned()
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let (grid, descending) = (self.grid, self.descending);
        let builder = GridBuilder::new(grid);
        Ok(Box::new(SortStream { grid, descending, rows: VecDeque::new(), done: false, builder }))
    }
}

struct SortStream {
    grid: Grid,
    descending: bool,
    rows: VecDeque<(u32, f64)>,
    done: bool,
    builder: GridBuilder,
}

/// Values in order, NaN after all others, equal ones in order of series.
fn order(a: &(u32, f64), b: &(u32, f64), descending: bool) -> Ordering {
    let by_value = match (a.1.is_nan(), b.1.is_nan()) {
        (false, false) if descending => b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal),
        (false, false) => a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    };
    by_value.then(a.0.cmp(&b.0))
}

impl Transform for SortStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, values, valid) in GridRows::new(batch, self.grid)?.iter() {
            if valid.first() == Some(&true) {
                self.rows.push_back((series, values[0]));
            }
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        let descending = self.descending;
        self.rows.make_contiguous().sort_unstable_by(|a, b| order(a, b, descending));
        self.done = true;
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        while self.done && !self.builder.is_full() {
            let Some((series, value)) = self.rows.pop_front() else { break };
            self.builder.push(series, &[value], &[true]);
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.rows.capacity() * size_of::<(u32, f64)>()
    }
}
