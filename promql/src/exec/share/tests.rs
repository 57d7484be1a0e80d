//! Several readers, one reading.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::ShareExec;
use crate::exec::fault::Fault;
use crate::exec::grid::Grid;
use crate::exec::merge_series::merge_series;
use crate::exec::testing::{rows, run, source};

const GRID: Grid = Grid { start: 0, step: 1, steps: 2 };

#[tokio::test]
async fn readers_share_one_reading() {
    // Two series collide: the error of the one reading comes to both readers.
    let input = source(GRID, &[rows(&["1 2", "3 4"])]);
    let share: Arc<dyn ExecutionPlan> = ShareExec::create(merge_series(input, GRID, [0, 0].into()));
    for _ in 0..2 {
        let read = collect(Arc::clone(&share), Arc::new(TaskContext::default())).await;
        let error = read.unwrap_err();
        assert_eq!(Fault::find(&error), Some(&Fault::SameLabels));
    }
    let input = source(GRID, &[rows(&["1 2"])]);
    let counted = merge_series(input, GRID, [0].into());
    let share: Arc<dyn ExecutionPlan> = ShareExec::create(Arc::clone(&counted));
    for _ in 0..2 {
        let read = collect(Arc::clone(&share), Arc::new(TaskContext::default())).await.unwrap();
        assert_eq!(read.len(), 1);
    }
    let read = counted.metrics().and_then(|metrics| metrics.output_rows());
    assert_eq!(read, Some(1), "the input was read once");
}

#[test]
fn partitions_become_one() {
    let input = rows(&["1 2", "3 4"]);
    let share: Arc<dyn ExecutionPlan> =
        ShareExec::create(source(GRID, &[input[..1].to_vec(), input[1..].to_vec()]));
    let mut found = run(&share, GRID).unwrap();
    found.sort_by_key(|(series, _)| *series);
    assert_eq!(found, input);
}
