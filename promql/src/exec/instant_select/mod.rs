//! `InstantSelectExec`: runs to a grid, the newest sample within the lookback of each step.
//!
//! Lookback 5m, samples at 0m (1), 1m (2), 2m (stale marker), 9m (4):
//!
//! | step | window | value |
//! |--:|---|---|
//! | 1m | (-4m, 1m] | 2 |
//! | 2m | (-3m, 2m] | none: the newest sample ends the series |
//! | 9m | (4m, 9m] | 4 |
//! | 14m | (9m, 14m] | none: a sample exactly `lookback` old is out |
//!
//! Prometheus: `vectorSelectorSingle` in promql/engine.go.

mod algo;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::Grid;
use super::operator::{Operator, OperatorExec, Transform};

/// What becomes of the sample found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Its value.
    Value,
    /// Its timestamp in seconds: `timestamp(selector)`.
    Timestamp,
}

/// The operator.
#[derive(Debug)]
pub struct InstantSelect {
    grid: Grid,
    /// The end of the first window in ms (offset and `@` applied).
    start: i64,
    /// The distance of window ends: the grid's step, or 0 with `@`.
    step: i64,
    lookback: i64,
    emit: Emit,
}

impl InstantSelect {
    /// The newest sample of each window `(end - lookback, end]`, where step `k` ends at
    /// `start + k * step`, all in ms.
    pub fn create(
        runs: Arc<dyn ExecutionPlan>,
        grid: Grid,
        (start, step): (i64, i64),
        lookback: i64,
        emit: Emit,
    ) -> Arc<dyn ExecutionPlan> {
        let operator = Self { grid, start, step, lookback, emit };
        OperatorExec::create(Arc::new(operator), vec![runs])
    }
}

impl Operator for InstantSelect {
    fn name(&self) -> &'static str {
        "InstantSelectExec"
    }

    fn describe(&self) -> String {
        let emit = if self.emit == Emit::Timestamp { ", emit=timestamp" } else { "" };
        format!(
            "{}, ends={}+{}, lookback={}{emit}",
            self.grid, self.start, self.step, self.lookback
        )
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema()
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(stream::InstantSelectStream::new(self)))
    }
}
