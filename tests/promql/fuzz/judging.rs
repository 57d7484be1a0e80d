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
        (Answer::Error(our), Answer::Error(their)) if our == their => Verdict::Equal,
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
