//! Windows over runs, by instant and by range.

use std::sync::Arc;

use engine::model::STALE_NAN_BITS;

use super::{OfNewest, RangeCall, WindowFunction};
use crate::exec::Argument;
use crate::exec::grid::Grid;
use crate::exec::subquery::subquery;
use crate::exec::testing::{rows, run, source};
use crate::functions::{RangeFunction, Windows};

/// Steps at 10, 20, 30, 40.
const SAMPLES: Grid = Grid { start: 10, step: 10, steps: 4 };
const GRID: Grid = Grid { start: 20, step: 20, steps: 2 };

#[test]
fn instant_vectors_look_back() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let input = vec![
        (0, vec![Some(1.0), Some(2.0), Some(stale), None]),
        (1, vec![None, None, Some(3.0), None]),
    ];
    let instant = |what| {
        let runs = subquery(source(SAMPLES, std::slice::from_ref(&input)), SAMPLES, false);
        let windows = Windows::new(GRID, 15, 0);
        run(&WindowFunction::instant(runs, GRID, windows, what, false, None), GRID).unwrap()
    };
    assert_eq!(
        instant(OfNewest::Value),
        vec![(0, vec![Some(2.0), None]), (1, vec![None, Some(3.0)])]
    );
    assert_eq!(
        instant(OfNewest::Timestamp),
        vec![(0, vec![Some(0.02), None]), (1, vec![None, Some(0.03)])]
    );
}

#[test]
fn range_functions_take_parameters_of_each_step() {
    let runs = subquery(source(SAMPLES, &[rows(&["1 2 3 9"])]), SAMPLES, false);
    let phi = source(GRID, &[rows(&["0 1"])]);
    let function = RangeFunction::Quantile;
    let windows = Windows::new(GRID, 20, 0);
    let call = RangeCall {
        function,
        arguments: vec![Argument::Input(0)],
        reach: None,
        totals_only: false,
        notes: Arc::default(),
        odd: Arc::default(),
        expects_counters: false,
        consumed: None,
    };
    let plan = WindowFunction::range(runs, GRID, windows, call, vec![phi]);
    assert_eq!(run(&plan, GRID).unwrap(), rows(&["1 9"]));
}
