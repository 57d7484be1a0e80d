//! Whether Stoa answers as Prometheus does: values, labels, order, errors and remarks.

use super::asking::{Asked, Place};
use crate::promql::answer::{Answer, Question, Remarked};
use crate::promql::compare::{Verdict, compare};

/// How often Prometheus is asked again where its answer is not Stoa's.
const AGAIN: usize = 24;

/// Whether Stoa's answer is one of several that Prometheus gives: it keeps the results of operators over
/// a range in a map, whose order Go shuffles, and ties, limits, messages and sums behind them follow it.
pub(super) async fn is_one_of_several(place: &Place, asked: &Asked, ours: &Remarked) -> bool {
    let answers = place.prometheus(&[asked; AGAIN]).await.expect("Prometheus answers");
    let judged = |theirs: &Remarked| judge(&asked.question, ours, theirs);
    answers.iter().any(|theirs| !matches!(judged(theirs), Verdict::Different(_)))
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
