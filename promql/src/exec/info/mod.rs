//! `InfoExec`: series with labels of their info series, `info(v)`.
//!
//! ```text
//! base 0 {job=a, instance=i}      5 5 5
//! info 0 {job=a, instance=i, version=1}   seen at 10 10 _     result 0 {…, version=1}   5 5 _
//! info 1 {job=a, instance=i, version=2}   seen at _ _ 30      result 1 {…, version=2}   _ _ 5
//! ```
//!
//! Which info series belong to a base series, and which labels each choice of them gives, the planner
//! has found out. At each step the one that was scraped last is chosen, of each info metric.

mod stream;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Cells, Grid};
use super::operator::{Operator, OperatorExec, Transform, single};

/// A choice of info series that gives no result.
pub const NO_RESULT: u32 = u32::MAX;

/// A choice of info series that contradict each other in a label.
pub const CONFLICT: u32 = u32::MAX - 1;

/// Which info series a base series may have.
#[derive(Debug, Clone, Default)]
pub struct InfoChoices {
    /// For each info metric the series that match, by number.
    pub metrics: Vec<Vec<u32>>,
    /// The result series of each choice: one of each metric, or none, counted as digits, the first
    /// metric's digit first; or [`NO_RESULT`], or [`CONFLICT`].
    pub results: Vec<u32>,
}

/// The choices of all base series.
#[derive(Debug, Clone, Default)]
pub struct InfoTable {
    /// Those of each base series.
    pub of_base: Vec<InfoChoices>,
    /// The labels that contradict each other, for the error.
    pub conflict: String,
    /// How many result series there are.
    pub results: u32,
    /// The number of the operation, for [`crate::exec::fault::Fault`].
    pub operation: u32,
}

/// `base` with labels of `info`, whose values are the times of its samples in seconds, NaN for one that
/// is a histogram.
pub fn info(
    base: Arc<dyn ExecutionPlan>,
    info: Arc<dyn ExecutionPlan>,
    grid: Grid,
    table: Arc<InfoTable>,
) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&base);
    let operator = InfoLabels { grid, cells, table };
    OperatorExec::create(Arc::new(operator), vec![single(info), single(base)])
}

#[derive(Debug)]
struct InfoLabels {
    grid: Grid,
    cells: Cells,
    table: Arc<InfoTable>,
}

impl Operator for InfoLabels {
    fn name(&self) -> &'static str {
        "InfoExec"
    }

    fn describe(&self) -> String {
        format!("base={}, results={}", self.table.of_base.len(), self.table.results)
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn is_side_input(&self, input: usize) -> bool {
        input == 0
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(stream::InfoStream::new(self)))
    }
}
