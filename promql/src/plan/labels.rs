//! `label_replace` and `label_join`: work of the planner alone, unless labels collide.

use engine::model::METRIC_NAME;
use engine::{Error, Result};

use super::names::{Unnamed, relabelled};
use super::{Node, Planner};
use crate::ast::{Call, Expr};
use crate::exec::grid::Grid;
use crate::functions::labels::{LabelJoin, LabelReplace};

impl Planner<'_> {
    pub(super) fn label_replace(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let text = |at: usize| text(call, at);
        let replace = LabelReplace::new(text(1)?, text(2)?, text(3)?, text(4)?)?;
        let node = self.plan(&call.args[0], grid)?;
        let count = node.series.len();
        let changed: Vec<_> =
            (0..count).map(|at| replace.apply(&node.series.labels(at))).collect::<Result<_>>()?;
        // A name that was just made stays.
        let names = text(1)? == METRIC_NAME;
        let named = |at: usize| names && changed[at].is_some();
        let flags = (0..count).map(|at| node.unnamed.has(at) && !named(at));
        let node = Node { unnamed: Unnamed::of(flags), ..node };
        Ok(relabelled(node, |at, labels| changed[at].clone().unwrap_or(labels)))
    }

    pub(super) fn label_join(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let sources: Vec<String> = (3..call.args.len())
            .map(|at| text(call, at).map(str::to_owned))
            .collect::<Result<_>>()?;
        let join = LabelJoin::new(text(call, 1)?, text(call, 2)?, &sources)?;
        let node = self.plan(&call.args[0], grid)?;
        let changed: Vec<_> = (0..node.series.len())
            .map(|at| join.apply(&node.series.labels(at)))
            .collect::<Result<_>>()?;
        let unnamed = match text(call, 1)? {
            METRIC_NAME => Unnamed::None,
            _ => node.unnamed.clone(),
        };
        let mut changed = changed.into_iter();
        let node = Node { unnamed, ..node };
        Ok(relabelled(node, |_, labels| changed.next().unwrap_or(labels)))
    }
}

/// A string argument.
pub(super) fn text(call: &Call, at: usize) -> Result<&str> {
    match call.args.get(at) {
        Some(Expr::Text(text)) => Ok(text),
        _ => Err(Error::internal(format!("argument {at} of {} is no string", call.function))),
    }
}
