//! Makes a question on which the engines differ small.

use super::asking::{Asked, Place};
use super::judging::{is_as_good, judge};
use super::queries::{Node, Part, Type};
use crate::promql::answer::Ask;
use crate::promql::compare::Verdict;

/// How many smaller questions are asked at once.
const AT_ONCE: usize = 120;

/// The smallest question found on which the engines still differ, and how they do.
pub(super) async fn shrink(
    place: &Place,
    node: &Node,
    asked: &Asked,
    what: String,
) -> (Asked, String) {
    let mut best = (node.clone(), asked.clone(), what);
    loop {
        let mut smaller = edits(&best.0);
        smaller.retain(|node| node.of != Type::Part);
        if matches!(best.1.question.ask, Ask::Range { .. }) {
            smaller.retain(|node| matches!(node.of, Type::Vector | Type::Scalar));
        }
        let mut candidates: Vec<(Node, Asked)> = smaller
            .into_iter()
            .map(|node| {
                let mut asked = best.1.clone();
                asked.question.query = node.to_string();
                (node, asked)
            })
            .collect();
        candidates.sort_by_key(|(_, asked)| asked.question.query.len());
        candidates.dedup_by(|a, b| a.1.question.query == b.1.question.query);
        candidates.truncate(AT_ONCE);
        candidates.extend(other_asks(&best.1).into_iter().map(|asked| (best.0.clone(), asked)));
        let questions: Vec<&Asked> = candidates.iter().map(|(_, asked)| asked).collect();
        let answers = place.ask(&questions).await;
        let mut differs = None;
        for ((node, asked), (ours, theirs)) in candidates.iter().zip(&answers) {
            if let Verdict::Different(what) = judge(&asked.question, ours, theirs)
                && !is_as_good(place, node, asked, ours).await
            {
                differs = Some((node.clone(), asked.clone(), what));
                break;
            }
        }
        match differs {
            Some(smaller) => best = smaller,
            None => return (best.1, best.2),
        }
    }
}

/// The question at fewer times.
fn other_asks(asked: &Asked) -> Vec<Asked> {
    let with = |ask| {
        let mut other = asked.clone();
        other.question.ask = ask;
        other
    };
    let Ask::Range { start, end, step } = asked.question.ask else { return Vec::new() };
    let times: Vec<i64> = (start..=end).step_by(step as usize).collect();
    let mut asks: Vec<Asked> =
        times.iter().take(30).map(|&time| with(Ask::Instant(time))).collect();
    if times.len() > 2 {
        let pair = |pair: &[i64]| with(Ask::Range { start: pair[0], end: pair[1], step });
        asks.extend(times.windows(2).take(30).map(pair));
        let half = times[times.len() / 2];
        asks.push(with(Ask::Range { start, end: half, step }));
        asks.push(with(Ask::Range { start: half, end, step }));
    }
    asks
}

/// Trees with one node less or more: something below it of its type in its place, an optional part
/// left out, a plain number for a scalar.
fn edits(node: &Node) -> Vec<Node> {
    let mut edited = Vec::new();
    for other in node.below() {
        if other.of == node.of && node.of != Type::Part {
            edited.push(other.clone());
        }
    }
    if node.of == Type::Scalar && node.children().next().is_some() {
        let parts = vec![Part::Text("1".to_owned())];
        edited.push(Node { parts, ..node.clone() });
    }
    for (at, part) in node.parts.iter().enumerate() {
        let Part::Child(child) = part else { continue };
        let with = |parts: Option<Node>| {
            let mut edited = node.clone();
            edited.parts.splice(at..=at, parts.map(Part::Child));
            edited
        };
        if child.optional {
            edited.push(with(None));
        }
        edited.extend(edits(child).into_iter().map(|child| with(Some(child))));
    }
    edited
}
