//! `GridAggPartialExec` and `GridAggFinalExec`: sum, avg, min, max, count, group, stddev, stdvar.
//!
//! ```text
//! sum by (job), groups of series 0, 1, 2 are 0, 1, 0
//!
//! partition 0: series 0  1 2 _       partial of partition 0: group 0  1 2 _   group 1  5 5 5
//!              series 1  5 5 5       partial of partition 1: group 0  3 _ 3
//! partition 1: series 2  3 _ 3       final:                  group 0  4 2 3   group 1  5 5 5
//! ```
//!
//! A partial result is a state a group: count, sum and compensation a step, for instance. The final
//! operator keeps the states and merges them in order of partitions, so that repeated queries agree
//! to the last bit, whichever partition ends first. Groups are numbered by the planner; a group
//! without a value at any step is left out.

mod finish;
mod partial;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::Grid;
use super::operator::{Operator, OperatorExec, Transform, single};
use crate::functions::aggregate::AggregateFunction;

/// The aggregation of a grid: partial, exchange, final.
pub fn aggregate(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    function: AggregateFunction,
    group_of: Arc<[u32]>,
    groups: usize,
) -> Arc<dyn ExecutionPlan> {
    let partial = Partial { function, grid, group_of, groups };
    let partial = single(OperatorExec::create(Arc::new(partial), vec![input]));
    OperatorExec::create(Arc::new(Final { function, grid, groups }), vec![partial])
}

/// A state a group: `partition`, `group`, and `state`, which has the function's columns one after
/// the other, each one number a step.
fn state_schema(function: AggregateFunction, grid: Grid) -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Float64, false));
    let length = i32::try_from(function.columns() * grid.steps).unwrap_or(i32::MAX);
    Arc::new(Schema::new(vec![
        Field::new("partition", DataType::UInt32, false),
        Field::new("group", DataType::UInt32, false),
        Field::new("state", DataType::FixedSizeList(item, length), false),
    ]))
}

#[derive(Debug)]
struct Partial {
    function: AggregateFunction,
    grid: Grid,
    group_of: Arc<[u32]>,
    groups: usize,
}

impl Operator for Partial {
    fn name(&self) -> &'static str {
        "GridAggPartialExec"
    }

    fn describe(&self) -> String {
        format!("{}, groups={}", self.function, self.groups)
    }

    fn schema(&self) -> SchemaRef {
        state_schema(self.function, self.grid)
    }

    fn transform(&self, partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(partial::PartialStream::new(self, partition)))
    }
}

#[derive(Debug)]
struct Final {
    function: AggregateFunction,
    grid: Grid,
    groups: usize,
}

impl Operator for Final {
    fn name(&self) -> &'static str {
        "GridAggFinalExec"
    }

    fn describe(&self) -> String {
        format!("{}, groups={}", self.function, self.groups)
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(finish::FinalStream::new(self)))
    }
}
