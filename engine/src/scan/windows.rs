//! The windows of downsampled blocks: where their columns lie, and reading those that are wanted.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::try_join;

use super::decode::Decoder;
use super::pages::{Number, PageTable};
use super::plan::ScanPlan;
use super::wave::{Column, Pages, Stretch, WavePages, fetch};
use crate::Result;
use crate::block::FileReader;
use crate::block::schema::windows;
use crate::model::Windows;

/// A column of windows, besides their timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowColumn {
    Count,
    Sum,
    Min,
    Max,
    Counter,
    First,
    FirstTs,
    Last,
}

/// Where the columns of windows lie.
#[derive(Debug, Default)]
pub(super) struct WindowTables([PageTable; 8]);

impl WindowTables {
    pub(super) fn new(file: &FileReader) -> Result<Self> {
        Ok(Self([
            PageTable::new::<i64>(file, windows::COUNT)?,
            PageTable::new::<f64>(file, windows::SUM)?,
            PageTable::new::<f64>(file, windows::MIN)?,
            PageTable::new::<f64>(file, windows::MAX)?,
            PageTable::new::<f64>(file, windows::COUNTER)?,
            PageTable::new::<f64>(file, windows::FIRST)?,
            PageTable::new::<i64>(file, windows::FIRST_TS)?,
            PageTable::new::<f64>(file, windows::LAST)?,
        ]))
    }

    pub(super) fn get(&self, column: WindowColumn) -> &PageTable {
        &self.0[column as usize]
    }

    pub(super) fn memory_size(&self) -> usize {
        self.0.iter().map(PageTable::memory_size).sum()
    }
}

/// Which columns of windows are read; timestamps always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) count: bool,
    pub(crate) sum: bool,
    pub(crate) min: bool,
    pub(crate) max: bool,
    /// `counter`, `first`, `first_ts` and `last`.
    pub(crate) counter: bool,
}

impl Wanted {
    /// All of them.
    pub(crate) const ALL: Self =
        Self { count: true, sum: true, min: true, max: true, counter: true };
}

/// Reads the windows of `stretches`, one behind the other, all columns at once. Columns that are not wanted
/// stay empty.
pub(crate) async fn read_windows(
    plan: &Arc<ScanPlan>,
    stretches: &[Stretch],
    wanted: Wanted,
    context: &TaskContext,
) -> Result<Windows> {
    let read = |column: Column| Reading { plan, stretches, column, context };
    let floats = |wanted: bool, column| read(Column::Window(column)).numbers_if::<f64>(wanted);
    let whole = |wanted: bool, column| read(Column::Window(column)).numbers_if::<i64>(wanted);
    let (ts, count, sum, min, max, counter, first, first_ts, last) = try_join!(
        read(Column::Ts).numbers_if(true),
        whole(wanted.count, WindowColumn::Count),
        floats(wanted.sum, WindowColumn::Sum),
        floats(wanted.min, WindowColumn::Min),
        floats(wanted.max, WindowColumn::Max),
        floats(wanted.counter, WindowColumn::Counter),
        floats(wanted.counter, WindowColumn::First),
        whole(wanted.counter, WindowColumn::FirstTs),
        floats(wanted.counter, WindowColumn::Last),
    )?;
    Ok(Windows { ts, count, sum, min, max, counter, first, first_ts, last })
}

/// The reading of one column.
struct Reading<'a> {
    plan: &'a Arc<ScanPlan>,
    stretches: &'a [Stretch],
    column: Column,
    context: &'a TaskContext,
}

impl Reading<'_> {
    /// The numbers, if they are wanted.
    async fn numbers_if<N: Number>(self, wanted: bool) -> Result<Vec<N>> {
        if !wanted {
            return Ok(Vec::new());
        }
        let metrics = ExecutionPlanMetricsSet::new();
        let pages = Arc::new(Pages::new(Arc::clone(self.plan), self.column, &metrics, 0));
        let mut wave = WavePages::new(Arc::clone(&pages));
        for &stretch in self.stretches {
            wave.add(stretch)?;
        }
        let uses = wave.close();
        let fetched = fetch(&pages, &uses).await?;
        let memory = MemoryConsumer::new("windows").register(self.context.memory_pool());
        let mut decoder = Decoder::<N>::new(pages, memory, None)?;
        decoder.begin(uses, fetched, Vec::new())?;
        let rows = self.stretches.iter().map(|stretch| stretch.rows as usize).sum();
        let mut numbers = Vec::with_capacity(rows);
        for &stretch in self.stretches {
            decoder.read(stretch, &mut numbers)?;
        }
        Ok(numbers)
    }
}
