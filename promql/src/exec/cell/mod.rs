//! `FunctionExec`: functions of a value alone (and of parameters and the step's time).
//!
//! ```text
//! clamp_min(v, 2):   1 _ 3   →   2 _ 3
//! ```
//!
//! Rows are rewritten one after the other; series keep their ids. A series whose values all vanish
//! (`clamp` with minimum above maximum) is left out.

mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::Argument;
use super::grid::{Cells, Grid};
use super::operator::{Operator, OperatorExec, Transform};
use crate::functions::HistogramValue;
use crate::functions::math::MathFunction;

/// A function of cells.
#[derive(Debug, Clone, PartialEq)]
pub enum CellFunction {
    /// A function of the language and its parameters.
    Math(MathFunction, Vec<Argument>),
    /// Unary minus.
    Negate,
    /// The step's time in seconds where there is a value: `timestamp()` of what is no selector.
    StepTime,
    /// A number of each native histogram.
    OfHistogram(HistogramValue),
    /// Numbers as they are, without histograms.
    Floats,
    /// Nothing at all.
    Nothing,
}

impl CellFunction {
    /// What the results may be.
    fn cells(&self, input: Cells) -> Cells {
        if *self == Self::Negate { input } else { Cells::Floats }
    }
}

/// `function` of each value of `input`; `sides` are the inputs that [`Argument::Input`]s mean.
pub fn cell_function(
    input: Arc<dyn ExecutionPlan>,
    grid: Grid,
    function: CellFunction,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> Arc<dyn ExecutionPlan> {
    let cells = function.cells(Cells::of(&input));
    let operator = CellOperator { grid, cells, function, sides: sides.len() };
    OperatorExec::create(Arc::new(operator), sides.into_iter().chain([input]).collect())
}

#[derive(Debug)]
struct CellOperator {
    grid: Grid,
    cells: Cells,
    function: CellFunction,
    /// How many inputs, before the one that is rewritten, are parameters.
    sides: usize,
}

impl Operator for CellOperator {
    fn name(&self) -> &'static str {
        "FunctionExec"
    }

    fn describe(&self) -> String {
        match &self.function {
            CellFunction::Math(function, arguments) => {
                let mut text = function.name().to_owned();
                for argument in arguments {
                    text += &format!(", argument={argument}");
                }
                text
            }
            CellFunction::Negate => "negate".to_owned(),
            CellFunction::StepTime => "step_time".to_owned(),
            CellFunction::OfHistogram(value) => value.function().to_owned(),
            CellFunction::Floats => "floats".to_owned(),
            CellFunction::Nothing => "nothing".to_owned(),
        }
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(stream::CellStream::new(self)))
    }
}
