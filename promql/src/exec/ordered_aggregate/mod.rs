//! `TopKExec`, `QuantileExec`, `CountValuesExec`: aggregations that must see a group's values side by
//! side at each step.
//!
//! ```text
//! topk(1, v)   group of series 0, 1, 2 is 0, 0, 1
//!
//! series 0   1 5 _                 series 0   _ 5 _
//! series 1   2 2 _        →        series 1   2 _ _
//! series 2   7 7 7                 series 2   7 7 7
//! ```
//!
//! `topk` and `bottomk` keep the ids of series; in an instant query the rows come out in the order that
//! Prometheus answers: group by group, the best first. The results of `quantile` are groups. Those of
//! `count_values` are not known before the input has been read: their ids count up, and what they mean
//! is in [`CountedValues`].
//!
//! Native histograms are left out; `count_values` counts them by their text.

mod count_values;
mod quantile;
#[cfg(test)]
mod tests;
mod topk;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::Argument;
use super::grid::Grid;
use super::notes::Notes;
use super::operator::{Operator, OperatorExec, Transform, single};

pub use count_values::{CountedValue, CountedValues};

/// The groups of a vector's series.
#[derive(Debug, Clone)]
pub struct Groups {
    /// The group of each series.
    pub group_of: Vec<u32>,
    /// How many groups there are.
    pub count: u32,
    /// Where remarks go.
    pub notes: Arc<Notes>,
}

/// `topk(k, input)`, or `bottomk` if `bottom`. `sides` are the inputs that [`Argument::Input`]s mean.
pub fn topk(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    bottom: bool,
    k: Argument,
    groups: Arc<Groups>,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    create(input, sides, |sides| Ordered {
        grid,
        groups,
        function: Function::TopK { bottom, k },
        sides,
    })
}

/// `quantile(phi, input)`: a series a group. What is odd with φ goes to `odd`.
pub fn quantile(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    phi: Argument,
    groups: Arc<Groups>,
    odd: Arc<Notes>,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    create(input, sides, |sides| Ordered {
        grid,
        groups,
        function: Function::Quantile { phi, odd },
        sides,
    })
}

/// `count_values(label, input)`: series numbered as in `found`, which is complete when the plan has run.
pub fn count_values(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    groups: Arc<Groups>,
    found: Arc<CountedValues>,
) -> Arc<dyn ExecutionPlan> {
    let function = Function::CountValues { found };
    create(input, Vec::new(), |sides| Ordered { grid, groups, function, sides })
}

fn create(
    input: Arc<dyn ExecutionPlan>,
    sides: Vec<Arc<dyn ExecutionPlan>>,
    operator: impl FnOnce(usize) -> Ordered,
) -> Arc<dyn ExecutionPlan> {
    let operator = operator(sides.len());
    OperatorExec::create(Arc::new(operator), sides.into_iter().chain([single(input)]).collect())
}

#[derive(Debug)]
enum Function {
    TopK { bottom: bool, k: Argument },
    Quantile { phi: Argument, odd: Arc<Notes> },
    CountValues { found: Arc<CountedValues> },
}

#[derive(Debug)]
struct Ordered {
    grid: Grid,
    groups: Arc<Groups>,
    function: Function,
    sides: usize,
}

impl Operator for Ordered {
    fn name(&self) -> &'static str {
        match self.function {
            Function::TopK { .. } => "TopKExec",
            Function::Quantile { .. } => "QuantileExec",
            Function::CountValues { .. } => "CountValuesExec",
        }
    }

    fn describe(&self) -> String {
        let groups = self.groups.count;
        match &self.function {
            Function::TopK { bottom: false, k } => format!("topk, k={k}, groups={groups}"),
            Function::TopK { bottom: true, k } => format!("bottomk, k={k}, groups={groups}"),
            Function::Quantile { phi, .. } => format!("quantile={phi}, groups={groups}"),
            Function::CountValues { .. } => format!("groups={groups}"),
        }
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(match &self.function {
            Function::TopK { bottom, k } => Box::new(topk::TopKStream::new(self, *bottom, *k)),
            Function::Quantile { phi, odd } => {
                Box::new(quantile::QuantileStream::new(self, *phi, odd))
            }
            Function::CountValues { found } => {
                Box::new(count_values::CountStream::new(self, Arc::clone(found)))
            }
        })
    }
}
