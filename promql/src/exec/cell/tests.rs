//! Functions of cells, with parameters of each step.

use super::{CellFunction, cell_function};
use crate::exec::Argument;
use crate::exec::grid::Grid;
use crate::exec::testing::{rows, run, source};
use crate::functions::math::MathFunction;

const GRID: Grid = Grid { start: 2000, step: 1000, steps: 3 };

#[test]
fn rows_are_rewritten() {
    let apply = |function, sides| {
        run(&cell_function(source(GRID, &[rows(&["-1 _ 3"])]), GRID, function, sides), GRID)
            .unwrap()
    };
    assert_eq!(apply(CellFunction::Negate, Vec::new()), rows(&["1 _ -3"]));
    assert_eq!(apply(CellFunction::StepTime, Vec::new()), rows(&["2 _ 4"]));
    let most = CellFunction::Math(MathFunction::ClampMax, vec![Argument::Constant(2.0)]);
    assert_eq!(apply(most, Vec::new()), rows(&["-1 _ 2"]));
    let by_step = CellFunction::Math(MathFunction::ClampMax, vec![Argument::Input(0)]);
    let side = source(GRID, &[rows(&["-5 0 9"])]);
    assert_eq!(apply(by_step, vec![side]), rows(&["-5 _ 3"]));
}

#[test]
fn every_partition_gets_the_parameter() {
    let function = CellFunction::Math(MathFunction::ClampMax, vec![Argument::Input(0)]);
    let input = rows(&["5 5 5", "6 6 6"]);
    let input = source(GRID, &[input[..1].to_vec(), input[1..].to_vec()]);
    let plan = cell_function(input, GRID, function, vec![source(GRID, &[rows(&["1 2 3"])])]);
    assert_eq!(run(&plan, GRID).unwrap(), rows(&["1 2 3", "1 2 3"]));
}
