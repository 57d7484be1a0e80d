//! The order of values, NaN among them.

use super::sort;
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};

#[test]
fn numbers_in_order_and_nan_last() {
    let grid = Grid::instant(0);
    let order = |descending| -> Vec<u32> {
        let input = source(grid, &[rows(&["2", "NaN", "-Inf", "3", "2", "_"])]);
        let found = run(&sort(input, grid, descending), grid).unwrap();
        found.into_iter().map(|(series, _)| series).collect()
    };
    assert_eq!(order(false), [2, 0, 4, 3, 1]);
    assert_eq!(order(true), [3, 0, 4, 2, 1]);
}
