//! `quantile`: all values of a group at each step.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Groups, Ordered};
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::notes::{NoteTaker, Notes};
use crate::exec::operator::Transform;
use crate::exec::parameters;
use crate::exec::{Argument, ArgumentValues};
use crate::functions::order::Values;
use crate::functions::{Remark, Scalar};

pub(super) struct QuantileStream {
    grid: Grid,
    groups: Arc<Groups>,
    notes: NoteTaker,
    /// What is odd with φ.
    odd: NoteTaker,
    sides: usize,
    argument: ArgumentValues,
    values: Vec<Option<Values>>,
    held: usize,
    /// The φ and the next group to give, once the input has ended.
    done: Option<(Scalar, usize)>,
    builder: GridBuilder,
}

impl QuantileStream {
    pub(super) fn new(operator: &Ordered, phi: Argument, odd: &Arc<Notes>) -> Self {
        let grid = operator.grid;
        Self {
            grid,
            groups: Arc::clone(&operator.groups),
            notes: NoteTaker::new(&operator.groups.notes),
            odd: NoteTaker::new(odd),
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
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            if row.has_histograms() {
                self.notes.add(series, Remark::IgnoredInAggregation.into());
            }
            let group = self.groups.group_of[series as usize];
            let values =
                self.values[group as usize].get_or_insert_with(|| Values::new(self.grid.steps));
            let before = values.bytes();
            values.add(row.values, row.valid);
            self.held += values.bytes() - before;
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == self.sides {
            let phi = self.argument.scalar();
            // NaN, and what is farthest out on either side, which is NaN too if there is one, but for
            // infinity (`fParams` in promql/value.go, and Go's `math.Max`).
            let all: Vec<f64> = (0..self.grid.steps).map(|step| phi.at(step)).collect();
            let nan = all.iter().copied().find(|phi| phi.is_nan());
            let known = |phi: &f64| nan.is_none() || phi.is_infinite();
            let most =
                all.iter().copied().filter(known).reduce(f64::max).filter(|&most| most > 1.0);
            let least =
                all.iter().copied().filter(known).reduce(f64::min).filter(|&least| least < 0.0);
            for phi in [nan, most, least].into_iter().flatten() {
                parameters::check_quantile(phi, &self.odd);
            }
            self.done = Some((phi, 0));
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
