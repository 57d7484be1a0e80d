//! absent: where nothing is, over partitions.

use super::absent;
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};

#[test]
fn one_where_no_series_has_a_value() {
    let grid = Grid { start: 0, step: 1, steps: 4 };
    let input = rows(&["1 _ _ 1", "2 _ 7 _"]);
    let found = run(&absent(source(grid, &[input[..1].to_vec(), input[1..].to_vec()]), grid), grid);
    assert_eq!(found.unwrap(), rows(&["_ 1 _ _"]));
    let nothing = run(&absent(source(grid, &[Vec::new()]), grid), grid);
    assert_eq!(nothing.unwrap(), rows(&["1 1 1 1"]));
}
