//! Rows in, the same rows with other values out.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{CellFunction, CellOperator};
use crate::exec::ArgumentValues;
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::operator::Transform;
use crate::functions::Scalar;

pub(super) struct CellStream {
    grid: Grid,
    function: CellFunction,
    arguments: Vec<ArgumentValues>,
    /// The parameters, once their inputs have ended.
    scalars: Option<Vec<Scalar>>,
    sides: usize,
    builder: GridBuilder,
    ready: Option<RecordBatch>,
}

impl CellStream {
    pub(super) fn new(operator: &CellOperator) -> Self {
        let grid = operator.grid;
        let arguments = match &operator.function {
            CellFunction::Math(_, arguments) => {
                arguments.iter().map(|&a| ArgumentValues::new(a, grid)).collect()
            }
            _ => Vec::new(),
        };
        Self {
            grid,
            function: operator.function.clone(),
            arguments,
            scalars: None,
            sides: operator.sides,
            builder: GridBuilder::of(grid, operator.cells),
            ready: None,
        }
    }
}

impl Transform for CellStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            for argument in &mut self.arguments {
                argument.push(input, &batch)?;
            }
            return Ok(());
        }
        let Self { grid, function, arguments, scalars, builder, .. } = self;
        let scalars =
            scalars.get_or_insert_with(|| arguments.iter().map(ArgumentValues::scalar).collect());
        for (series, row) in GridRows::new(batch, *grid)?.rows() {
            let slots = builder.all_slots();
            slots.values.copy_from_slice(row.values);
            slots.valid.copy_from_slice(row.valid);
            match function {
                CellFunction::Math(function, _) => {
                    function.apply(scalars, 0, slots.values, slots.valid);
                }
                CellFunction::Negate => {
                    slots.values.iter_mut().for_each(|value| *value = -*value);
                    for (to, from) in slots.histograms.iter_mut().zip(row.histograms) {
                        *to = from.as_ref().map(|histogram| {
                            let mut negated = (**histogram).clone();
                            negated.mul(-1.0);
                            Arc::new(negated)
                        });
                    }
                }
                CellFunction::StepTime => {
                    slots.valid.copy_from_slice(&row.present());
                    for (slot, value) in slots.values.iter_mut().enumerate() {
                        *value = grid.time(slot) as f64 / 1000.0;
                    }
                }
                CellFunction::Floats => {}
                CellFunction::Nothing => slots.valid.fill(false),
                CellFunction::OfHistogram(value) => {
                    for (slot, to) in slots.values.iter_mut().enumerate() {
                        let histogram = row.histogram(slot);
                        *to = histogram.map_or(0.0, |histogram| value.of(histogram));
                        slots.valid[slot] = histogram.is_some();
                    }
                }
            }
            builder.commit(series);
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
        self.builder.held()
    }
}
