//! Joins against a loop over each step, and each error.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use proptest::prelude::*;

use super::*;
use crate::exec::fault::{Fault, Side};
use crate::exec::testing::{Row, cells, rows, run, source};

const GRID: Grid = Grid { start: 0, step: 1000, steps: 3 };

/// A matching in which each many-side series makes one result, whatever it meets.
fn matching(
    cardinality: Cardinality,
    left_key: &[u32],
    right_key: &[u32],
    out: &[u32],
) -> Matching {
    let (many, one) = match cardinality {
        Cardinality::OneToMany => (right_key, left_key),
        _ => (left_key, right_key),
    };
    let keys = left_key.iter().chain(right_key).filter(|&&key| key != NO_KEY).max();
    Matching {
        operation: 7,
        cardinality,
        left_key: left_key.to_vec(),
        right_key: right_key.to_vec(),
        keys: keys.map_or(0, |key| key + 1),
        one_class: vec![0; one.len()],
        out_start: (0..many.len() as u32).collect(),
        out: out.to_vec(),
        outputs: out.iter().max().map_or(0, |out| out + 1),
        fill: None,
    }
}

fn operation(op: BinaryOp, answer: bool) -> Operation {
    Operation { op, answer, notes: Arc::default() }
}

fn join(
    left: &[&str],
    op: &str,
    right: &[&str],
    answer: bool,
    matching: Matching,
) -> Result<Vec<Row>> {
    let op = BinaryOp::from_symbol(op).unwrap();
    let (left, right) = (source(GRID, &[rows(left)]), source(GRID, &[rows(right)]));
    run(&vector_vector(left, right, GRID, operation(op, answer), Arc::new(matching)), GRID)
}

fn fault(result: Result<Vec<Row>>) -> Fault {
    let error = result.unwrap_err();
    Fault::find(&error).expect("the error is a fault").clone()
}

#[test]
fn one_side_series_take_turns() {
    let table = matching(Cardinality::ManyToOne, &[0, 0, NO_KEY], &[0, 0], &[0, 1, 2]);
    let joined = join(&["6 6 6", "9 9 _", "1 1 1"], "/", &["2 _ _", "_ 3 _"], false, table);
    assert_eq!(joined.unwrap(), rows(&["3 2 _", "4.5 3 _"]));
}

#[test]
fn sides_keep_their_places() {
    let table = matching(Cardinality::OneToMany, &[0], &[0, 0], &[0, 1]);
    let joined = join(&["6 6 6"], "-", &["1 2 3", "_ _ 6"], false, table.clone());
    assert_eq!(joined.unwrap(), rows(&["5 4 3", "_ _ 0"]));
    // A comparison keeps the left value, also where the right side is the many one.
    let kept = join(&["2 2 2"], ">", &["1 2 3", "_ _ 0"], false, table.clone());
    assert_eq!(kept.unwrap(), rows(&["2 _ _", "_ _ 2"]));
    let answers = join(&["2 2 _"], ">", &["1 2 3", "_ 0 _"], true, table);
    assert_eq!(answers.unwrap(), rows(&["1 0 _", "_ 1 _"]));
}

#[test]
fn copied_labels_part_the_results() {
    // The worked example of `Matching`.
    let table = Matching {
        one_class: vec![0, 1],
        out_start: vec![0, 2, 4],
        out: vec![0, 1, 2, 3],
        outputs: 4,
        ..matching(Cardinality::ManyToOne, &[0, 0, NO_KEY], &[0, 0], &[0])
    };
    let joined = join(&["1 1 1", "2 2 2", "3 3 3"], "*", &["5 _ _", "_ 7 7"], false, table);
    assert_eq!(joined.unwrap(), rows(&["5 _ _", "_ 7 7", "10 _ _", "_ 14 14"]));
}

