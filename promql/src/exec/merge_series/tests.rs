//! Series that take turns, and series that meet.

use super::merge_series;
use crate::exec::fault::Fault;
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};

const GRID: Grid = Grid { start: 0, step: 1, steps: 3 };

#[test]
fn series_take_turns_but_do_not_meet() {
    let merged = |texts: &[&str]| {
        let plan = merge_series(source(GRID, &[rows(texts)]), GRID, [0, 1, 0].into());
        run(&plan, GRID).map(|mut rows| {
            rows.sort_by_key(|(series, _)| *series);
            rows
        })
    };
    let found = merged(&["1 _ _", "5 5 5", "_ _ 3"]).unwrap();
    assert_eq!(found, rows(&["1 _ 3", "5 5 5"]));
    let error = merged(&["1 _ _", "5 5 5", "2 _ 3"]).unwrap_err();
    assert_eq!(Fault::find(&error), Some(&Fault::SameLabels));
    let alone = merged(&["1 _ _", "5 5 5"]).unwrap();
    assert_eq!(alone, rows(&["1 _ _", "5 5 5"]), "a series without values collides with none");
}
