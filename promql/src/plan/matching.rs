//! Which series of two vectors meet: the tables of binary operations.

use std::sync::Arc;

use engine::model::{ABSENT, Labels};
use engine::{Error, ErrorKind, Result};
use hashbrown::HashMap;

use super::SeriesSet;
use super::series::{METADATA, Refinement};
use crate::ast::{Many, VectorMatching};
use crate::exec::binary::{Cardinality, Fill, Matching, NO_KEY, SetMatching};

/// Most pairs of series that an operation may join.
const MAX_PAIRS: usize = 5_000_000;

/// The classes of the series of both sides by the labels `names`, numbered alike.
fn joint_classes(left: &SeriesSet, right: &SeriesSet, names: &[Arc<str>]) -> (Vec<u32>, u32) {
    let mut classes = Refinement::new(left.len() + right.len());
    for name in names {
        let (mut codes, values) = left.column(name);
        let (right_codes, right_values) = right.column(name);
        let mut known: HashMap<Arc<str>, u32> = HashMap::with_capacity(values.len());
        known.extend(values.into_iter().zip(0..));
        let mut translated = Vec::with_capacity(right_values.len());
        for value in right_values {
            let next = known.len() as u32;
            translated.push(*known.entry(value).or_insert(next));
        }
        let translate = |code| if code == ABSENT { ABSENT } else { translated[code as usize] };
        codes.extend(right_codes.into_iter().map(translate));
        classes.split(&codes);
    }
    let classes = classes.finish();
    (classes.class_of, classes.first.len() as u32)
}

/// The label names by which series of both sides match.
fn matched_names(left: &SeriesSet, right: &SeriesSet, matching: &VectorMatching) -> Vec<Arc<str>> {
    if matching.on {
        return matching.labels.iter().map(|label| Arc::from(label.as_str())).collect();
    }
    let mut names = all_names(left, right);
    names.retain(|name| {
        let listed = matching.labels.iter().any(|label| **label == **name);
        !METADATA.contains(&name.as_ref()) && !listed
    });
    names
}

fn all_names(left: &SeriesSet, right: &SeriesSet) -> Vec<Arc<str>> {
    let mut names = left.label_names();
    names.extend(right.label_names());
    names.sort_unstable();
    names.dedup();
    names
}

/// Takes the key from series whose group has none of the `others`.
fn without_lonely(keys: &mut [u32], others: &[u32], count: u32) {
    let mut met = vec![false; count as usize];
    for &key in others {
        met[key as usize] = true;
    }
    for key in keys.iter_mut().filter(|key| !met[**key as usize]) {
        *key = NO_KEY;
    }
}

/// The table of an arithmetic operation or comparison, and the labels of its results.
///
/// A many-side series whose group is empty on the one side has no key. The one side keeps its keys:
/// duplicates there are an error even if nothing meets them.
pub(super) fn matching(
    left: &SeriesSet,
    right: &SeriesSet,
    matching: &VectorMatching,
    drop_name: bool,
    operation: u32,
) -> Result<(Matching, SeriesSet)> {
    let (cardinality, many, one) = match matching.many {
        Many::Left => (Cardinality::ManyToOne, left, right),
        Many::Right => (Cardinality::OneToMany, right, left),
        Many::Neither | Many::Both => (Cardinality::OneToOne, left, right),
    };
    let names = matched_names(left, right, matching);
    let (mut left_key, keys) = joint_classes(left, right, &names);
    let mut right_key = left_key.split_off(left.len());
    let swapped = cardinality == Cardinality::OneToMany;
    let (many_key, one_key) =
        if swapped { (&mut right_key, &left_key) } else { (&mut left_key, &right_key) };
    if matching.fill == [None; 2] {
        without_lonely(many_key, one_key, keys);
    }

    let Includes { class, representatives } = includes(one, one_key, keys, &matching.include);
    let mut results = Results::new(matching, drop_name);
    let (mut out, mut out_start) = (Vec::new(), Vec::with_capacity(many.len()));
    for (series, &key) in many_key.iter().enumerate() {
        out_start.push(out.len() as u32);
        if key == NO_KEY {
            continue;
        }
        let base = results.base(many.labels(series));
        for &representative in &representatives[key as usize] {
            out.push(results.number(&base, || one.labels(representative as usize)));
        }
        if out.len() > MAX_PAIRS {
            let text = format!("a binary operation joins more than {MAX_PAIRS} pairs of series");
            return Err(Error::new(ErrorKind::ResourcesExhausted, text));
        }
    }
    let fill = fill(left, right, matching, &mut results);
    let outputs = results.labels.len() as u32;
    let series = SeriesSet::from_labels(&results.labels);
    let table = Matching {
        operation,
        cardinality,
        left_key,
        right_key,
        keys,
        one_class: class,
        out_start,
        out,
        outputs,
        fill,
    };
    Ok((table, series))
}

