//! `label_replace` and `label_join`: work of the planner alone, unless labels collide.

use engine::model::Labels;
use engine::{Error, Result};
use hashbrown::HashMap;

use super::{Node, Planner, SeriesSet};
use crate::ast::{Call, Expr};
use crate::exec::grid::Grid;
use crate::exec::merge_series::merge_series;
use crate::functions::labels::{LabelJoin, LabelReplace};

impl Planner<'_> {
    pub(super) fn label_replace(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let text = |at: usize| text(call, at);
        let replace = LabelReplace::new(text(1)?, text(2)?, text(3)?, text(4)?)?;
        let node = self.plan(&call.args[0], grid)?;
        relabel(node, |labels| replace.apply(labels))
    }

    pub(super) fn label_join(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let sources: Vec<String> = (3..call.args.len())
            .map(|at| text(call, at).map(str::to_owned))
            .collect::<Result<_>>()?;
        let join = LabelJoin::new(text(call, 1)?, text(call, 2)?, &sources)?;
        let node = self.plan(&call.args[0], grid)?;
        relabel(node, |labels| join.apply(labels))
    }
}

/// A string argument.
fn text(call: &Call, at: usize) -> Result<&str> {
    match call.args.get(at) {
        Some(Expr::Text(text)) => Ok(text),
        _ => Err(Error::internal(format!("argument {at} of {} is no string", call.function))),
    }
}

/// The node with other labels; series that are then equal are merged step by step.
fn relabel(node: Node, change: impl Fn(&Labels) -> Result<Labels>) -> Result<Node> {
    let mut numbers: HashMap<Labels, u32> = HashMap::with_capacity(node.series.len());
    let mut labels = Vec::with_capacity(node.series.len());
    let mut target = Vec::with_capacity(node.series.len());
    for at in 0..node.series.len() {
        let changed = change(&node.series.labels(at))?;
        let next = labels.len() as u32;
        let number = *numbers.entry(changed).or_insert_with_key(|changed| {
            labels.push(changed.clone());
            next
        });
        target.push(number);
    }
    let series = SeriesSet::from_labels(&labels);
    if labels.len() == node.series.len() {
        return Ok(Node { series, ..node });
    }
    let plan = merge_series(node.plan, node.grid, target.into(), false);
    Ok(Node { plan, series, ordered: false, ..node })
}
