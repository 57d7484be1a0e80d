//! One step repeated over many.

use super::repeat;
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};

#[test]
fn one_slot_becomes_many() {
    let (from, to) = (Grid::instant(0), Grid { start: 0, step: 1, steps: 3 });
    let plan = repeat(source(from, &[rows(&["1", "_", "NaN"])]), from, to);
    let found = run(&plan, to).unwrap();
    assert_eq!(found[0], rows(&["1 1 1"])[0]);
    assert_eq!(found.len(), 2);
    assert!(found[1].1.iter().all(|cell| cell.is_some_and(f64::is_nan)));
}

/// A narrow batch of many rows is not widened at once.
#[test]
fn batches_stay_small() {
    let (from, to) = (Grid::instant(0), Grid { start: 0, step: 1, steps: 1_000 });
    let input: Vec<_> = (0..1_000).map(|series| (series, vec![Some(1.0)])).collect();
    let found = run(&repeat(source(from, &[input]), from, to), to).unwrap();
    assert_eq!(found.len(), 1_000);
}
