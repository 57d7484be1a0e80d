//! Scalar parameters of operators: the k of topk, the bounds of clamp, the φ of a quantile.

use std::fmt;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::grid::{Grid, GridRows};
use crate::functions::Scalar;

/// A scalar parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Argument {
    /// The same at every step.
    Constant(f64),
    /// The grid of side input `.0`, one value a step.
    Input(usize),
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value}"),
            Self::Input(_) => f.write_str("per step"),
        }
    }
}

/// The values of an [`Argument`] at run time, one a step.
#[derive(Debug, Clone)]
pub struct ArgumentValues {
    grid: Grid,
    argument: Argument,
    values: Vec<f64>,
}

impl ArgumentValues {
    /// The values of `argument` on `grid`; those of an input are NaN until it is read.
    pub fn new(argument: Argument, grid: Grid) -> Self {
        let value = match argument {
            Argument::Constant(value) => value,
            Argument::Input(_) => f64::NAN,
        };
        Self { grid, argument, values: vec![value; grid.steps] }
    }

    /// Takes a batch of `input`, if that is where the values come from.
    pub fn push(&mut self, input: usize, batch: &RecordBatch) -> Result<()> {
        if self.argument != Argument::Input(input) {
            return Ok(());
        }
        for (_, values, valid) in GridRows::new(batch.clone(), self.grid)?.iter() {
            for (slot, to) in self.values.iter_mut().enumerate() {
                if valid[slot] {
                    *to = values[slot];
                }
            }
        }
        Ok(())
    }

    /// The values, as the kernels take them.
    pub fn scalar(&self) -> Scalar {
        match self.argument {
            Argument::Constant(value) => Scalar::Constant(value),
            Argument::Input(_) => Scalar::Steps(self.values.as_slice().into()),
        }
    }
}
