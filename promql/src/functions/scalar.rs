//! Scalar parameters, which may change from step to step.

use std::sync::Arc;

/// A scalar parameter of a function: `5` in `clamp_min(v, 5)`, or `time()`, one value a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// The same at every step.
    Constant(f64),
    /// One value a step of the whole grid.
    Steps(Arc<[f64]>),
}

impl Scalar {
    /// The value at `step` (counted over the whole grid, not the tile); NaN beyond the grid.
    #[inline]
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }

    /// The values of the steps in `first..first + len`.
    pub fn fill(&self, first: usize, out: &mut [f64]) {
        match self {
            Self::Constant(value) => out.fill(*value),
            Self::Steps(_) => {
                for (k, slot) in out.iter_mut().enumerate() {
                    *slot = self.at(first + k);
                }
            }
        }
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}
