//! Grids in and out of operators, for their tests.

use std::sync::Arc;

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::TryStreamExt;

use super::grid::{Grid, GridBuilder, GridRows};

/// A series' id and its cells.
pub(crate) type Row = (u32, Vec<Option<f64>>);

/// Cells from text: numbers separated by spaces, `_` for none.
pub(crate) fn cells(text: &str) -> Vec<Option<f64>> {
    text.split_whitespace()
        .map(|cell| (cell != "_").then(|| cell.parse().expect("a test's cell is a number")))
        .collect()
}

/// Rows from text, one series after the other from 0 on.
pub(crate) fn rows(texts: &[&str]) -> Vec<Row> {
    texts.iter().enumerate().map(|(series, text)| (series as u32, cells(text))).collect()
}

/// A plan that gives rows, a slice of them a partition, in batches of one row.
pub(crate) fn source(grid: Grid, partitions: &[Vec<Row>]) -> Arc<dyn ExecutionPlan> {
    let batches = |rows: &Vec<Row>| {
        let batch = |(series, cells): &Row| {
            let mut builder = GridBuilder::new(grid);
            let values: Vec<f64> = cells.iter().map(|cell| cell.unwrap_or(-99.0)).collect();
            let valid: Vec<bool> = cells.iter().map(Option::is_some).collect();
            builder.push(*series, &values, &valid);
            builder.take().expect("a row fits its schema")
        };
        rows.iter().filter_map(batch).collect()
    };
    let partitions: Vec<_> = partitions.iter().map(batches).collect();
    MemorySourceConfig::try_new_exec(&partitions, grid.schema(), None).expect("schemas are equal")
}

/// The rows that a plan gives, in its order, partition after partition.
pub(crate) fn run(plan: &Arc<dyn ExecutionPlan>, grid: Grid) -> Result<Vec<Row>> {
    let read = async {
        let context = Arc::new(TaskContext::default());
        let mut found = Vec::new();
        for partition in 0..plan.output_partitioning().partition_count() {
            let stream = plan.execute(partition, Arc::clone(&context))?;
            for batch in stream.try_collect::<Vec<_>>().await? {
                for (series, values, valid) in GridRows::new(batch, grid)?.iter() {
                    let cell = |(&value, &valid): (&f64, &bool)| valid.then_some(value);
                    found.push((series, values.iter().zip(valid).map(cell).collect()));
                }
            }
        }
        Ok(found)
    };
    // Exchanges spawn tasks, so the plan must be started inside the runtime.
    tokio::runtime::Builder::new_current_thread().build()?.block_on(read)
}
