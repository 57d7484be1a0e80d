//! topk, quantile and count_values on small grids.

use std::sync::Arc;

use super::*;
use crate::exec::fault::Fault;
use crate::exec::testing::{Row, cells, rows, run, source};

const GRID: Grid = Grid { start: 0, step: 1000, steps: 3 };
const INPUT: [&str; 4] = ["1 5 _", "2 2 _", "7 7 7", "nan 1 8"];

fn groups(group_of: &[u32]) -> Arc<Groups> {
    let count = group_of.iter().max().map_or(0, |max| max + 1);
    Arc::new(Groups { group_of: group_of.to_vec(), count, notes: Arc::default() })
}

fn input() -> Arc<dyn ExecutionPlan> {
    // Two partitions, so that rows may come in any order.
    let all = rows(&INPUT);
    source(GRID, &[all[2..].to_vec(), all[..2].to_vec()])
}

fn found(plan: Arc<dyn ExecutionPlan>) -> Vec<Row> {
    run(&plan, GRID).unwrap()
}

#[test]
fn topk_keeps_series_by_step() {
    let top = |bottom, k| {
        topk(input(), GRID, bottom, Argument::Constant(k), groups(&[0, 0, 1, 1]), vec![])
    };
    let kept = found(top(false, 1.9));
    assert_eq!(
        kept,
        [(0, cells("_ 5 _")), (1, cells("2 _ _")), (2, cells("7 7 _")), (3, cells("_ _ 8"))]
    );
    let kept = found(top(true, 1.0));
    assert_eq!(
        kept,
        [(0, cells("1 _ _")), (1, cells("_ 2 _")), (2, cells("7 _ 7")), (3, cells("_ 1 _"))]
    );
    assert_eq!(found(top(false, 0.5)), []);
    let error = run(&top(false, f64::NAN), GRID).unwrap_err();
    assert!(error.to_string().contains("Parameter value is NaN"), "{error}");
    assert!(Fault::find(&error).is_none(), "the engine's own error");
}

#[test]
fn an_instant_topk_is_in_order_of_values_group_after_group() {
    let grid = Grid::instant(0);
    let input = source(grid, &[rows(&["1", "9", "5", "7", "3"])]);
    let groups = groups(&[1, 0, 1, 0, 1]);
    let plan = topk(input, grid, false, Argument::Constant(2.0), groups, vec![]);
    let order: Vec<u32> = run(&plan, grid).unwrap().iter().map(|row| row.0).collect();
    assert_eq!(order, [2, 4, 1, 3]);
}

#[test]
fn the_number_kept_changes_from_step_to_step() {
    let k = source(GRID, &[rows(&["0 1 2"])]);
    let plan = topk(input(), GRID, false, Argument::Input(0), groups(&[0; 4]), vec![k]);
    assert_eq!(found(plan), [(2, cells("_ 7 7")), (3, cells("_ _ 8"))]);
}

#[test]
fn quantiles_of_groups() {
    let half = Argument::Constant(0.5);
    let plan = quantile(input(), GRID, half, groups(&[1, 1, 0, 0]), Arc::default(), vec![]);
    let found = found(plan);
    assert_eq!(found[1], (1, cells("1.5 3.5 _")));
    assert_eq!(found[0].1[1..], cells("4 7.5"));
    assert!(found[0].1[0].is_some_and(f64::is_nan), "NaN is the lowest");
}

#[test]
fn values_become_series() {
    let input = source(GRID, &[rows(&["6 6 _", "6 7 _", "8 8 -inf", "nan 8 8"])]);
    let counted = Arc::new(CountedValues::default());
    let plan = count_values(input, GRID, groups(&[0, 0, 1, 1]), Arc::clone(&counted));
    assert!(counted.get().is_empty());
    let found = found(plan);
    let text = |value: &CountedValue| (value.group, value.value.clone());
    let names: Vec<(u32, String)> = counted.get().iter().map(text).collect();
    let expected = [(0, "6"), (0, "7"), (1, "-Inf"), (1, "8"), (1, "NaN")];
    assert_eq!(names, expected.map(|(group, text)| (group, text.to_owned())));
    assert_eq!(found, rows(&["2 1 _", "_ 1 _", "_ _ 1", "1 2 1", "1 _ _"]));
}
