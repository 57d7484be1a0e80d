//! A grid read as samples.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::collect;

use super::subquery;
use crate::exec::grid::Grid;
use crate::exec::runs::RunReader;
use crate::exec::testing::{rows, source};
use crate::functions::Samples;

#[tokio::test]
async fn cells_become_samples() {
    let grid = Grid { start: 60_000, step: 60_000, steps: 3 };
    let plan = subquery(source(grid, &[rows(&["1 _ 3", "_ _ 5"])]), grid, false);
    let batches = collect(plan, Arc::new(TaskContext::default())).await.unwrap();
    let mut found = Vec::new();
    let mut each = |series: u32, samples: &Samples<'_>| {
        found.push((series, samples.ts.to_vec(), samples.values.to_vec()));
        Ok(())
    };
    let mut reader = RunReader::default();
    for batch in &batches {
        reader.push(batch, &mut each).unwrap();
    }
    reader.finish(&mut each).unwrap();
    let expected = vec![(0, vec![60_000, 180_000], vec![1.0, 3.0]), (1, vec![180_000], vec![5.0])];
    assert_eq!(found, expected);
}
