//! `ScalarExec`: a number at each step; and `ScalarOfVectorExec`: `scalar(v)`.
//!
//! A scalar is a grid with one series, id 0, that has a value at every step.
//!
//! | `v` at the step | `scalar(v)` |
//! |---|---|
//! | one series with 3 | 3 |
//! | none, or two series | NaN |

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Grid, GridBuilder, GridRows};
use super::operator::{Operator, OperatorExec, Transform, single};

/// The numbers of a [`scalar`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalarSource {
    /// The same at each step.
    Constant(f64),
    /// `time()`: the step's time in seconds.
    Time,
}

/// A scalar without input.
pub fn scalar(source: ScalarSource, grid: Grid) -> Arc<dyn ExecutionPlan> {
    OperatorExec::create(Arc::new(ScalarLeaf { source, grid }), Vec::new())
}

/// `scalar(v)`.
pub fn scalar_of_vector(input: Arc<dyn ExecutionPlan>, grid: Grid) -> Arc<dyn ExecutionPlan> {
    OperatorExec::create(Arc::new(ScalarOfVector { grid }), vec![single(input)])
}

#[derive(Debug)]
struct ScalarLeaf {
    source: ScalarSource,
    grid: Grid,
}

impl Operator for ScalarLeaf {
    fn name(&self) -> &'static str {
        "ScalarExec"
    }

    fn describe(&self) -> String {
        match self.source {
            ScalarSource::Constant(value) => format!("{value}"),
            ScalarSource::Time => "time".to_owned(),
        }
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let mut builder = GridBuilder::new(self.grid);
        let (out, valid) = builder.slots();
        valid.fill(true);
        match self.source {
            ScalarSource::Constant(value) => out.fill(value),
            ScalarSource::Time => {
                for (slot, out) in out.iter_mut().enumerate() {
                    *out = self.grid.time(slot) as f64 / 1000.0;
                }
            }
        }
        builder.commit(0);
        Ok(Box::new(LeafStream { builder }))
    }
}

struct LeafStream {
    builder: GridBuilder,
}

impl Transform for LeafStream {
    fn push(&mut self, _input: usize, _batch: RecordBatch) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        self.builder.take()
    }
}

#[derive(Debug)]
struct ScalarOfVector {
    grid: Grid,
}

impl Operator for ScalarOfVector {
    fn name(&self) -> &'static str {
        "ScalarOfVectorExec"
    }

    fn describe(&self) -> String {
        String::new()
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(ScalarStream {
            grid: self.grid,
            count: vec![0; self.grid.steps],
            values: vec![f64::NAN; self.grid.steps],
            builder: GridBuilder::new(self.grid),
        }))
    }
}

struct ScalarStream {
    grid: Grid,
    count: Vec<u32>,
    values: Vec<f64>,
    builder: GridBuilder,
}

impl Transform for ScalarStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (_, values, valid) in GridRows::new(batch, self.grid)?.iter() {
            for slot in 0..values.len() {
                if valid[slot] {
                    self.count[slot] += 1;
                    self.values[slot] = values[slot];
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        let (out, valid) = self.builder.slots();
        valid.fill(true);
        for (slot, out) in out.iter_mut().enumerate() {
            *out = if self.count[slot] == 1 { self.values[slot] } else { f64::NAN };
        }
        self.builder.commit(0);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        self.builder.take()
    }
}