/// The results of series without a partner: the numbers that stand for it have the labels that match.
fn fill(
    left: &SeriesSet,
    right: &SeriesSet,
    matching: &VectorMatching,
    results: &mut Results<'_>,
) -> Option<Fill> {
    if matching.fill == [None; 2] {
        return None;
    }
    let [of_left, of_right] = matching.fill;
    let swapped = matching.many == Many::Right;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let (fill_many, fill_one) = if swapped { (of_right, of_left) } else { (of_left, of_right) };
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let matched = |labels: &Labels| match matching.on {
        true => labels.filter(|name| listed(name)),
        false => labels.filter(|name| !METADATA.contains(&name) && !listed(name)),
    };
    let mut many_out = Vec::new();
    if fill_one.is_some() {
        for at in 0..many.len() {
            let labels = many.labels(at);
            let base = results.base(labels.clone());
            many_out.push(results.number(&base, || matched(&labels)));
        }
    }
    let mut one_out = Vec::new();
    if fill_many.is_some() {
        for at in 0..one.len() {
            let labels = one.labels(at);
            let base = results.base(matched(&labels));
            one_out.push(results.number(&base, || labels));
        }
    }
    Some(Fill { one: fill_one, many: fill_many, many_out, one_out })
}

/// The one side's series by the labels that `group_left(…)` copies.
struct Includes {
    /// For each series its class, numbered from 0 in each match group.
    class: Vec<u32>,
    /// For each match group a series of each class.
    representatives: Vec<Vec<u32>>,
}

fn includes(one: &SeriesSet, one_key: &[u32], keys: u32, include: &[String]) -> Includes {
    let classes = one.classes(include).class_of;
    let mut representatives: Vec<Vec<u32>> = vec![Vec::new(); keys as usize];
    let mut class = Vec::with_capacity(one_key.len());
    for (series, &key) in one_key.iter().enumerate() {
        let group = &mut representatives[key as usize];
        let same = |&known: &u32| classes[known as usize] == classes[series];
        let position = group.iter().position(same).unwrap_or_else(|| {
            group.push(series as u32);
            group.len() - 1
        });
        class.push(position as u32);
    }
    Includes { class, representatives }
}

/// Numbers the results of an operation by their labels (`resultMetric` in promql/engine.go).
struct Results<'a> {
    matching: &'a VectorMatching,
    drop_name: bool,
    numbers: HashMap<Labels, u32>,
    labels: Vec<Labels>,
}

impl<'a> Results<'a> {
    fn new(matching: &'a VectorMatching, drop_name: bool) -> Self {
        Self { matching, drop_name, numbers: HashMap::new(), labels: Vec::new() }
    }

    /// What is left of the many side's labels.
    fn base(&self, many: Labels) -> Labels {
        let listed = |name: &str| self.matching.labels.iter().any(|label| label == name);
        let one_to_one = self.matching.many == Many::Neither;
        many.filter(|name| {
            (!self.drop_name || !METADATA.contains(&name))
                && (!one_to_one || listed(name) == self.matching.on)
                && !self.matching.include.iter().any(|label| label == name)
        })
    }

    fn number(&mut self, base: &Labels, one: impl FnOnce() -> Labels) -> u32 {
        let labels = if self.matching.include.is_empty() {
            base.clone()
        } else {
            let listed = |name: &str| self.matching.include.iter().any(|label| label == name);
            base.overlay(&one().filter(listed))
        };
        let next = self.labels.len() as u32;
        *self.numbers.entry(labels).or_insert_with_key(|labels| {
            self.labels.push(labels.clone());
            next
        })
    }
}

