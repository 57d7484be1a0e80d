//! Faults of execution in Prometheus' words, with the labels that operators do not know.

use engine::model::Labels;

use super::series::METADATA;
use super::{Operation, Planner};
use crate::exec::fault::{Fault, Side};

impl Planner<'_> {
    /// The message of `fault`.
    pub(crate) fn describe(&self, fault: &Fault) -> String {
        let (operation, side, first, second) = match fault {
            Fault::DuplicateMatch { operation, side, first, second } => {
                (operation, side, first, second)
            }
            Fault::DuplicateInfo { operation, first, second, time } => {
                let Some(operation) = self.operations.get(*operation as usize) else {
                    return fault.to_string();
                };
                let labels = |series: &u32| operation.right.labels(*series as usize);
                let (first, second) = (labels(first), labels(second));
                return format!(
                    "found duplicate series for info metric: existing {first} @ {time}, \
                     new {second} @ {time}"
                );
            }
            other => return other.to_string(),
        };
        let Some(operation) = self.operations.get(*operation as usize) else {
            return fault.to_string();
        };
        let (series, hand) = match side {
            Side::Left => (&operation.left, "left"),
            Side::Right => (&operation.right, "right"),
        };
        let (first, second) = (series.labels(*first as usize), series.labels(*second as usize));
        let group = matched(operation, &first);
        let mut both = [first.to_string(), second.to_string()];
        both.sort();
        format!(
            "found duplicate series for the match group {group} on the {hand} hand-side of the \
             operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique \
             on one side",
            both[0], both[1]
        )
    }
}

/// The labels by which a series is matched.
fn matched(operation: &Operation, labels: &Labels) -> Labels {
    let matching = &operation.matching;
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    match matching.on {
        true => labels.filter(listed),
        false => labels.filter(|name| !METADATA.contains(&name) && !listed(name)),
    }
}
