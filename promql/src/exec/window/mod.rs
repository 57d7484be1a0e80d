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
use super::consumed::{Consumed, Counter};
use super::grid::{Cells, Grid};
use super::notes::Notes;
use super::operator::{Operator, OperatorExec, Transform};
use crate::functions::instant::{Newest, NewestFloatTimestamp, NewestStart, NewestTimestamp};
use crate::functions::range::Smooth;
use crate::functions::{RangeFunction, RangeKernel, Reach, Windows};

/// Where the kernel of a window function comes from.
#[derive(Debug, Clone)]
enum Kernel {
    /// It is known at planning.
    Ready(Arc<dyn RangeKernel>),
    /// It needs its parameters.
    WithArguments(RangeFunction, Vec<Argument>, Option<Reach>),
}

/// What an instant selector gives of the newest sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfNewest {
    /// Its value.
    Value,
    /// Its time in seconds.
    Timestamp,
    /// Its time in seconds, NaN if it is a histogram.
    FloatTimestamp,
    /// Its start timestamp in seconds.
    StartTimestamp,
}

/// The operator.
#[derive(Debug)]
pub struct WindowFunction {
    name: &'static str,
    function: &'static str,
    grid: Grid,
    windows: Windows,
    kernel: Kernel,
    /// What the results may be.
    cells: Cells,
    /// How many inputs, before the runs, are parameters.
    sides: usize,
    /// Whether only counts and sums of histograms matter.
    totals_only: bool,
    notes: Arc<Notes>,
    /// Where what is odd with parameters goes.
    odd: Arc<Notes>,
    /// Whether each series with a number as result is one of [`Remark::PossibleNonCounter`].
    expects_counters: bool,
    /// Where samples are counted, if they are.
    consumed: Option<Arc<Consumed>>,
}

impl WindowFunction {
    /// What counts the samples of a partition, if they are counted.
    fn counter(&self) -> Option<Counter> {
        let windows = match &self.kernel {
            Kernel::Ready(_) => None,
            Kernel::WithArguments(_, _, Some(reach)) => Some(reach.windows(&self.windows)),
            Kernel::WithArguments(..) => Some(self.windows),
        };
        let consumed = self.consumed.as_ref()?;
        Some(Counter::new(consumed, windows, self.windows.len()))
    }

    /// `what` of the newest sample; `windows` span the lookback. With `totals_only`, only counts and sums
    /// of histograms matter. What is found is counted in `consumed`.
    pub fn instant(
        runs: Arc<dyn ExecutionPlan>,
        grid: Grid,
        windows: Windows,
        what: OfNewest,
        totals_only: bool,
        consumed: Option<Arc<Consumed>>,
    ) -> Arc<dyn ExecutionPlan> {
        let (function, kernel): (_, Arc<dyn RangeKernel>) = match what {
            OfNewest::Value => ("newest", Arc::new(Newest)),
            OfNewest::Timestamp => ("timestamp", Arc::new(NewestTimestamp)),
            OfNewest::FloatTimestamp => ("float_timestamp", Arc::new(NewestFloatTimestamp)),
            OfNewest::StartTimestamp => ("start_timestamp", Arc::new(NewestStart)),
        };
        let cells = if what == OfNewest::Value { Cells::of(&runs) } else { Cells::Floats };
        let operator = Self {
            name: "InstantSelectExec",
            function,
            grid,
            windows,
            kernel: Kernel::Ready(kernel),
            cells,
            sides: 0,
            totals_only,
            notes: Arc::default(),
            odd: Arc::default(),
            expects_counters: false,
            consumed,
        };
        OperatorExec::create(Arc::new(operator), vec![runs])
    }

    /// The value on the line between the samples around each step, which `windows` with the lookback
    /// end at.
    pub fn smoothed(
        runs: Arc<dyn ExecutionPlan>,
        grid: Grid,
        windows: Windows,
        notes: Arc<Notes>,
        totals_only: bool,
    ) -> Arc<dyn ExecutionPlan> {
        let operator = Self {
            name: "InstantSelectExec",
            function: "smoothed",
            grid,
            windows,
            kernel: Kernel::Ready(Arc::new(Smooth)),
            cells: Cells::of(&runs),
            sides: 0,
            totals_only,
            notes,
            odd: Arc::default(),
            expects_counters: false,
            // Prometheus counts none of its samples (`smoothSeries` in promql/engine.go).
            consumed: None,
        };
        OperatorExec::create(Arc::new(operator), vec![runs])
    }

    /// A function of a range vector. `sides` are the inputs that [`Argument::Input`]s mean.
    pub fn range(
        runs: Arc<dyn ExecutionPlan>,
        grid: Grid,
        windows: Windows,
        call: RangeCall,
        sides: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Arc<dyn ExecutionPlan> {
        let RangeCall {
            function,
            arguments,
            reach,
            totals_only,
            notes,
            odd,
            expects_counters,
            consumed,
        } = call;
        let cells = if function.gives_histograms() { Cells::of(&runs) } else { Cells::Floats };
        let operator = Self {
            name: "RangeFunctionExec",
            function: function.name(),
            grid,
            windows,
            kernel: Kernel::WithArguments(function, arguments, reach),
            cells,
            sides: sides.len(),
            totals_only,
            notes,
            odd,
            expects_counters,
            consumed,
        };
        let inputs = sides.into_iter().chain([runs]).collect();
        OperatorExec::create(Arc::new(operator), inputs)
    }
}

/// A call of a function of a range vector.
#[derive(Debug, Clone)]
pub struct RangeCall {
    /// Which.
    pub function: RangeFunction,
    /// Its parameters.
    pub arguments: Vec<Argument>,
    /// How far its samples reach beyond the range.
    pub reach: Option<Reach>,
    /// Whether only counts and sums of histograms matter.
    pub totals_only: bool,
    /// Where remarks go.
    pub notes: Arc<Notes>,
    /// Where what is odd with parameters goes.
    pub odd: Arc<Notes>,
    /// Whether a series with a number as result may be no counter by its name.
    pub expects_counters: bool,
    /// Where samples are counted, if they are.
    pub consumed: Option<Arc<Consumed>>,
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
        if let Kernel::WithArguments(_, arguments, _) = &self.kernel {
            for argument in arguments {
                text += &format!(", argument={argument}");
            }
        }
        text
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn samples(&self) -> Option<u64> {
        self.consumed.as_ref().map(|consumed| consumed.counts().total.iter().sum())
    }

    fn is_side_input(&self, input: usize) -> bool {
        input < self.sides
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(stream::WindowStream::new(self)))
    }
}
