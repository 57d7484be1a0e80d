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
//!
//! Native histograms are summed and averaged too, in totals of their own ([`mixed`]); they are counted
//! as any sample, and other aggregations leave them out. A group that has numbers and histograms at one
//! step has no sum there.

mod finish;
mod mixed;
mod partial;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Cells, Grid};
use super::notes::Notes;
use super::operator::{Operator, OperatorExec, Transform, single};
use crate::functions::aggregate::AggregateFunction;

/// The groups of an aggregation.
#[derive(Debug, Clone)]
pub struct AggregateGroups {
    /// The group of each series.
    pub group_of: Arc<[u32]>,
    /// How many groups there are.
    pub count: usize,
    /// Where remarks go.
    pub notes: Arc<Notes>,
}

/// The aggregation of a grid: partial, exchange, final.
pub fn aggregate(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    function: AggregateFunction,
    groups: AggregateGroups,
) -> Arc<dyn ExecutionPlan> {
    let totals = function.takes_histograms() && Cells::of(&input) == Cells::Mixed;
    let state = State { function, grid, totals };
    let partial = Partial { state, groups: groups.clone() };
    let partial = single(OperatorExec::create(Arc::new(partial), vec![input]));
    OperatorExec::create(Arc::new(Final { state, groups }), vec![partial])
}

/// What the states of an aggregation are.
#[derive(Debug, Clone, Copy)]
struct State {
    function: AggregateFunction,
    grid: Grid,
    /// Whether there are totals of histograms.
    totals: bool,
}

impl State {
    /// Numbers a step: the function's columns, and two of each total.
    fn columns(&self) -> usize {
        self.function.columns() + if self.totals { mixed::COLUMNS } else { 0 }
    }

    /// A state a group: `partition`, `group`, and `state`, which has columns one after the other, each
    /// one number a step; behind it the histograms of totals.
    fn schema(&self) -> SchemaRef {
        let item = Arc::new(Field::new("item", DataType::Float64, false));
        let length = i32::try_from(self.columns() * self.grid.steps).unwrap_or(i32::MAX);
        let mut fields = vec![
            Field::new("partition", DataType::UInt32, false),
            Field::new("group", DataType::UInt32, false),
            Field::new("state", DataType::FixedSizeList(item, length), false),
        ];
        if self.totals {
            fields.extend(mixed::fields());
        }
        Arc::new(Schema::new(fields))
    }

    /// What the results may be.
    fn cells(&self) -> Cells {
        if self.totals { Cells::Mixed } else { Cells::Floats }
    }
}

#[derive(Debug)]
struct Partial {
    state: State,
    groups: AggregateGroups,
}

impl Operator for Partial {
    fn name(&self) -> &'static str {
        "GridAggPartialExec"
    }

    fn describe(&self) -> String {
        format!("{}, groups={}", self.state.function, self.groups.count)
    }

    fn schema(&self) -> SchemaRef {
        self.state.schema()
    }

    fn transform(&self, partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(partial::PartialStream::new(self, partition)))
    }
}

#[derive(Debug)]
struct Final {
    state: State,
    groups: AggregateGroups,
}

impl Operator for Final {
    fn name(&self) -> &'static str {
        "GridAggFinalExec"
    }

    fn describe(&self) -> String {
        format!("{}, groups={}", self.state.function, self.groups.count)
    }

    fn schema(&self) -> SchemaRef {
        self.state.grid.schema_of(self.state.cells())
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(finish::FinalStream::new(self)))
    }
}
