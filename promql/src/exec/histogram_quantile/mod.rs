//! `HistogramQuantileExec`: `histogram_quantile` and `histogram_fraction` of classic histograms.
//!
//! The planner has grouped the series by their labels without `le` and read `le` as a number, once a
//! series. A group is a histogram; at each step those of its buckets count that have a value.
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
//! Buckets that had to be made monotonic are told to [`MonotonicityFixes`].

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
use super::operator::{Operator, OperatorExec, Transform, single};

pub use fixes::MonotonicityFixes;

/// The group of a series that is no bucket.
pub const NO_GROUP: u32 = u32::MAX;

/// What is asked of each histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HistogramFunction {
    /// `histogram_quantile`: the φ.
    Quantile(Argument),
    /// `histogram_fraction`: the lower and the upper limit.
    Fraction(Argument, Argument),
}

/// The buckets of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketTable {
    /// The histogram of each series, or [`NO_GROUP`].
    pub group_of: Vec<u32>,
    /// The upper bound of each series; not NaN where it has a group.
    pub bound_of: Vec<f64>,
    /// How many histograms there are: the result's series.
    pub groups: u32,
}

/// `function` of each histogram of `buckets`. `sides` are the inputs that [`Argument::Input`]s mean.
pub fn histogram_quantile(
    buckets: Arc<dyn ExecutionPlan>,
    grid: Grid,
    function: HistogramFunction,
    table: Arc<BucketTable>,
    fixes: Arc<MonotonicityFixes>,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    let operator = HistogramQuantile { grid, function, table, fixes, sides: sides.len() };
    let inputs = sides.into_iter().chain([single(buckets)]).collect();
    OperatorExec::create(Arc::new(operator), inputs)
}

#[derive(Debug)]
struct HistogramQuantile {
    grid: Grid,
    function: HistogramFunction,
    table: Arc<BucketTable>,
    fixes: Arc<MonotonicityFixes>,
    sides: usize,
}

impl Operator for HistogramQuantile {
    fn name(&self) -> &'static str {
        "HistogramQuantileExec"
    }

    fn describe(&self) -> String {
        let groups = self.table.groups;
        match self.function {
            HistogramFunction::Quantile(phi) => format!("quantile={phi}, groups={groups}"),
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
