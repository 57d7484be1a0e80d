//! `BinaryExec`: arithmetic and comparisons; `SetExec`: `and`, `or`, `unless`.
//!
//! Planning has put both sides' series into match groups ([`Matching`]), so that the operators
//! compare numbers, a row with a row.
//!
//! ```text
//! a / on(pod) group_left b         key of a's series 0, 1, 2 is 0, 0, 1; of b's series 0, 1 is 0, 0
//!
//! a 0   6 6 6                      b 0   2 _ _                  0   3 2 _
//! a 1   9 9 _                      b 1   _ 3 _        →         1   4.5 3 _
//! a 2   1 1 1                      (b's series take turns)
//! ```
//!
//! The one side is read whole and kept, the many side streams through. Only where results of several
//! series can have one label set are result rows collected.
//!
//! A cell may be a native histogram; those are worked on one by one, behind the row of numbers.
//!
//! What Prometheus checks a step at a time is checked so: two values in one group of the one side
//! (when the many side has any value at that step), two of the many side with one-to-one matching, two
//! results with one label set. The earliest step decides which error it is.

mod join;
mod matching;
mod one_side;
mod scalar;
mod set;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::Argument;
use super::grid::{Cells, Grid};
use super::notes::Notes;
use super::operator::{Operator, OperatorExec, Transform, single};
use super::share::ShareExec;
use crate::functions::binary::BinaryOp;

pub use matching::{Cardinality, Fill, Matching, NO_KEY, SetMatching, SetOp};

/// An operator and what it gives.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Which.
    pub op: BinaryOp,
    /// Whether a comparison gives 1 or 0 (the modifier `bool`).
    pub answer: bool,
    /// Where remarks go.
    pub notes: Arc<Notes>,
}

impl Operation {
    fn describe(&self) -> String {
        format!("op={}{}", self.op, if self.answer { ", bool" } else { "" })
    }
}

/// `left op right` of two vectors. A comparison that gives no answer keeps the left value where it holds.
pub fn vector_vector(
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    grid: Grid,
    operation: Operation,
    matching: Arc<Matching>,
) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&left).or(Cells::of(&right));
    let (many, one) = match matching.cardinality {
        Cardinality::OneToMany => (right, left),
        Cardinality::OneToOne | Cardinality::ManyToOne => (left, right),
    };
    let separate = join::results_are_separate(&matching);
    let many = if separate { many } else { single(many) };
    let partitions = many.output_partitioning().partition_count();
    let one = if partitions > 1 { ShareExec::create(one) } else { single(one) };
    let operator = Join { grid, cells, operation, matching, separate };
    OperatorExec::create(Arc::new(operator), vec![one, many])
}

/// A vector and a scalar, on either side, or two scalars (the left one as the vector). Comparisons
/// that give no answer keep the vector's values. `sides` are the inputs that [`Argument::Input`]s mean.
pub fn vector_scalar(
    vector: Arc<dyn ExecutionPlan>,
    scalar: Argument,
    scalar_is_left: bool,
    grid: Grid,
    operation: Operation,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    let cells = Cells::of(&vector);
    let operator =
        WithScalar { grid, cells, operation, scalar, scalar_is_left, sides: sides.len() };
    OperatorExec::create(Arc::new(operator), sides.into_iter().chain([vector]).collect())
}

/// `left op right` for a set operator. `and` and `unless` keep the left series' ids.
pub fn set_operation(
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    grid: Grid,
    op: SetOp,
    matching: Arc<SetMatching>,
) -> Arc<dyn ExecutionPlan> {
    let cells = match op {
        SetOp::Or => Cells::of(&left).or(Cells::of(&right)),
        SetOp::And | SetOp::Unless => Cells::of(&left),
    };
    let inputs = match op {
        SetOp::Or => vec![single(left), single(right)],
        SetOp::And | SetOp::Unless => {
            let partitions = left.output_partitioning().partition_count();
            let right = if partitions > 1 { ShareExec::create(right) } else { single(right) };
            vec![right, left]
        }
    };
    OperatorExec::create(Arc::new(SetOperation { grid, cells, op, matching }), inputs)
}

#[derive(Debug)]
struct Join {
    grid: Grid,
    cells: Cells,
    operation: Operation,
    matching: Arc<Matching>,
    /// Whether each result series comes from one series of the many side.
    separate: bool,
}

impl Operator for Join {
    fn name(&self) -> &'static str {
        "BinaryExec"
    }

    fn describe(&self) -> String {
        let matching = match self.matching.cardinality {
            Cardinality::OneToOne => "one_to_one",
            Cardinality::ManyToOne => "many_to_one",
            Cardinality::OneToMany => "one_to_many",
        };
        let Matching { keys, outputs, .. } = *self.matching;
        let operation = self.operation.describe();
        format!("{operation}, matching={matching}, keys={keys}, series={outputs}")
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn is_side_input(&self, input: usize) -> bool {
        input == 0
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(join::JoinStream::new(self)))
    }
}

#[derive(Debug)]
struct WithScalar {
    grid: Grid,
    cells: Cells,
    operation: Operation,
    scalar: Argument,
    scalar_is_left: bool,
    sides: usize,
}

impl Operator for WithScalar {
    fn name(&self) -> &'static str {
        "BinaryExec"
    }

    fn describe(&self) -> String {
        let side = if self.scalar_is_left { "left" } else { "right" };
        format!("{}, {side}={}", self.operation.describe(), self.scalar)
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(scalar::ScalarStream::new(self)))
    }
}

#[derive(Debug)]
struct SetOperation {
    grid: Grid,
    cells: Cells,
    op: SetOp,
    matching: Arc<SetMatching>,
}

impl Operator for SetOperation {
    fn name(&self) -> &'static str {
        "SetExec"
    }

    fn describe(&self) -> String {
        format!("op={}, keys={}", self.op, self.matching.keys)
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn is_side_input(&self, input: usize) -> bool {
        self.op != SetOp::Or && input == 0
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(match self.op {
            SetOp::Or => Box::new(set::UnionStream::new(self)),
            SetOp::And | SetOp::Unless => Box::new(set::FilterStream::new(self)),
        })
    }
}
