//! Rows in, the same rows with other values out.

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
            CellFunction::Negate | CellFunction::StepTime => Vec::new(),
        };
        Self {
            grid,
            function: operator.function.clone(),
            arguments,
            scalars: None,
            sides: operator.sides,
            builder: GridBuilder::new(grid),
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
        for (series, values, valid) in GridRows::new(batch, *grid)?.iter() {
            let (out, out_valid) = builder.slots();
            out.copy_from_slice(values);
            out_valid.copy_from_slice(valid);
            match function {
                CellFunction::Math(function, _) => function.apply(scalars, 0, out, out_valid),
                CellFunction::Negate => out.iter_mut().for_each(|value| *value = -*value),
                CellFunction::StepTime => {
                    for (slot, value) in out.iter_mut().enumerate() {
                        *value = grid.time(slot) as f64 / 1000.0;
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
