//! The order of values, NaN among them.

use super::{Order, sort};
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};

#[test]
fn numbers_in_order_and_nan_last() {
    let grid = Grid::instant(0);
    let order = |order| -> Vec<u32> {
        let input = source(grid, &[rows(&["2", "NaN", "-Inf", "3", "2", "_"])]);
        let found = run(&sort(input, grid, order), grid).unwrap();
        found.into_iter().map(|(series, _)| series).collect()
    };
    assert_eq!(order(Order::Ascending), [2, 0, 4, 3, 1]);
    assert_eq!(order(Order::Descending), [3, 0, 4, 2, 1]);
    let by_label = Order::Ranked([5, 4, 3, 2, 1, 0].into());
    assert_eq!(order(by_label), [4, 3, 2, 1, 0]);
}
