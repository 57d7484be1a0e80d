//! limitk and limit_ratio on small grids.

use std::sync::Arc;

use super::*;
use crate::exec::testing::{Row, rows, run, source};

const GRID: Grid = Grid { start: 0, step: 1000, steps: 3 };

fn input() -> Arc<dyn ExecutionPlan> {
    // Two partitions, so that rows may come in any order.
    let all = rows(&["_ 5 5", "2 2 _", "7 7 7", "1 1 1"]);
    source(GRID, &[all[2..].to_vec(), all[..2].to_vec()])
}

fn found(plan: &Arc<dyn ExecutionPlan>) -> Vec<Row> {
    let mut found = run(plan, GRID).unwrap();
    found.sort_by_key(|row| row.0);
    found
}

#[test]
fn the_first_series_of_a_step_are_kept() {
    let groups = |group_of: [u32; 4]| {
        let count = group_of.iter().max().map_or(0, |max| max + 1);
        Arc::new(Groups { group_of: group_of.to_vec(), count, notes: Arc::default() })
    };
    let limited = |k, group_of| {
        found(&limitk(input(), false, GRID, Argument::Constant(k), groups(group_of), vec![]))
    };
    assert_eq!(limited(1.0, [0; 4]), rows(&["_ 5 5", "2 _ _"]));
    assert_eq!(limited(2.0, [0; 4]), rows(&["_ 5 5", "2 2 _", "7 _ 7"]));
    let each: Vec<u32> = limited(1.0, [0, 1, 0, 1]).iter().map(|row| row.0).collect();
    assert_eq!(each, [0, 1, 2, 3]);
    assert_eq!(limited(0.5, [0; 4]), []);
}

#[test]
fn a_ratio_and_its_complement_are_all() {
    let limited = |ratio: f64| -> Vec<u32> {
        let offsets = [0.1, 0.4, 0.6, 0.9].into();
        let ratio = Argument::Constant(ratio);
        let plan = limit_ratio(input(), GRID, ratio, offsets, Arc::default(), vec![]);
        found(&plan).iter().map(|row| row.0).collect()
    };
    assert_eq!(limited(0.5), [0, 1]);
    assert_eq!(limited(-0.5), [2, 3]);
    assert_eq!(limited(1.0), [0, 1, 2, 3]);
    assert_eq!(limited(-3.0), [0, 1, 2, 3]);
    assert!(limited(0.0).is_empty());
}
