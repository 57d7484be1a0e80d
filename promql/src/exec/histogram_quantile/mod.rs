//! `HistogramQuantileExec`: `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`.
//!
//! The planner has grouped the series by their labels without `le` and read `le` as a number, once a
//! series. A group is a classic histogram; at each step those of its buckets count that have a value.
//!
//! ```text
//! histogram_quantile(0.5, b)      group 0 = series 0, 1, 2
//!
//! series 0   le 0.1    1 2
//! series 1   le 1      3 2    →   group 0   0.1+0.9·½ 0.05
//! series 2   le +Inf   4 2
//! ```
//!
//! Buckets are kept until the input ends, because the buckets of a group need not stand together.
//! Buckets that had to be made monotonic are told to [`MonotonicityFixes`]. Native histograms go
//! through, but where a classic one of the same labels may be there at the same step: of such two,
//! neither counts.

mod fixes;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::Argument;
use super::grid::Grid;
use super::notes::Notes;
use super::operator::{Operator, OperatorExec, Transform, single};

pub use fixes::{Fixed, MonotonicityFixes};

/// The group of a series that is no bucket.
pub const NO_GROUP: u32 = u32::MAX;

/// A quantile that is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phi {
    /// Which it is.
    pub argument: Argument,
    /// If it changes from step to step: the one value that this result is of. At other steps it has none.
    pub only: Option<f64>,
}

impl Phi {
    /// Whether the result is of `phi`, what the argument is at a step.
    fn is_of(&self, phi: f64) -> bool {
        self.only
            .is_none_or(|only| only.to_bits() == phi.to_bits() || (only.is_nan() && phi.is_nan()))
    }
}

/// What is asked of each histogram.
#[derive(Debug, Clone, PartialEq)]
pub enum HistogramFunction {
    /// `histogram_quantile`, `histogram_quantiles`: each φ. Those of group `g` are the series from
    /// `g * n` on, if there are `n`.
    Quantiles(Vec<Phi>),
    /// `histogram_fraction`: the lower and the upper limit.
    Fraction(Argument, Argument),
}

impl HistogramFunction {
    /// How many results a histogram has.
    pub fn results(&self) -> usize {
        match self {
            Self::Quantiles(quantiles) => quantiles.len(),
            Self::Fraction(..) => 1,
        }
    }

    fn arguments(&self) -> Vec<Argument> {
        match self {
            Self::Quantiles(quantiles) => quantiles.iter().map(|phi| phi.argument).collect(),
            Self::Fraction(lower, upper) => vec![*lower, *upper],
        }
    }
}

/// The histograms of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketTable {
    /// The group whose bucket each series is where it has a number, or [`NO_GROUP`].
    pub group_of: Vec<u32>,
    /// The upper bound of each series; not NaN where it has a group.
    pub bound_of: Vec<f64>,
    /// The group that each series is where it has a native histogram.
    pub native_of: Vec<u32>,
    /// How many groups there are.
    pub groups: u32,
}

/// What is noticed.
#[derive(Debug, Clone)]
pub struct HistogramNotes {
    /// Buckets whose counts fell.
    pub fixes: Arc<MonotonicityFixes>,
    /// Odd histograms, and series that are no buckets.
    pub histograms: Arc<Notes>,
    /// What is odd with each φ.
    pub quantiles: Vec<Arc<Notes>>,
}

/// `function` of each histogram of `input`. `sides` are the inputs that [`Argument::Input`]s mean.
pub fn histogram_quantile(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    function: HistogramFunction,
    table: Arc<BucketTable>,
    notes: HistogramNotes,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    let operator = HistogramQuantile { grid, function, table, notes, sides: sides.len() };
    let inputs = sides.into_iter().chain([single(input)]).collect();
    OperatorExec::create(Arc::new(operator), inputs)
}

#[derive(Debug)]
struct HistogramQuantile {
    grid: Grid,
    function: HistogramFunction,
    table: Arc<BucketTable>,
    notes: HistogramNotes,
    sides: usize,
}

impl Operator for HistogramQuantile {
    fn name(&self) -> &'static str {
        "HistogramQuantileExec"
    }

    fn describe(&self) -> String {
        let groups = self.table.groups;
        match &self.function {
            HistogramFunction::Quantiles(quantiles) => {
                let each = quantiles.iter().map(|phi| format!("quantile={}, ", phi.argument));
                format!("{}groups={groups}", each.collect::<String>())
            }
            HistogramFunction::Fraction(lower, upper) => {
                format!("fraction={lower}..{upper}, groups={groups}")
            }
        }
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(stream::HistogramStream::new(self)))
    }
}
