//! Quantiles and fractions of small histograms.

use std::sync::Arc;

use super::*;
use crate::exec::testing::{Row, cells, rows, run, source};

const GRID: Grid = Grid { start: 1_700_000_000_000, step: 60_000, steps: 3 };
const INF: f64 = f64::INFINITY;

fn phi(argument: Argument) -> Phi {
    Phi { argument, only: None }
}

fn quantile(
    texts: &[&str],
    group_of: &[u32],
    bound_of: &[f64],
    function: HistogramFunction,
    sides: Vec<Arc<dyn ExecutionPlan>>,
) -> (Vec<Row>, Option<String>) {
    let table = BucketTable {
        group_of: group_of.to_vec(),
        bound_of: bound_of.to_vec(),
        native_of: vec![NO_GROUP; group_of.len()],
        groups: group_of.iter().filter(|&&group| group != NO_GROUP).max().map_or(0, |max| max + 1),
    };
    let fixes = Arc::new(MonotonicityFixes::new(Vec::new(), GRID));
    let buckets = source(GRID, &[rows(texts)]);
    let notes = HistogramNotes {
        fixes: Arc::clone(&fixes),
        histograms: Arc::default(),
        quantiles: Vec::new(),
    };
    let plan = histogram_quantile(buckets, GRID, function, Arc::new(table), notes, sides);
    (run(&plan, GRID).unwrap(), fixes.found().pop().map(|(_, fixed)| fixed.text()))
}

#[test]
fn groups_are_histograms_and_steps_have_their_own_buckets() {
    let half = HistogramFunction::Quantiles(vec![phi(Argument::Constant(0.5))]);
    // Series of two histograms, not in order; series 2 is no bucket.
    let (found, info) = quantile(
        &["4 4 _", "2 _ 2", "9 9 9", "4 4 4", "10 10 10", "1 2 _"],
        &[0, 0, NO_GROUP, 0, 1, 0],
        &[INF, 1.0, 0.0, 3.0, INF, 0.5],
        half,
        vec![],
    );
    // At step 1 half of the observations are at 0.5; at step 2 there is no infinite bucket.
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1[..2], cells("1 0.5"));
    assert!(found[0].1[2].is_some_and(f64::is_nan));
    assert!(found[1].1.iter().all(|cell| cell.is_some_and(f64::is_nan)), "{found:?}");
    assert_eq!(info, None);
}

#[test]
fn parameters_change_from_step_to_step() {
    let table: (&[u32], &[f64]) = (&[0, 0], &[1.0, INF]);
    let steps = vec![source(GRID, &[rows(&["0.25 2 0"])])];
    let changing = HistogramFunction::Quantiles(vec![phi(Argument::Input(0))]);
    let (found, _) = quantile(&["4 4 4", "4 4 _"], table.0, table.1, changing, steps.clone());
    assert_eq!(found[0].1[..2], [Some(0.25), Some(INF)]);
    let only = |only| Phi { argument: Argument::Input(0), only: Some(only) };
    let each = HistogramFunction::Quantiles(vec![only(0.25), only(2.0)]);
    let (found, _) = quantile(&["4 4 _", "4 4 _"], table.0, table.1, each, steps);
    let expected = vec![(0, cells("0.25 _ _")), (1, vec![None, Some(INF), None])];
    assert_eq!(found, expected, "a series each value, where the quantile has it");
    let limits = HistogramFunction::Fraction(Argument::Constant(0.0), Argument::Constant(0.25));
    let (found, _) = quantile(&["4 2 _", "4 4 4"], table.0, table.1, limits, vec![]);
    assert_eq!(found[0].1[..2], cells("0.25 0.125"));
}

#[test]
fn fixes_are_told_once_for_the_whole_call() {
    let half = HistogramFunction::Quantiles(vec![phi(Argument::Constant(0.5))]);
    let (_, info) =
        quantile(&["10 1 10", "5 2 2", "20 20 20"], &[0, 0, 0], &[1.0, 2.0, INF], half, vec![]);
    assert_eq!(
        info.unwrap(),
        ", from buckets 2 to 2, with a max diff of 8, over 6 samples from 2023-11-14T22:13:20Z to \
         2023-11-14T22:15:20Z"
    );
}
