//! What planning may take: memory for label sets and ids, and time.

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use engine::source::Roster;
use engine::{Error, ErrorKind, Result};

use super::series::SeriesSet;
use crate::runtime::Stop;

/// Bytes of ids and indices that a node keeps for each of its series.
const BYTES_A_SERIES: usize = 24;

/// Bytes of a series of a selector: where its samples lie in each block, and its place in the roster.
const BYTES_A_SELECTED_SERIES: usize = 96;

/// The memory of a query's planner, given back when it is dropped, and the time.
#[derive(Debug)]
pub(crate) struct Budget {
    memory: MemoryReservation,
    stop: Stop,
    /// The most series that all selectors together may match.
    series_limit: usize,
}

impl Budget {
    /// A budget of the memory of `context`.
    pub(crate) fn new(context: &TaskContext, stop: Stop, series_limit: usize) -> Self {
        let memory = MemoryConsumer::new("planner").register(context.memory_pool());
        Self { memory, stop, series_limit }
    }

    /// Counts what was made for a node.
    pub(crate) fn spend(&self, series: &mut SeriesSet) -> Result<()> {
        self.stop.check()?;
        let bytes = series.len() * BYTES_A_SERIES + series.take_made();
        Ok(self.memory.try_grow(bytes)?)
    }

    /// Counts the series of one more selector, `before` of others; returns how many there are now.
    pub(crate) fn select(&self, before: usize, roster: &Roster) -> Result<usize> {
        let series = before + roster.len();
        if series > self.series_limit {
            let text = format!("the query selects more than {} series", self.series_limit);
            return Err(Error::new(ErrorKind::ResourcesExhausted, text));
        }
        self.memory.try_grow(roster.len() * BYTES_A_SELECTED_SERIES)?;
        Ok(series)
    }
}