#[test]
fn duplicates_of_the_one_side_fail_where_the_other_has_anything() {
    let table = matching(Cardinality::OneToOne, &[0, 1], &[0, 0], &[0, 1]);
    let twice = ["_ 1 1", "1 1 _"];
    // At the step of the duplicate the many side is empty: all is well.
    let joined = join(&["2 _ 2"], "+", &twice, false, table.clone());
    assert_eq!(joined.unwrap(), rows(&["3 _ 3"]));
    // A series of another group is enough.
    let failed = fault(join(&["2 _ 2", "_ 5 _"], "+", &twice, false, table.clone()));
    let expected = Fault::DuplicateMatch { operation: 7, side: Side::Right, first: 0, second: 1 };
    assert_eq!(failed, expected);
    let swapped = matching(Cardinality::OneToMany, &[0, 0], &[0], &[0]);
    let failed = fault(join(&twice, "+", &["1 1 1"], false, swapped));
    let expected = Fault::DuplicateMatch { operation: 7, side: Side::Left, first: 0, second: 1 };
    assert_eq!(failed, expected);
}

#[test]
fn one_to_one_means_one_at_each_step() {
    let table = matching(Cardinality::OneToOne, &[0, 0], &[0], &[0, 0]);
    let turns = join(&["1 _ _", "_ 2 2"], "+", &["1 1 _"], false, table.clone());
    assert_eq!(turns.unwrap(), rows(&["2 3 _"]));
    let both = join(&["1 _ 1", "_ 2 2"], "+", &["1 1 1"], false, table.clone());
    assert_eq!(fault(both), Fault::ManyToOne);
    // Whether the comparison holds does not matter.
    let both = join(&["1 _ 1", "_ 2 2"], "<", &["0 0 0"], false, table);
    assert_eq!(fault(both), Fault::ManyToOne);
}

#[test]
fn results_must_differ_in_their_labels() {
    let one_group = matching(Cardinality::ManyToOne, &[0, 0], &[0], &[0, 0]);
    let both = join(&["1 _ 1", "_ 2 2"], "+", &["1 1 1"], false, one_group.clone());
    assert_eq!(fault(both), Fault::GroupingLabels);
    let turns = join(&["1 _ _", "_ 2 2"], "+", &["1 1 1"], false, one_group);
    assert_eq!(turns.unwrap(), rows(&["2 3 3"]));
    let groups = matching(Cardinality::ManyToOne, &[0, 1], &[0, 1], &[0, 0]);
    let both = join(&["1 _ 1", "_ 2 2"], "+", &["1 1 1", "1 1 1"], false, groups.clone());
    assert_eq!(fault(both), Fault::SameLabels);
    // Of two that a comparison would give, one was not kept.
    let kept = join(&["1 _ 1", "_ 2 2"], "<", &["2 2 2", "2 2 0"], false, groups);
    assert_eq!(kept.unwrap(), rows(&["1 _ 1"]));
}

#[test]
fn partitions_read_the_one_side_once() {
    let table = Arc::new(matching(Cardinality::ManyToOne, &[0, 0], &[0], &[0, 1]));
    let all = rows(&["1 2 3", "4 5 6"]);
    let left = source(GRID, &[all[..1].to_vec(), all[1..].to_vec()]);
    let right = source(GRID, &[rows(&["1 1 1"])]);
    let plan = vector_vector(left, right, GRID, operation(BinaryOp::Add, false), table);
    assert_eq!(plan.output_partitioning().partition_count(), 2);
    assert_eq!(run(&plan, GRID).unwrap(), rows(&["2 3 4", "5 6 7"]));
}

