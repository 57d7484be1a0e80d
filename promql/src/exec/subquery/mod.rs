//! `SubqueryExec`: a grid to runs, so that range functions read a subquery as they read samples.
//!
//! ```text
//! grid, steps 0 60 120   series 4   1 _ 3     runs   4   ts [0, 120]   value [1, 3]
//! ```
//!
//! What histograms say of counter resets is forgotten on the way to a function: between two steps,
//! samples may have been passed over, or one may have been taken twice.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use engine::model::CounterResetHint;
use engine::source::{RunBuilder, histogram_run_schema, run_schema};

use super::grid::{Cells, Grid, GridRows, Row};
use super::operator::{Operator, OperatorExec, Transform};

/// The samples of a subquery: the values of `input`, whose steps are the subquery's. Histograms keep
/// their hints of counter resets if `hints`.
pub fn subquery(input: Arc<dyn ExecutionPlan>, grid: Grid, hints: bool) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&input);
    OperatorExec::create(Arc::new(SubqueryRuns { grid, cells, hints }), vec![input])
}

#[derive(Debug)]
struct SubqueryRuns {
    grid: Grid,
    cells: Cells,
    hints: bool,
}

impl Operator for SubqueryRuns {
    fn name(&self) -> &'static str {
        "SubqueryExec"
    }

    fn describe(&self) -> String {
        self.grid.to_string()
    }

    fn schema(&self) -> SchemaRef {
        match self.cells {
            Cells::Floats => run_schema(),
            Cells::Mixed => histogram_run_schema(),
        }
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        let Self { grid, cells, hints } = *self;
        Ok(Box::new(SubqueryStream { grid, cells, hints, ready: None }))
    }
}

struct SubqueryStream {
    grid: Grid,
    cells: Cells,
    hints: bool,
    ready: Option<RecordBatch>,
}

impl SubqueryStream {
    fn floats(&self, rows: &GridRows) -> Result<RecordBatch> {
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
        Ok(RecordBatch::try_new(
            run_schema(),
            vec![
                Arc::new(UInt32Array::from(series)),
                Arc::new(list(DataType::Int64, Arc::new(Int64Array::from(ts)))?),
                Arc::new(list(DataType::Float64, Arc::new(Float64Array::from(value)))?),
            ],
        )?)
    }

    fn mixed(&self, rows: &GridRows) -> Result<Option<RecordBatch>> {
        let mut builder = RunBuilder::default();
        for (series, row) in rows.rows() {
            let mut step = 0;
            while step < row.values.len() {
                step = match row.histogram(step) {
                    Some(_) => self.histograms(&mut builder, series, row, step)?,
                    None => {
                        if row.valid[step] {
                            let ts = self.grid.time(step);
                            builder.floats(series, &[ts], &[row.values[step]]);
                        }
                        step + 1
                    }
                };
            }
        }
        Ok(builder.finish()?)
    }

    /// Adds the histograms from `step` on, up to the first step without; returns that.
    fn histograms(
        &self,
        builder: &mut RunBuilder,
        series: u32,
        row: Row<'_>,
        step: usize,
    ) -> Result<usize> {
        let end = (step..).find(|&step| row.histogram(step).is_none()).unwrap_or(step);
        let ts: Vec<i64> = (step..end).map(|step| self.grid.time(step)).collect();
        let histograms = (step..end).filter_map(|step| row.histogram(step)).map(|histogram| {
            let mut parts = histogram.parts();
            if !self.hints && parts.counter_reset_hint != CounterResetHint::Gauge {
                parts.counter_reset_hint = CounterResetHint::Unknown;
            }
            parts
        });
        builder.histograms(series, &ts, histograms)?;
        Ok(end)
    }
}

impl Transform for SubqueryStream {
    /// A grid batch has about 64 Ki cells, so one of runs comes of it.
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        let rows = GridRows::new(batch, self.grid)?;
        self.ready = match self.cells {
            Cells::Floats => Some(self.floats(&rows)?),
            Cells::Mixed => self.mixed(&rows)?,
        };
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.take())
    }
}
