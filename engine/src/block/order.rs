//! The order of series in a block, fixed by the format's version: metric, then labels by priority.
//!
//! All blocks agree in it, so that merging blocks never sorts. The labels of the target come first:
//! series of one target share their timestamps and often their course, and neighbours that are alike
//! compress well. `quantile` and `le` come last and by number, so that the buckets of a histogram
//! stand together in their order.
//!
//! Labels are compared one name after the other; a series that lacks a label comes before one that
//! has it.

use std::cmp::Ordering;

use crate::model::{ABSENT, LabelColumn, LabelTable, Labels, METRIC_NAME};

/// Labels that are compared first, after the metric's name.
const FIRST: [&str; 8] =
    ["job", "instance", "namespace", "pod", "container", "node", "service", "endpoint"];
/// Labels that are compared last, as numbers.
const LAST: [&str; 2] = ["quantile", "le"];

/// The rows of `table` in block order.
pub fn sort(table: &LabelTable) -> Vec<u32> {
    let special = |name: &str| name == METRIC_NAME || FIRST.contains(&name) || LAST.contains(&name);
    let named = |names: &[&str]| -> Vec<&LabelColumn> {
        names.iter().filter_map(|name| table.column(name)).collect()
    };
    let mut columns = named(&[METRIC_NAME]);
    columns.extend(named(&FIRST));
    columns.extend(table.columns().iter().filter(|column| !special(&column.name)));
    let ranks: Vec<Vec<u32>> = columns
        .into_iter()
        .map(|column| ranks(column, |a, b| a.cmp(b)))
        .chain(named(&LAST).into_iter().map(|column| ranks(column, compare_numbers)))
        .collect();
    let mut rows: Vec<u32> = (0..table.len() as u32).collect();
    rows.sort_by(|&a, &b| {
        let ranks = ranks.iter().map(|ranks| ranks[a as usize].cmp(&ranks[b as usize]));
        ranks.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    rows
}

/// The rank of each row's value among the values of its column; 0 is absent.
fn ranks(column: &LabelColumn, compare: impl Fn(&str, &str) -> Ordering) -> Vec<u32> {
    let mut order: Vec<u32> = (0..column.values.len() as u32).collect();
    let value = |at: u32| column.values[at as usize].as_ref();
    order.sort_unstable_by(|&a, &b| compare(value(a), value(b)));
    let mut rank_of = vec![0; order.len()];
    for (rank, &at) in order.iter().enumerate() {
        rank_of[at as usize] = rank as u32 + 1;
    }
    let rank = |&code: &u32| if code == ABSENT { 0 } else { rank_of[code as usize] };
    column.codes.iter().map(rank).collect()
}

/// Compares two series by block order.
pub fn compare(a: &Labels, b: &Labels) -> Ordering {
    let mut order = a.metric().cmp(b.metric());
    for name in FIRST {
        order = order.then_with(|| a.get(name).cmp(b.get(name)));
    }
    order = order.then_with(|| compare_others(a, b));
    for name in LAST {
        order = order.then_with(|| compare_numbers(a.get(name), b.get(name)));
    }
    order
}

/// Compares the labels that are neither first nor last, in order of their names.
fn compare_others(a: &Labels, b: &Labels) -> Ordering {
    let other = |name: &str| name != METRIC_NAME && !FIRST.contains(&name) && !LAST.contains(&name);
    let mut left = a.iter().filter(|label| other(&label.name)).peekable();
    let mut right = b.iter().filter(|label| other(&label.name)).peekable();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ordering::Equal,
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(l), Some(r)) => match l.name.cmp(&r.name) {
                Ordering::Less => return Ordering::Greater,
                Ordering::Greater => return Ordering::Less,
                Ordering::Equal => l.value.cmp(&r.value),
            },
        };
        if order.is_ne() {
            return order;
        }
        left.next();
        right.next();
    }
}

/// Compares two values by the numbers that they are, then as text: absent, numbers, other text.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.parse::<f64>().ok();
    let class = |text: &str, number: Option<f64>| match (text, number) {
        ("", _) => 0,
        (_, Some(_)) => 1,
        (_, None) => 2,
    };
    let (x, y) = (number(a), number(b));
    class(a, x)
        .cmp(&class(b, y))
        .then_with(|| match (x, y) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            _ => Ordering::Equal,
        })
        .then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn metric_then_target_then_names_then_numbers() {
        let sorted = [
            labels(&[]),
            labels(&[("__name__", "a"), ("zone", "x")]),
            labels(&[("__name__", "a"), ("job", "j"), ("le", "0.5")]),
            labels(&[("__name__", "a"), ("job", "j"), ("le", "2")]),
            labels(&[("__name__", "a"), ("job", "j"), ("le", "10")]),
            labels(&[("__name__", "a"), ("job", "j"), ("le", "+Inf")]),
            labels(&[("__name__", "a"), ("job", "j"), ("code", "200")]),
            labels(&[("__name__", "a"), ("job", "j"), ("pod", "p")]),
            labels(&[("__name__", "a"), ("job", "j"), ("instance", "i")]),
            labels(&[("__name__", "b")]),
        ];
        let mixed: Vec<&Labels> = [4, 9, 0, 7, 2, 5, 8, 1, 6, 3].map(|at| &sorted[at]).to_vec();
        let table = LabelTable::from_labels(mixed);
        let table = table.take(&sort(&table));
        let rows: Vec<Labels> = (0..table.len()).map(|row| table.labels(row)).collect();
        assert_eq!(rows, sorted);
    }

    proptest! {
        #[test]
        fn sort_and_compare_agree(sets in prop::collection::vec(prop::collection::btree_map(
            prop::sample::select(vec!["__name__", "job", "pod", "a", "b", "zone", "le", "quantile"]),
            prop::sample::select(vec!["1", "2", "10", "+Inf", "x", "NaN", "1.0"]),
            0..5,
        ), 0..40)) {
            let sets: Vec<Labels> = sets.into_iter().map(|set| Labels::new(set).unwrap()).collect();
            let table = LabelTable::from_labels(&sets);
            let rows = sort(&table);
            for pair in rows.windows(2) {
                let (a, b) = (&sets[pair[0] as usize], &sets[pair[1] as usize]);
                prop_assert_ne!(compare(a, b), Ordering::Greater);
                prop_assert_eq!(compare(a, b), compare(b, a).reverse());
                prop_assert_eq!(compare(a, b).is_eq(), a == b);
            }
        }
    }
}
