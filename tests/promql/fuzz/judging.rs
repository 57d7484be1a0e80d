//! Whether Stoa answers as Prometheus does: values, labels, order, errors and remarks.

use std::collections::{BTreeMap, BTreeSet};

use super::asking::{Asked, Place};
use super::queries::{Node, Type};
use crate::promql::answer::{Answer, Question, Remarked};
use crate::promql::compare::{Verdict, compare, same_text};

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
/// - It fails, or does not, for twins among a vector whose names go at the end, of which `topk` takes
///   others.
/// - A `limitk` took as many series, where Prometheus itself does not always take the same; or where some are
///   there by a `fill`, which counts those last at each step for which it made the left side; or of groups,
///   which stand in the order of their first series that has samples.
/// - Of an `or` whose sides have the same labels, names that go at the end included: Prometheus lets all
///   points have the name, or not, as the first of them.
/// - It is said of `smoothed` or `anchored` that a function does not take them, before anything is evaluated.
/// - It lies behind a `tan`: next to a pole one rounding of its argument is thousands of its result.
/// - It differs by no more than Prometheus' own answers do, whose order of additions is shuffled; or it is
///   an error of the same kind, of which Prometheus too names other series each time.
pub(super) async fn is_as_good(place: &Place, node: &Node, asked: &Asked, ours: &Remarked) -> bool {
    let again = place.prometheus(&[asked; AGAIN]).await.expect("Prometheus answers");
    let judged = |theirs: &Remarked| judge(&asked.question, ours, theirs);
    if again.iter().any(|theirs| !matches!(judged(theirs), Verdict::Different(_))) {
        return true;
    }
    if again.iter().any(|other| other != &again[0]) && varies_as_much(ours, &again) {
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
    if let (Answer::Error(ours), Answer::Error(_)) = (&ours.answer, &again[0].answer)
        && ours.contains("modifier can only be used with")
    {
        return true;
    }
    if let Answer::Error(error) = &ours.answer {
        let has = |theirs: &Remarked| theirs.answer == Answer::Error(error.clone());
        return answers.iter().any(|(_, theirs)| has(theirs));
    }
    let uses = node.all_uses();
    if uses.contains(&"or") && unnamed(&ours.answer) == unnamed(&again[0].answer) {
        return true;
    }
    if uses.contains(&"tan") && same_but(1e-6, &ours.answer, &again[0].answer) {
        return true;
    }
    for ((node, part), (ours, theirs)) in parts.iter().zip(&answers) {
        let uses = |names: &[&str]| node.uses.iter().any(|used| names.contains(used));
        if uses(&["topk", "bottomk"])
            && ours != theirs
            && same_values(&asked.question.query, &ours.answer, &theirs.answer)
        {
            return true;
        }
        if uses(&["topk", "bottomk"])
            && theirs.answer == Answer::Error(TWINS.to_owned())
            && answers.iter().zip(&parts).any(|((_, theirs), (of, _))| {
                let argument = node.children().any(|child| std::ptr::eq(child, *of));
                argument && theirs.answer == Answer::Error(TWINS.to_owned())
            })
        {
            return true;
        }
        if uses(&["limitk"]) && ours != theirs && same_times(&ours.answer, &theirs.answer) {
            let below: Vec<&str> = node.below().iter().flat_map(|node| node.uses.clone()).collect();
            let filled = below.iter().any(|used| used.starts_with("fill"));
            let grouped = below.iter().any(|used| AGGREGATIONS.contains(used));
            let again = place.prometheus(&[part; AGAIN]).await.expect("Prometheus answers");
            return filled || grouped || again.iter().any(|other| other != theirs);
        }
    }
    false
}

/// Aggregations that make groups.
const AGGREGATIONS: [&str; 12] = [
    "avg",
    "count",
    "count_values",
    "group",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
    "bottomk",
];

/// The points of series without their names: labels, time, value or histogram as text.
fn unnamed(answer: &Answer) -> Option<BTreeSet<String>> {
    let Answer::Data { series, .. } = answer else { return None };
    let mut all = BTreeSet::new();
    for (labels, series) in series {
        let mut labels = labels.clone();
        labels.remove("__name__");
        all.extend(series.points.iter().map(|point| format!("{labels:?} {point:?}")));
        all.extend(series.histograms.iter().map(|point| format!("{labels:?} {point:?}")));
    }
    Some(all)
}

/// Whether two answers have the same points, but for a relative difference of `most`.
fn same_but(most: f64, ours: &Answer, theirs: &Answer) -> bool {
    let (Answer::Data { series: ours, .. }, Answer::Data { series: theirs, .. }) = (ours, theirs)
    else {
        return false;
    };
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|((our_labels, ours), (their_labels, theirs))| {
            let near = |(our, their): (&(i64, f64), &(i64, f64))| {
                our.0 == their.0
                    && (our.1.to_bits() == their.1.to_bits()
                        || (our.1 - their.1).abs() <= most * their.1.abs())
            };
            our_labels == their_labels
                && ours.points.len() == theirs.points.len()
                && ours.points.iter().zip(&theirs.points).all(near)
        })
}