#[test]
fn scalars_on_either_side() {
    let with = |op: &str, argument, scalar_is_left, answer, sides| {
        let op = BinaryOp::from_symbol(op).unwrap();
        let vector = source(GRID, &[rows(&["1 2 _", "3 _ 3"])]);
        let plan =
            vector_scalar(vector, argument, scalar_is_left, GRID, operation(op, answer), sides);
        run(&plan, GRID).unwrap()
    };
    let two = Argument::Constant(2.0);
    assert_eq!(with("-", two, false, false, vec![]), rows(&["-1 0 _", "1 _ 1"]));
    assert_eq!(with("-", two, true, false, vec![]), rows(&["1 0 _", "-1 _ -1"]));
    assert_eq!(with("<", two, false, false, vec![]), rows(&["1 _ _"]));
    // The vector's values are kept, also on the right.
    assert_eq!(with("<", two, true, false, vec![]), [(1, cells("3 _ 3"))]);
    assert_eq!(with("<", two, true, true, vec![]), rows(&["0 0 _", "1 _ 1"]));
    let time = || vec![source(GRID, &[rows(&["0 1 2"])])];
    assert_eq!(with("*", Argument::Input(0), false, false, time()), rows(&["0 2 _", "0 _ 6"]));
}

fn set(left: &[&str], op: SetOp, right: &[&str], table: &SetMatching) -> Vec<Row> {
    let (left, right) = (source(GRID, &[rows(left)]), source(GRID, &[rows(right)]));
    run(&set_operation(left, right, GRID, op, Arc::new(table.clone())), GRID).unwrap()
}

#[test]
fn set_operators_look_at_presence() {
    let table = SetMatching {
        left_key: vec![0, 1],
        right_key: vec![0, 0, 1],
        keys: 2,
        left_out: vec![0, 1],
        right_out: vec![2, 3, 1],
    };
    let (left, right) = (["1 1 1", "2 _ _"], ["5 _ _", "_ 6 _", "7 7 7"]);
    assert_eq!(set(&left, SetOp::And, &right, &table), rows(&["1 1 _", "2 _ _"]));
    assert_eq!(set(&left, SetOp::Unless, &right, &table), rows(&["_ _ 1"]));
    // Right series 2 has the labels of left series 1, and completes it.
    let either = set(&left, SetOp::Or, &right, &table);
    assert_eq!(either, rows(&["1 1 1", "2 7 7"]));
    let either = set(&["_ _ 1"], SetOp::Or, &right, &table);
    assert_eq!(
        either,
        [(0, cells("_ _ 1")), (2, cells("5 _ _")), (3, cells("_ 6 _")), (1, cells("7 7 7"))]
    );
    assert_eq!(set(&left, SetOp::And, &[], &table), []);
    assert_eq!(set(&left, SetOp::Unless, &[], &table), rows(&left));
    assert_eq!(set(&[], SetOp::Unless, &right, &table), []);
}

#[test]
fn a_right_series_without_a_group_is_never_hidden() {
    let table = SetMatching {
        left_key: vec![0],
        right_key: vec![NO_KEY],
        keys: 1,
        left_out: vec![0],
        right_out: vec![1],
    };
    assert_eq!(set(&["1 1 1"], SetOp::Or, &["2 2 2"], &table), rows(&["1 1 1", "2 2 2"]));
}

/// `VectorBinop` for one step, on ids: what is present of each side, in order of series.
fn naive(
    table: &Matching,
    left: &[(u32, f64)],
    right: &[(u32, f64)],
) -> Result<Vec<(u32, f64)>, Fault> {
    let swapped = table.cardinality == Cardinality::OneToMany;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let (many_key, one_key) = match swapped {
        true => (&table.right_key, &table.left_key),
        false => (&table.left_key, &table.right_key),
    };
    if many.is_empty() || one.is_empty() {
        return Ok(Vec::new());
    }
    for (at, &(second, _)) in one.iter().enumerate() {
        let key = one_key[second as usize];
        let before = one[..at].iter().find(|(first, _)| one_key[*first as usize] == key);
        if let Some(&(first, _)) = before.filter(|_| key != NO_KEY) {
            let side = if swapped { Side::Left } else { Side::Right };
            return Err(Fault::DuplicateMatch { operation: table.operation, side, first, second });
        }
    }
    let mut made: Vec<(u32, u32)> = Vec::new();
    let mut results: Vec<(u32, f64)> = Vec::new();
    for &(series, value) in many {
        let key = many_key[series as usize];
        let partner = one.iter().find(|(other, _)| one_key[*other as usize] == key);
        let Some(&(other, other_value)) = partner.filter(|_| key != NO_KEY) else { continue };
        let result = table.result(series, other);
        if table.cardinality == Cardinality::OneToOne {
            if made.iter().any(|made| made.0 == key) {
                return Err(Fault::ManyToOne);
            }
        } else if made.contains(&(key, result)) {
            return Err(Fault::GroupingLabels);
        }
        made.push((key, result));
        let (left, right) = if swapped { (other_value, value) } else { (value, other_value) };
        if left > right {
            results.push((result, left));
        }
    }
    for (at, result) in results.iter().enumerate() {
        if results[..at].iter().any(|other| other.0 == result.0) {
            return Err(Fault::SameLabels);
        }
    }
    results.sort_by_key(|result| result.0);
    Ok(results)
}

