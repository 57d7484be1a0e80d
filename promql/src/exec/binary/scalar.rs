//! A row and a number, or a number a step.

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::WithScalar;
use crate::exec::ArgumentValues;
use crate::exec::grid::{Grid, GridBuilder, GridRows, Row};
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::functions::binary::{BinaryOp, Cell, Operand, Outcome};
use crate::functions::{Remark, Scalar};

pub(super) struct ScalarStream {
    grid: Grid,
    op: BinaryOp,
    outcome: Outcome,
    notes: NoteTaker,
    argument: ArgumentValues,
    /// The argument, once its input has ended.
    scalar: Option<Scalar>,
    scalar_is_left: bool,
    sides: usize,
    builder: GridBuilder,
    ready: Option<RecordBatch>,
}

impl ScalarStream {
    pub(super) fn new(operator: &WithScalar) -> Self {
        let grid = operator.grid;
        Self {
            grid,
            op: operator.operation.op,
            outcome: match (operator.operation.answer, operator.scalar_is_left) {
                (true, _) => Outcome::Bool,
                (false, false) => Outcome::KeepLeft,
                (false, true) => Outcome::KeepRight,
            },
            notes: NoteTaker::new(&operator.operation.notes),
            argument: ArgumentValues::new(operator.scalar, grid),
            scalar: None,
            scalar_is_left: operator.scalar_is_left,
            sides: operator.sides,
            builder: GridBuilder::of(grid, operator.cells),
            ready: None,
        }
    }

    fn row(&mut self, series: u32, row: Row<'_>, scalar: &Scalar) {
        let slots = self.builder.all_slots();
        slots.valid.copy_from_slice(row.valid);
        if self.op.trims() {
            for (step, _) in row.valid.iter().enumerate().filter(|(_, valid)| **valid) {
                self.notes.add_last(step, series.into(), Remark::FloatFloat);
            }
        }
        let number = match scalar {
            Scalar::Constant(value) => Operand::Constant(*value),
            Scalar::Steps(values) => Operand::Row(values),
        };
        let vector = Operand::Row(row.values);
        let (left, right) = if self.scalar_is_left { (number, vector) } else { (vector, number) };
        self.op.apply(left, right, self.outcome, slots.values, slots.valid);
        for (step, histogram) in row.histograms.iter().enumerate() {
            let Some(histogram) = histogram else { continue };
            let vector = Cell::Histogram(histogram.clone());
            let number = Cell::Float(scalar.at(step));
            let (left, right) =
                if self.scalar_is_left { (&number, &vector) } else { (&vector, &number) };
            match self.op.cell(left, right, self.outcome) {
                Ok((Some(Cell::Histogram(result)), _)) => slots.histograms[step] = Some(result),
                Ok(_) => {}
                Err(remark) => self.notes.add_last(step, series.into(), remark),
            }
        }
        self.builder.commit(series);
    }
}

impl Transform for ScalarStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            return self.argument.push(input, &batch);
        }
        let scalar = self.scalar.take().unwrap_or_else(|| self.argument.scalar());
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            self.row(series, row, &scalar);
        }
        self.scalar = Some(scalar);
        self.ready = self.builder.take()?;
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        self.notes.finish();
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.take())
    }

    fn held(&self) -> usize {
        self.builder.held()
    }
}