/// What is said of two series with the same labels.
const TWINS: &str = "vector cannot contain metrics with the same labelset";

/// Whether an answer lies among those that Prometheus gives, or is an error of the kind of theirs.
fn varies_as_much(ours: &Remarked, theirs: &[Remarked]) -> bool {
    let kind = |remarked: &Remarked| match &remarked.answer {
        Answer::Error(error) => error.split('{').next().map(str::to_owned),
        _ => None,
    };
    if let Some(our) = kind(ours) {
        return our.starts_with("found duplicate series")
            && theirs.iter().all(|their| kind(their).as_ref() == Some(&our));
    }
    // The least and the greatest value of each series at each time.
    let mut spans: BTreeMap<(String, i64), (f64, f64)> = BTreeMap::new();
    let values = |remarked: &Remarked| -> Vec<((String, i64), f64)> {
        let Answer::Data { series, .. } = &remarked.answer else { return Vec::new() };
        let each = |(labels, series): &(_, crate::promql::answer::Series)| {
            let labels = format!("{labels:?}");
            series
                .points
                .iter()
                .map(move |&(time, value)| ((labels.clone(), time), value))
                .collect::<Vec<_>>()
        };
        series.iter().flat_map(each).collect()
    };
    for (at, value) in theirs.iter().flat_map(values) {
        let span = spans.entry(at).or_insert((value, value));
        *span = (span.0.min(value), span.1.max(value));
    }
    let own = values(ours);
    let inside = |(at, value): &((String, i64), f64)| {
        spans.get(at).is_some_and(|&(least, most)| {
            let margin = 4.0 * (most - least);
            (least - margin..=most + margin).contains(value) || (value.is_nan() && least.is_nan())
        })
    };
    !own.is_empty() && own.len() == spans.len() && own.iter().all(inside)
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
fn same_values(query: &str, ours: &Answer, theirs: &Answer) -> bool {
    let (Some(ours), Some(theirs)) = (points(ours), points(theirs)) else { return false };
    let value = |bits: &u64| f64::from_bits(*bits).to_string();
    let same = |(ours, theirs): (&Vec<u64>, &Vec<u64>)| {
        let pairs = || ours.iter().zip(theirs);
        ours.len() == theirs.len()
            && pairs().all(|(our, their)| same_text(query, &value(our), &value(their)))
    };
    ours.keys().eq(theirs.keys()) && ours.values().zip(theirs.values()).all(same)
}

/// The values at each time, sorted; histograms are only counted.
fn points(answer: &Answer) -> Option<BTreeMap<i64, Vec<u64>>> {
    let Answer::Data { series, .. } = answer else { return None };
    let mut points: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for (_, series) in series {
        for (time, value) in &series.points {
            // Zeros of both signs are equal, and which of two equal ones is taken is open.
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() };
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
        (Answer::Error(our), Answer::Error(their))
            if same_error(our, their) || same_text(&question.query, our, their) =>
        {
            Verdict::Equal
        }
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
                let same = |(_, ours, theirs): &(_, &Vec<String>, &Vec<String>)| {
                    let pairs = || ours.iter().zip(*theirs);
                    ours.len() == theirs.len()
                        && pairs().all(|(our, their)| same_text(&question.query, our, their))
                };
                match remarks.into_iter().find(|remark| !same(remark)) {
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