fn side() -> impl Strategy<Value = Vec<Vec<Option<f64>>>> {
    let cell = prop_oneof![2 => Just(None), 1 => (0i32..9).prop_map(|v| Some(f64::from(v)))];
    proptest::collection::vec(proptest::collection::vec(cell, 3), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn joins_equal_prometheus_step_by_step(
        left in side(), right in side(),
        keys in proptest::collection::vec(prop_oneof![4 => 0u32..6, 1 => Just(NO_KEY)], 12),
        out in proptest::collection::vec(0u32..9, 6),
        cardinality in prop_oneof![
            Just(Cardinality::OneToOne), Just(Cardinality::ManyToOne), Just(Cardinality::OneToMany)],
        distinct: bool,
    ) {
        let many = if cardinality == Cardinality::OneToMany { &right } else { &left };
        let out: Vec<u32> = match distinct {
            true => (0..many.len() as u32).collect(),
            false => out[..many.len()].to_vec(),
        };
        let mut table = matching(cardinality, &keys[..left.len()], &keys[6..6 + right.len()], &out);
        table.keys = 6;
        let rows = |side: &[Vec<Option<f64>>]| -> Vec<Row> {
            side.iter().enumerate().map(|(at, cells)| (at as u32, cells.clone())).collect()
        };
        let plan: Arc<dyn ExecutionPlan> = vector_vector(
            source(GRID, &[rows(&left)]), source(GRID, &[rows(&right)]),
            GRID, operation(BinaryOp::Greater, false), Arc::new(table.clone()),
        );
        let found = run(&plan, GRID);
        let mut expected = Ok(vec![Vec::new(); 3]);
        for step in 0..3 {
            let present = |side: &[Vec<Option<f64>>]| -> Vec<(u32, f64)> {
                let cells = side.iter().enumerate();
                cells.filter_map(|(at, cells)| Some((at as u32, cells[step]?))).collect()
            };
            match (naive(&table, &present(&left), &present(&right)), &mut expected) {
                (Ok(results), Ok(steps)) => steps[step] = results,
                (Err(fault), Ok(_)) => expected = Err(fault),
                (_, Err(_)) => {}
            }
        }
        match (found, expected) {
            (Ok(found), Ok(steps)) => {
                for (step, expected) in steps.into_iter().enumerate() {
                    let mut cells: Vec<(u32, f64)> = found
                        .iter()
                        .filter_map(|(series, cells)| Some((*series, cells[step]?)))
                        .collect();
                    cells.sort_by_key(|cell| cell.0);
                    prop_assert_eq!(cells, expected);
                }
            }
            (Err(error), Err(expected)) => {
                let fault = Fault::find(&error).expect("the error is a fault");
                prop_assert_eq!(
                    std::mem::discriminant(fault), std::mem::discriminant(&expected),
                    "{:?}, not {:?}", fault, expected
                );
            }
            (found, expected) => prop_assert!(false, "{:?}, not {:?}", found, expected),
        }
    }
}
