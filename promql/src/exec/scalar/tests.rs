//! Scalars, and vectors that become scalars.

use super::{ScalarSource, scalar, scalar_of_vector};
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};

const GRID: Grid = Grid { start: 1500, step: 500, steps: 3 };

#[test]
fn scalars_have_a_value_at_every_step() {
    let of = |source| run(&scalar(source, GRID), GRID).unwrap();
    assert_eq!(of(ScalarSource::Constant(7.0)), rows(&["7 7 7"]));
    assert_eq!(of(ScalarSource::Time), rows(&["1.5 2 2.5"]));
}

#[test]
fn a_vector_of_one_series_is_a_scalar() {
    let plan = scalar_of_vector(source(GRID, &[rows(&["1 2 _", "_ 3 _"])]), GRID);
    let found = run(&plan, GRID).unwrap();
    let [(0, cells)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(cells[0], Some(1.0));
    assert!(cells[1..].iter().all(|cell| cell.is_some_and(f64::is_nan)), "{cells:?}");
}
