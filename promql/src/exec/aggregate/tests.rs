//! Partial and final aggregation over partitions.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::{AggregateGroups, Final, Operator, Partial, State, aggregate};
use crate::exec::grid::{Grid, GridBuilder};
use crate::exec::testing::{Row, cells, rows, run, source};
use crate::functions::aggregate::AggregateFunction;

const GRID: Grid = Grid { start: 0, step: 1, steps: 3 };

fn groups(group_of: &[u32], count: usize) -> AggregateGroups {
    AggregateGroups { group_of: group_of.into(), count, notes: Arc::default() }
}

fn over(function: AggregateFunction, partitions: &[Vec<Row>]) -> Vec<Row> {
    let plan = aggregate(source(GRID, partitions), GRID, function, groups(&[0, 1, 0, 2], 3));
    run(&plan, GRID).unwrap()
}

#[test]
fn states_of_partitions_are_merged() {
    let input = rows(&["1 2 _", "5 5 5", "3 _ 3", "_ _ _"]);
    let split = [input[..2].to_vec(), input[2..].to_vec()];
    for partitions in [&[input.clone()][..], &split[..]] {
        let sum = over(AggregateFunction::Sum, partitions);
        assert_eq!(sum, rows(&["4 2 3", "5 5 5"]), "a group without values is left out");
        assert_eq!(over(AggregateFunction::Count, partitions), rows(&["2 1 1", "1 1 1"]));
        assert_eq!(over(AggregateFunction::Avg, partitions), rows(&["2 2 3", "5 5 5"]));
        assert_eq!(over(AggregateFunction::Max, partitions), rows(&["3 2 3", "5 5 5"]));
    }
}

/// The last digits depend on the order of merging, which must not depend on which partition ends
/// first.
#[test]
fn partitions_are_merged_in_their_order() {
    let function = AggregateFunction::Stddev;
    let state = State { function, grid: GRID, totals: false };
    let partial = Partial { state, groups: groups(&[0; 4], 1) };
    let states: Vec<RecordBatch> =
        ["0.1 1.7 123.456", "0.7 3e-3 9.87", "12.3 0.3 0.007", "5.5 0.11 1e3"]
            .iter()
            .enumerate()
            .map(|(partition, row)| {
                let mut builder = GridBuilder::new(GRID);
                let values: Vec<f64> = cells(row).into_iter().flatten().collect();
                builder.push(partition as u32, &values, &[true; 3]);
                let mut transform = partial.transform(partition).unwrap();
                transform.push(0, builder.take().unwrap().unwrap()).unwrap();
                transform.end(0).unwrap();
                transform.take().unwrap().unwrap()
            })
            .collect();
    let finish = |order: [usize; 4]| {
        let mut transform = Final { state, groups: groups(&[0; 4], 1) }.transform(0).unwrap();
        for partition in order {
            transform.push(0, states[partition].clone()).unwrap();
        }
        transform.end(0).unwrap();
        transform.take().unwrap().unwrap()
    };
    let expected = finish([0, 1, 2, 3]);
    for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        assert_eq!(finish(order), expected, "{order:?}");
    }
}
