//! Where series lose their metric's name.
//!
//! A function or operator takes the name away at once, or, with delayed name removal, marks its series:
//! then names are still there for what stands above, and go at the end (`DropName` in
//! promql/engine.go). Series that become equal are merged step by step.

use std::sync::Arc;

use engine::model::Labels;
use hashbrown::HashMap;

use super::series::METADATA;
use super::{Node, Planner, SeriesSet};
use crate::exec::merge_series::merge_series;

/// Which series of a node lose their metric's name at the end of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unnamed {
    /// None.
    None,
    /// All.
    All,
    /// Those that are true here.
    Some(Arc<[bool]>),
}

impl Unnamed {
    /// The series that `flags` say, one a series.
    pub(super) fn of(flags: impl Iterator<Item = bool>) -> Self {
        let flags: Vec<bool> = flags.collect();
        match (flags.contains(&true), flags.contains(&false)) {
            (false, _) => Self::None,
            (true, false) => Self::All,
            (true, true) => Self::Some(flags.into()),
        }
    }

    /// Whether it holds for series `at`.
    pub(super) fn has(&self, at: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(flags) => flags.get(at).copied().unwrap_or(false),
        }
    }

    /// Of groups: those that have such a series.
    pub(super) fn grouped(&self, group_of: &[u32], groups: usize) -> Self {
        match self {
            Self::None => Self::None,
            Self::All => Self::All,
            Self::Some(flags) => {
                let mut of_groups = vec![false; groups];
                for (&group, &flag) in group_of.iter().zip(flags.iter()) {
                    of_groups[group as usize] |= flag;
                }
                Self::of(of_groups.into_iter())
            }
        }
    }
}

impl Planner<'_> {
    /// The node without its series' metric names.
    pub(super) fn without_name(&self, node: Node) -> Node {
        if self.features.delayed_name_removal {
            return Node { unnamed: Unnamed::All, ..node };
        }
        nameless(node)
    }

    /// The node of the whole query, with the labels of its answer.
    pub(crate) fn finished(&self, node: Node) -> Node {
        match &node.unnamed {
            Unnamed::None => node,
            Unnamed::All => nameless(node),
            Unnamed::Some(flags) => {
                let flags = Arc::clone(flags);
                relabelled(node, |at, labels| match flags[at] {
                    true => labels.filter(|name| !METADATA.contains(&name)),
                    false => labels,
                })
            }
        }
    }
}

/// The node without metric names, at once.
fn nameless(node: Node) -> Node {
    let (series, target) = node.series.without_name();
    let node = Node { unnamed: Unnamed::None, ..node };
    match target {
        None => Node { series, ..node },
        Some(target) => {
            let plan = merge_series(node.plan, node.grid, target.into());
            Node { plan, series, ..node }
        }
    }
}

/// The node with other labels; of equal ones the first series' marks stay.
pub(super) fn relabelled(node: Node, mut change: impl FnMut(usize, Labels) -> Labels) -> Node {
    let mut numbers: HashMap<Labels, u32> = HashMap::with_capacity(node.series.len());
    let (mut labels, mut first) = (Vec::with_capacity(node.series.len()), Vec::new());
    let mut target = Vec::with_capacity(node.series.len());
    for at in 0..node.series.len() {
        let next = labels.len() as u32;
        let number = *numbers.entry(change(at, node.series.labels(at))).or_insert_with_key(|new| {
            labels.push(new.clone());
            first.push(at);
            next
        });
        target.push(number);
    }
    let series = SeriesSet::from_labels(&labels);
    let unnamed = Unnamed::of(first.into_iter().map(|at| node.unnamed.has(at)));
    if labels.len() == node.series.len() {
        return Node { series, unnamed, ..node };
    }
    let plan = merge_series(node.plan, node.grid, target.into());
    Node { plan, series, unnamed, ..node }
}
