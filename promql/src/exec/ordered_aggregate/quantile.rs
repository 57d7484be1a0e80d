//! `quantile`: all values of a group at each step.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Groups, Ordered};
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::operator::Transform;
use crate::exec::{Argument, ArgumentValues};
use crate::functions::Scalar;
use crate::functions::order::Values;

pub(super) struct QuantileStream {
    grid: Grid,
    groups: Arc<Groups>,
    sides: usize,
    argument: ArgumentValues,
    values: Vec<Option<Values>>,
    held: usize,
    /// The φ and the next group to give, once the input has ended.
    done: Option<(Scalar, usize)>,
    builder: GridBuilder,
}

impl QuantileStream {
    pub(super) fn new(operator: &Ordered, phi: Argument) -> Self {
        let grid = operator.grid;
        Self {
            grid,
            groups: Arc::clone(&operator.groups),
            sides: operator.sides,
            argument: ArgumentValues::new(phi, grid),
            values: (0..operator.groups.count).map(|_| None).collect(),
            held: 0,
            done: None,
            builder: GridBuilder::new(grid),
        }
    }
}

impl Transform for QuantileStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            return self.argument.push(input, &batch);
        }
        for (series, row, valid) in GridRows::new(batch, self.grid)?.iter() {
            let group = self.groups.group_of[series as usize];
            let values =
                self.values[group as usize].get_or_insert_with(|| Values::new(self.grid.steps));
            let before = values.bytes();
            values.add(row, valid);
            self.held += values.bytes() - before;
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == self.sides {
            self.done = Some((self.argument.scalar(), 0));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Some((phi, next)) = &mut self.done else { return Ok(None) };
        while *next < self.values.len() && !self.builder.is_full() {
            if let Some(mut values) = self.values[*next].take() {
                let (out, valid) = self.builder.slots();
                values.quantile(phi, out, valid);
                self.builder.commit(*next as u32);
            }
            *next += 1;
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held + self.builder.held()
    }
}
