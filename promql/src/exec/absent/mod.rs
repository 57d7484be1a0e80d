//! `AbsentExec`: one series with 1 at the steps at which no series of the input has a value.
//!
//! ```text
//! series 0   1 _ _ 1
//! series 1   2 _ _ _        →      series 0   _ 1 1 _
//! ```
//!
//! `absent(v)`; and `absent_over_time(m)`, whose input is `present_over_time(m)`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Grid, GridBuilder, GridRows};
use super::operator::{Operator, OperatorExec, Transform, single};

/// Where `input` has nothing.
pub fn absent(input: Arc<dyn ExecutionPlan>, grid: Grid) -> Arc<dyn ExecutionPlan> {
    OperatorExec::create(Arc::new(Absent { grid }), vec![single(input)])
}

#[derive(Debug)]
struct Absent {
    grid: Grid,
}

impl Operator for Absent {
    fn name(&self) -> &'static str {
        "AbsentExec"
    }

    fn describe(&self) -> String {
        String::new()
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let present = vec![false; self.grid.steps];
        Ok(Box::new(AbsentStream {
            grid: self.grid,
            present,
            builder: GridBuilder::new(self.grid),
        }))
    }
}

struct AbsentStream {
    grid: Grid,
    present: Vec<bool>,
    builder: GridBuilder,
}

impl Transform for AbsentStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (_, row) in GridRows::new(batch, self.grid)?.rows() {
            let here = row.present();
            let all = self.present.iter_mut().zip(here.iter());
            all.for_each(|(present, &here)| *present |= here);
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        let (out, valid) = self.builder.slots();
        out.fill(1.0);
        valid.iter_mut().zip(&self.present).for_each(|(valid, &present)| *valid = !present);
        self.builder.commit(0);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        self.builder.take()
    }
}
