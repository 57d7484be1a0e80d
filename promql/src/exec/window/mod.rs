//! `InstantSelectExec` and `RangeFunctionExec`: runs to a grid, one window of samples a step.
//!
//! Both are the same walk over a series' samples with another kernel. An instant selector is the
//! window of the lookback with the newest sample's value:
//!
//! | step, lookback 5m | window | samples 0m (1), 1m (2), 2m (stale), 9m (4) |
//! |--:|---|---|
//! | 1m | (-4m, 1m] | 2 |
//! | 2m | (-3m, 2m] | none: the newest sample ends the series |
//! | 9m | (4m, 9m] | 4 |
//! | 14m | (9m, 14m] | none: a sample exactly as old as the lookback is out |
//!
//! Series keep their ids. The kernels are in [`crate::functions::range`] and
//! [`crate::functions::instant`].

mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::Argument;
use super::grid::Grid;
use super::operator::{Operator, OperatorExec, Transform};
use crate::functions::instant::{Newest, NewestTimestamp};
use crate::functions::{RangeFunction, RangeKernel, Windows};

/// Where the kernel of a window function comes from.
#[derive(Debug, Clone)]
enum Kernel {
    /// It is known at planning.
    Ready(Arc<dyn RangeKernel>),
    /// It needs its parameters.
    WithArguments(RangeFunction, Vec<Argument>),
}

/// The operator.
#[derive(Debug)]
pub struct WindowFunction {
    name: &'static str,
    function: &'static str,
    grid: Grid,
    windows: Windows,
    kernel: Kernel,
    /// How many inputs, before the runs, are parameters.
    sides: usize,
}

impl WindowFunction {
    /// The newest sample's value, or with `timestamp` its time in seconds; `windows` span the
    /// lookback.
    pub fn instant(
        runs: Arc<dyn ExecutionPlan>,
        grid: Grid,
        windows: Windows,
        timestamp: bool,
    ) -> Arc<dyn ExecutionPlan> {
        let (function, kernel): (_, Arc<dyn RangeKernel>) = match timestamp {
            true => ("timestamp", Arc::new(NewestTimestamp)),
            false => ("newest", Arc::new(Newest)),
        };
        let name = "InstantSelectExec";
        let operator =
            Self { name, function, grid, windows, kernel: Kernel::Ready(kernel), sides: 0 };
        OperatorExec::create(Arc::new(operator), vec![runs])
    }

    /// A function of a range vector. `sides` are the inputs that [`Argument::Input`]s mean.
    pub fn range(
        runs: Arc<dyn ExecutionPlan>,
        grid: Grid,
        windows: Windows,
        function: RangeFunction,
        arguments: Vec<Argument>,
        sides: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Arc<dyn ExecutionPlan> {
        let kernel = Kernel::WithArguments(function, arguments);
        let name = "RangeFunctionExec";
        let operator =
            Self { name, function: function.name(), grid, windows, kernel, sides: sides.len() };
        let inputs = sides.into_iter().chain([runs]).collect();
        OperatorExec::create(Arc::new(operator), inputs)
    }
}

impl Operator for WindowFunction {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> String {
        let (range, end) = (self.windows.range(), self.windows.end(0));
        let mut text = format!("{}, {}, window={range}", self.function, self.grid);
        if end != self.grid.start {
            text += &format!(", first_end={end}");
        }
        if let Kernel::WithArguments(_, arguments) = &self.kernel {
            for argument in arguments {
                text += &format!(", argument={argument}");
            }
        }
        text
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(stream::WindowStream::new(self)))
    }
}
