//! A row and a number, or a number a step.

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::WithScalar;
use crate::exec::ArgumentValues;
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::operator::Transform;
use crate::functions::Scalar;
use crate::functions::binary::{BinaryOp, Operand, Outcome};

pub(super) struct ScalarStream {
    grid: Grid,
    op: BinaryOp,
    outcome: Outcome,
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
            op: operator.op,
            outcome: operator.outcome,
            argument: ArgumentValues::new(operator.scalar, grid),
            scalar: None,
            scalar_is_left: operator.scalar_is_left,
            sides: operator.sides,
            builder: GridBuilder::new(grid),
            ready: None,
        }
    }
}

impl Transform for ScalarStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            return self.argument.push(input, &batch);
        }
        let scalar = self.scalar.get_or_insert_with(|| self.argument.scalar());
        let scalar = match scalar {
            Scalar::Constant(value) => Operand::Constant(*value),
            Scalar::Steps(values) => Operand::Row(values),
        };
        for (series, values, present) in GridRows::new(batch, self.grid)?.iter() {
            let (out, valid) = self.builder.slots();
            valid.copy_from_slice(present);
            let vector = Operand::Row(values);
            let (left, right) =
                if self.scalar_is_left { (scalar, vector) } else { (vector, scalar) };
            self.op.apply(left, right, self.outcome, out, valid);
            self.builder.commit(series);
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
