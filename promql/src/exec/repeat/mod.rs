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

use super::grid::{Grid, GridBuilder, GridRows};
use super::operator::{Operator, OperatorExec, Transform};

/// `input`, a grid of the one step of `from`, at every step of `to`.
pub fn repeat(input: Arc<dyn ExecutionPlan>, from: Grid, to: Grid) -> Arc<dyn ExecutionPlan> {
    OperatorExec::create(Arc::new(Repeat { from, to }), vec![input])
}

#[derive(Debug)]
struct Repeat {
    from: Grid,
    to: Grid,
}

impl Operator for Repeat {
    fn name(&self) -> &'static str {
        "RepeatExec"
    }

    fn describe(&self) -> String {
        self.to.to_string()
    }

    fn schema(&self) -> SchemaRef {
        self.to.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let builder = GridBuilder::new(self.to);
        Ok(Box::new(RepeatStream { from: self.from, builder, rows: VecDeque::new() }))
    }
}

struct RepeatStream {
    from: Grid,
    builder: GridBuilder,
    rows: VecDeque<(u32, f64)>,
}

impl Transform for RepeatStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, values, valid) in GridRows::new(batch, self.from)?.iter() {
            if valid.first() == Some(&true) {
                self.rows.push_back((series, values[0]));
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
            let Some((series, value)) = self.rows.pop_front() else { break };
            let (out, valid) = self.builder.slots();
            out.fill(value);
            valid.fill(true);
            self.builder.commit(series);
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.rows.capacity() * size_of::<(u32, f64)>() + self.builder.held()
    }
}