/// The table of a set operator; and for `or` the labels of its results.
pub(super) fn set_matching(
    left: &SeriesSet,
    right: &SeriesSet,
    matching: &VectorMatching,
    union: bool,
) -> (SetMatching, Option<SeriesSet>) {
    let names = matched_names(left, right, matching);
    let (mut left_key, keys) = joint_classes(left, right, &names);
    let mut right_key = left_key.split_off(left.len());
    without_lonely(&mut right_key, &left_key, keys);
    let (mut left_out, mut right_out) = (Vec::new(), Vec::new());
    let mut series = None;
    if union {
        let (classes, count) = joint_classes(left, right, &all_names(left, right));
        let mut result_of = vec![NO_KEY; count as usize];
        let mut labels = left.all_labels();
        for (at, class) in classes.iter().enumerate() {
            let result = &mut result_of[*class as usize];
            if let Some(at) = at.checked_sub(left.len()) {
                if *result == NO_KEY {
                    *result = labels.len() as u32;
                    labels.push(right.labels(at));
                }
                right_out.push(*result);
            } else {
                *result = at as u32;
                left_out.push(*result);
            }
        }
        series = Some(SeriesSet::from_labels(&labels));
    }
    (SetMatching { left_key, right_key, keys, left_out, right_out }, series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[&[(&str, &str)]]) -> SeriesSet {
        let labels = |row: &&[(&str, &str)]| Labels::new(row.iter().copied()).unwrap();
        SeriesSet::from_labels(&rows.iter().map(labels).collect::<Vec<_>>())
    }

    fn texts(set: &SeriesSet) -> Vec<String> {
        set.all_labels().iter().map(Labels::to_string).collect()
    }

    fn vector_matching(on: bool, labels: &[&str], many: Many, include: &[&str]) -> VectorMatching {
        let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        let (labels, include) = (owned(labels), owned(include));
        VectorMatching { on, labels, many, include, fill: [None; 2] }
    }

    #[test]
    fn included_labels_make_classes() {
        let left = set(&[
            &[("__name__", "a"), ("pod", "x"), ("c", "1")],
            &[("__name__", "a"), ("pod", "x"), ("c", "2")],
            &[("__name__", "a"), ("pod", "z")],
        ]);
        let right = set(&[
            &[("__name__", "b"), ("pod", "x"), ("node", "n")],
            &[("__name__", "b"), ("pod", "x"), ("node", "m")],
            &[("__name__", "b"), ("pod", "y"), ("node", "m")],
        ]);
        let by = vector_matching(true, &["pod"], Many::Left, &["node"]);
        let (table, series) = matching(&left, &right, &by, true, 0).unwrap();
        assert_eq!(table.left_key, [0, 0, NO_KEY]);
        assert_eq!(table.right_key[..2], [0, 0]);
        assert_ne!(table.right_key[2], 0, "the one side keeps its keys");
        assert_eq!(table.one_class, [0, 1, 0]);
        assert_eq!((table.out_start, table.out), (vec![0, 2, 4], vec![0, 1, 2, 3]));
        let expected = [
            r#"{c="1", node="n", pod="x"}"#,
            r#"{c="1", node="m", pod="x"}"#,
            r#"{c="2", node="n", pod="x"}"#,
            r#"{c="2", node="m", pod="x"}"#,
        ];
        assert_eq!(texts(&series), expected);
    }

    #[test]
    fn one_to_one_keeps_the_matched_labels() {
        let left = set(&[&[("__name__", "a"), ("pod", "x"), ("c", "1")]]);
        let right = set(&[&[("__name__", "b"), ("pod", "x"), ("c", "2")]]);
        let result = |matching_by: &VectorMatching, drop_name| {
            texts(&matching(&left, &right, matching_by, drop_name, 0).unwrap().1)
        };
        let on = vector_matching(true, &["pod"], Many::Neither, &[]);
        assert_eq!(result(&on, true), [r#"{pod="x"}"#]);
        assert_eq!(result(&on, false), [r#"{pod="x"}"#], "a comparison on labels has no name");
        let ignoring = vector_matching(false, &["c"], Many::Neither, &[]);
        assert_eq!(result(&ignoring, false), [r#"{__name__="a", pod="x"}"#]);
        let all = vector_matching(false, &[], Many::Neither, &[]);
        assert!(result(&all, true).is_empty(), "c differs");
    }

    #[test]
    fn or_joins_equal_labels() {
        let left = set(&[&[("pod", "x"), ("c", "1")], &[("pod", "y")]]);
        let right = set(&[&[("pod", "x")], &[("pod", "y")], &[("pod", "z")]]);
        let on = vector_matching(true, &["pod"], Many::Both, &[]);
        let (table, series) = set_matching(&left, &right, &on, true);
        assert_eq!((table.left_key, table.right_key), (vec![0, 1], vec![0, 1, NO_KEY]));
        assert_eq!((table.left_out, table.right_out), (vec![0, 1], vec![2, 1, 3]));
        let expected = [r#"{c="1", pod="x"}"#, r#"{pod="y"}"#, r#"{pod="x"}"#, r#"{pod="z"}"#];
        assert_eq!(texts(&series.unwrap()), expected);
    }
}
