//! `SubqueryExec`: a grid to runs, so that range functions read a subquery as they read samples.
//!
//! ```text
//! grid, steps 0 60 120   series 4   1 _ 3     runs   4   ts [0, 120]   value [1, 3]
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use engine::source::run_schema;

use super::grid::{Grid, GridRows};
use super::operator::{Operator, OperatorExec, Transform};

/// The samples of a subquery: the values of `input`, whose steps are the subquery's.
pub fn subquery(input: Arc<dyn ExecutionPlan>, grid: Grid) -> Arc<dyn ExecutionPlan> {
    OperatorExec::create(Arc::new(SubqueryRuns { grid }), vec![input])
}

#[derive(Debug)]
struct SubqueryRuns {
    grid: Grid,
}

impl Operator for SubqueryRuns {
    fn name(&self) -> &'static str {
        "SubqueryExec"
    }

    fn describe(&self) -> String {
        self.grid.to_string()
    }

    fn schema(&self) -> SchemaRef {
        run_schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(SubqueryStream { grid: self.grid, ready: None }))
    }
}

struct SubqueryStream {
    grid: Grid,
    ready: Option<RecordBatch>,
}

impl Transform for SubqueryStream {
    /// A grid batch has about 64 Ki cells, so one of runs comes of it.
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        let rows = GridRows::new(batch, self.grid)?;
        let (mut series, mut lengths) = (Vec::new(), Vec::new());
        let (mut ts, mut value) = (Vec::new(), Vec::new());
        for (id, values, valid) in rows.iter() {
            let before = ts.len();
            for slot in (0..values.len()).filter(|&slot| valid[slot]) {
                ts.push(self.grid.time(slot));
                value.push(values[slot]);
            }
            series.push(id);
            lengths.push(ts.len() - before);
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = |item: DataType, values: ArrayRef| {
            let field = Arc::new(Field::new("item", item, false));
            ListArray::try_new(field, offsets.clone(), values, None)
        };
        self.ready = Some(RecordBatch::try_new(
            run_schema(),
            vec![
                Arc::new(UInt32Array::from(series)),
                Arc::new(list(DataType::Int64, Arc::new(Int64Array::from(ts)))?),
                Arc::new(list(DataType::Float64, Arc::new(Float64Array::from(value)))?),
            ],
        )?);
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.take())
    }
}
