//! The windows of downsampled blocks: where their columns lie, and reading those that are wanted.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

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

/// Reads the windows of `stretches`, one behind the other; columns that are not wanted stay empty.
pub(crate) async fn read_windows(
    plan: &Arc<ScanPlan>,
    stretches: &[Stretch],
    wanted: Wanted,
    context: &TaskContext,
) -> Result<Windows> {
    let mut out = Windows::default();
    let column = |column| Column::Window(column);
    let read = |column: Column| Reading { plan, stretches, column, context };
    out.ts = read(Column::Ts).numbers().await?;
    if wanted.count {
        out.count = read(column(WindowColumn::Count)).numbers().await?;
    }
    if wanted.sum {
        out.sum = read(column(WindowColumn::Sum)).numbers().await?;
    }
    if wanted.min {
        out.min = read(column(WindowColumn::Min)).numbers().await?;
    }
    if wanted.max {
        out.max = read(column(WindowColumn::Max)).numbers().await?;
    }
    if wanted.counter {
        out.counter = read(column(WindowColumn::Counter)).numbers().await?;
        out.first = read(column(WindowColumn::First)).numbers().await?;
        out.first_ts = read(column(WindowColumn::FirstTs)).numbers().await?;
        out.last = read(column(WindowColumn::Last)).numbers().await?;
    }
    Ok(out)
}

/// The reading of one column.
struct Reading<'a> {
    plan: &'a Arc<ScanPlan>,
    stretches: &'a [Stretch],
    column: Column,
    context: &'a TaskContext,
}

impl Reading<'_> {
    async fn numbers<N: Number>(&self) -> Result<Vec<N>> {
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
