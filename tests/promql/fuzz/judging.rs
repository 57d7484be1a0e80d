//! Whether Stoa answers as Prometheus does: values, labels, order, errors and remarks.

use std::collections::BTreeMap;

use super::asking::{Asked, Place};
use super::queries::{Node, Type};
use crate::promql::answer::{Answer, Question, Remarked};
use crate::promql::compare::{Verdict, compare};

/// How often Prometheus is asked again where its answer is not Stoa's.
const AGAIN: usize = 24;

/// Whether a different answer of Stoa is as good as Prometheus':
///
/// - It is one of several that Prometheus gives. It keeps the results of operators over a range in a map,
///   whose order Go shuffles, and ties, limits, messages and sums behind them follow it.
/// - It is the error of another part of the query, in that part's words as Prometheus has them: the parts
///   of a plan run at once.
/// - Of values at the edge of a `topk` that are equal, another one was taken. Which one it is depends on
///   how Go moves the elements of a heap.
/// - A `limitk` took as many series, where Prometheus itself does not always take the same.
pub(super) async fn is_as_good(place: &Place, node: &Node, asked: &Asked, ours: &Remarked) -> bool {
    let again = place.prometheus(&[asked; AGAIN]).await.expect("Prometheus answers");
    let judged = |theirs: &Remarked| judge(&asked.question, ours, theirs);
    if again.iter().any(|theirs| !matches!(judged(theirs), Verdict::Different(_))) {
        return true;
    }
    let part = |node: &Node| {
        let mut part = asked.clone();
        part.question.query = node.to_string();
        part
    };
    let mut parts = Vec::new();
    for node in std::iter::once(node).chain(node.below()) {
        if matches!(node.of, Type::Vector | Type::Scalar) {
            parts.push((node, part(node)));
        }
    }
    let questions: Vec<&Asked> = parts.iter().map(|(_, part)| part).collect();
    let answers = place.ask(&questions).await;
    if let Answer::Error(error) = &ours.answer {
        let has = |theirs: &Remarked| theirs.answer == Answer::Error(error.clone());
        return answers.iter().any(|(_, theirs)| has(theirs));
    }
    for ((node, part), (ours, theirs)) in parts.iter().zip(&answers) {
        let uses = |names: &[&str]| node.uses.iter().any(|used| names.contains(used));
        if uses(&["topk", "bottomk"]) && ours != theirs && same_values(&ours.answer, &theirs.answer)
        {
            return true;
        }
        if uses(&["limitk"]) && ours != theirs && same_times(&ours.answer, &theirs.answer) {
            let again = place.prometheus(&[part; AGAIN]).await.expect("Prometheus answers");
            return again.iter().any(|other| other != theirs);
        }
    }
    false
}

/// Whether two answers have as many points at each time.
fn same_times(ours: &Answer, theirs: &Answer) -> bool {
    let times =
        |answer: &Answer| points(answer).map(|points| points.into_keys().collect::<Vec<_>>());
    let counts = |answer: &Answer| {
        points(answer).map(|points| points.into_values().map(|p| p.len()).collect::<Vec<_>>())
    };
    times(ours) == times(theirs) && counts(ours) == counts(theirs)
}

/// Whether two answers have the same values at each time, of whatever series.
fn same_values(ours: &Answer, theirs: &Answer) -> bool {
    points(ours) == points(theirs)
}

/// The values at each time, sorted; histograms are only counted.
fn points(answer: &Answer) -> Option<BTreeMap<i64, Vec<u64>>> {
    let Answer::Data { series, .. } = answer else { return None };
    let mut points: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for (_, series) in series {
        for (time, value) in &series.points {
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            points.entry(*time).or_default().push(bits);
        }
        for (time, _) in &series.histograms {
            points.entry(*time).or_default().push(u64::MAX);
        }
    }
    points.values_mut().for_each(|values| values.sort_unstable());
    Some(points)
}

/// Judges Stoa's answer.
pub(super) fn judge(question: &Question, ours: &Remarked, theirs: &Remarked) -> Verdict {
    match (&ours.answer, &theirs.answer) {
        (Answer::Error(our), Answer::Error(their)) if same_error(our, their) => Verdict::Equal,
        (Answer::Error(our), Answer::Error(their)) => {
            Verdict::Different(format!("errors {our:?} and {their:?}"))
        }
        (our, their) => match compare(question, our, their) {
            different @ Verdict::Different(_) => different,
            verdict => {
                let remarks = [
                    ("warnings", &ours.warnings, &theirs.warnings),
                    ("infos", &ours.infos, &theirs.infos),
                ];
                match remarks.into_iter().find(|(_, ours, theirs)| ours != theirs) {
                    Some((what, ours, theirs)) => {
                        Verdict::Different(format!("{what} {ours:?} and {theirs:?}"))
                    }
                    None => verdict,
                }
            }
        },
    }
}

/// Whether two errors say the same. Which of several match groups with duplicates is found first depends
/// on the order of groups, which Prometheus does not promise; of one group the same series are named.
fn same_error(our: &str, their: &str) -> bool {
    let group = |text: &str| -> Option<(String, String)> {
        let rest = text.strip_prefix("found duplicate series for the match group ")?;
        let (group, rest) = rest.split_once(" on the ")?;
        let (side, _) = rest.split_once(" hand-side")?;
        Some((group.to_owned(), side.to_owned()))
    };
    match (group(our), group(their)) {
        (Some((our_group, our_side)), Some((their_group, their_side))) => {
            our == their || (our_group != their_group && our_side == their_side)
        }
        _ => our == their,
    }
}

#[test]
fn duplicates_of_one_group_are_the_same() {
    let error = |group: &str, side: &str, both: &str| {
        format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the \
             operation: [{both}];many-to-many matching not allowed"
        )
    };
    let ours = error("{a=\"1\"}", "right", "{b=\"1\"}, {b=\"2\"}");
    assert!(same_error(&ours, &ours));
    assert!(same_error(&ours, &error("{a=\"2\"}", "right", "{b=\"1\"}, {b=\"3\"}")));
    assert!(!same_error(&ours, &error("{a=\"1\"}", "right", "{b=\"1\"}, {b=\"3\"}")));
    assert!(!same_error(&ours, &error("{a=\"2\"}", "left", "{b=\"1\"}, {b=\"2\"}")));
    assert!(!same_error(&ours, "another"));
}
