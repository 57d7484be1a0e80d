//! Whether Stoa answers as Prometheus does: values, labels, order, errors and remarks.

use crate::promql::answer::{Answer, Question, Remarked};
use crate::promql::compare::{Verdict, compare};

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
