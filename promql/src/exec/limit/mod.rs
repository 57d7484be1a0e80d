//! `LimitKExec` and `LimitRatioExec`: some series of each group, whatever their values.
//!
//! ```text
//! limitk(1, v), all in one group          limit_ratio(0.5, v), offsets 0.2 and 0.7
//!
//! series 0   _ 5 5      0   _ 5 5         series 0   _ 5 5   →   0   _ 5 5
//! series 1   2 2 _  →   1   2 _ _         series 1   2 2 _
//! ```
//!
//! `limitk` keeps the first series at each step, or the first rows of an input that is sorted. `limit_ratio` keeps those whose offset, a hash of their
//! labels between 0 and 1, lies below the ratio; a negative ratio keeps the others.

mod first;
mod ratio;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::Argument;
use super::grid::{Cells, Grid};
use super::notes::Notes;
use super::operator::{Operator, OperatorExec, Transform, single};
use super::ordered_aggregate::Groups;

/// `limitk(k, input)`, of rows whose order counts if they are `ordered`. `sides` are the inputs that
/// [`Argument::Input`]s mean.
pub fn limitk(
    input: Arc<dyn ExecutionPlan>,
    ordered: bool,
    grid: Grid,
    k: Argument,
    groups: Arc<Groups>,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    create(single(input), grid, k, Kind::First(groups, ordered), sides)
}

/// `limit_ratio(ratio, input)`; `offsets` has one a series.
pub fn limit_ratio(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    ratio: Argument,
    offsets: Arc<[f64]>,
    notes: Arc<Notes>,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    create(input, grid, ratio, Kind::Ratio(offsets, notes), sides)
}

fn create(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    argument: Argument,
    kind: Kind,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&input);
    let operator = Limit { grid, cells, argument, kind, sides: sides.len() };
    OperatorExec::create(Arc::new(operator), sides.into_iter().chain([input]).collect())
}

#[derive(Debug)]
enum Kind {
    First(Arc<Groups>, bool),
    Ratio(Arc<[f64]>, Arc<Notes>),
}

#[derive(Debug)]
struct Limit {
    grid: Grid,
    cells: Cells,
    argument: Argument,
    kind: Kind,
    sides: usize,
}

impl Operator for Limit {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::First(..) => "LimitKExec",
            Kind::Ratio(..) => "LimitRatioExec",
        }
    }

    fn describe(&self) -> String {
        match &self.kind {
            Kind::First(groups, _) => format!("k={}, groups={}", self.argument, groups.count),
            Kind::Ratio(..) => format!("ratio={}", self.argument),
        }
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(match &self.kind {
            Kind::First(groups, ordered) => {
                Box::new(first::FirstStream::new(self, groups, *ordered))
            }
            Kind::Ratio(offsets, notes) => Box::new(ratio::RatioStream::new(self, offsets, notes)),
        })
    }
}
