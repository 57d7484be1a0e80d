//! `label_replace` and `label_join`: work of the planner alone, unless labels collide.

use std::borrow::Cow;

use engine::model::METRIC_NAME;
use engine::{Error, Result};

use super::names::{Unnamed, relabelled};
use super::{Node, Planner};
use crate::ast::{Call, Expr, Text};
use crate::exec::grid::Grid;
use crate::functions::labels::{LabelJoin, LabelReplace};
use crate::functions::refused;

impl Planner<'_> {
    pub(super) fn label_replace(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let pattern = argument(call, 4)?;
        let pattern = pattern.as_str().ok_or_else(|| {
            let shown = pattern.shown();
            refused(format!("invalid regular expression in label_replace(): {shown}"))
        })?;
        let destination = label_name(call, 1, "destination")?;
        let (replacement, source) = (text(call, 2)?, text(call, 3)?);
        let replace = LabelReplace::new(destination, &replacement, &source, pattern)?;
        let node = self.plan(&call.args[0], grid)?;
        let count = node.series.len();
        let changed: Vec<_> =
            (0..count).map(|at| replace.apply(&node.series.labels(at))).collect::<Result<_>>()?;
        // A name that was just made stays.
        let names = destination == METRIC_NAME;
        let named = |at: usize| names && changed[at].is_some();
        let flags = (0..count).map(|at| node.unnamed.has(at) && !named(at));
        let node = Node { unnamed: Unnamed::of(flags), ..node };
        Ok(relabelled(node, |at, labels| changed[at].clone().unwrap_or(labels)))
    }

    pub(super) fn label_join(&mut self, call: &Call, grid: Grid) -> Result<Node> {
        let sources: Vec<String> = (3..call.args.len())
            .map(|at| label_name(call, at, "source").map(str::to_owned))
            .collect::<Result<_>>()?;
        let destination = label_name(call, 1, "destination")?;
        let join = LabelJoin::new(destination, &text(call, 2)?, &sources)?;
        let node = self.plan(&call.args[0], grid)?;
        let changed: Vec<_> = (0..node.series.len())
            .map(|at| join.apply(&node.series.labels(at)))
            .collect::<Result<_>>()?;
        let unnamed = match destination {
            METRIC_NAME => Unnamed::None,
            _ => node.unnamed.clone(),
        };
        let mut changed = changed.into_iter();
        let node = Node { unnamed, ..node };
        Ok(relabelled(node, |_, labels| changed.next().unwrap_or(labels)))
    }
}

/// A string argument, as answers show it.
pub(super) fn text(call: &Call, at: usize) -> Result<Cow<'_, str>> {
    argument(call, at).map(Text::shown)
}

fn argument(call: &Call, at: usize) -> Result<&Text> {
    match call.args.get(at) {
        Some(Expr::Text(text)) => Ok(text),
        _ => Err(Error::internal(format!("argument {at} of {} is no string", call.function))),
    }
}

/// A string argument that is the name of a label: `role` is what errors call it.
fn label_name<'a>(call: &'a Call, at: usize, role: &str) -> Result<&'a str> {
    let name = argument(call, at)?;
    name.as_str().ok_or_else(|| {
        let (function, shown) = (call.function, name.shown());
        refused(format!("invalid {role} label name in {function}(): {shown}"))
    })
}
