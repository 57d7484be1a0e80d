//! Binary operations.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::{Error, Result};
use hashbrown::HashMap;

use super::matching::{matching, set_matching};
use super::names::Unnamed;
use super::{Node, Planner, SeriesSet};
use crate::ast::{self, Binary};
use crate::exec::binary::{
    Operation, SetMatching, SetOp, set_operation, vector_scalar, vector_vector,
};
use crate::exec::grid::{Cells, Grid};
use crate::functions::binary::BinaryOp;

impl Planner<'_> {
    /// Plans a binary operation of any kind.
    pub(super) fn binary(&mut self, node: &Binary, grid: Grid) -> Result<Node> {
        let Binary { op, left, right, bool, .. } = node;
        let set = match op {
            ast::BinaryOp::And => Some(SetOp::And),
            ast::BinaryOp::Or => Some(SetOp::Or),
            ast::BinaryOp::Unless => Some(SetOp::Unless),
            _ => None,
        };
        if let Some(set) = set {
            return self.set_operation(set, node, grid);
        }
        let kernel = BinaryOp::from_symbol(op.symbol())
            .ok_or_else(|| Error::internal(format!("no kernel for {}", op.symbol())))?;
        match (left.is_scalar(), right.is_scalar()) {
            (false, false) => self.vectors(kernel, node, grid),
            // Two scalars: the left one is the vector, with its one series without labels.
            (true, true) => self.with_scalar(kernel, node, left, right, false, grid),
            (scalar_is_left, _) => {
                let (vector, scalar) = if scalar_is_left { (right, left) } else { (left, right) };
                let node = self.with_scalar(kernel, node, vector, scalar, scalar_is_left, grid)?;
                let changes_metric = op.changes_metric() || *bool;
                Ok(if changes_metric { self.without_name(node) } else { node })
            }
        }
    }

    /// The operator, with notes on `series` if there may be something to note.
    fn operation(
        &mut self,
        op: BinaryOp,
        node: &Binary,
        series: &SeriesSet,
        cells: Cells,
    ) -> Operation {
        let notes = match cells == Cells::Mixed || op.trims() {
            true => self.notes(series, op.symbol(), node.place),
            false => Arc::default(),
        };
        Operation { op, answer: node.bool, notes }
    }

    fn with_scalar(
        &mut self,
        op: BinaryOp,
        node: &Binary,
        vector: &ast::Expr,
        scalar: &ast::Expr,
        scalar_is_left: bool,
        grid: Grid,
    ) -> Result<Node> {
        let mut sides: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        // The left side first: of equal annotations that of the right one counts.
        let (argument, input) = if scalar_is_left {
            let argument = self.argument(scalar, grid, &mut sides)?;
            (argument, self.plan(vector, grid)?)
        } else {
            let input = self.plan(vector, grid)?;
            (self.argument(scalar, grid, &mut sides)?, input)
        };
        let operation = self.operation(op, node, &input.series, Cells::of(&input.plan));
        let plan = vector_scalar(input.plan, argument, scalar_is_left, grid, operation, sides);
        Ok(Node { plan, ..input })
    }

    fn vectors(&mut self, op: BinaryOp, node: &Binary, grid: Grid) -> Result<Node> {
        let left = self.plan(&node.left, grid)?;
        let right = self.plan(&node.right, grid)?;
        let delayed = self.features.delayed_name_removal;
        let drop_name = node.op.changes_metric() || (node.bool && !delayed);
        let number = self.operations.len() as u32;
        let (table, series) =
            matching(&left.series, &right.series, &node.matching, drop_name, number)?;
        let cells = Cells::of(&left.plan).or(Cells::of(&right.plan));
        let many = if node.matching.many == ast::Many::Right { &right } else { &left };
        let operation = self.operation(op, node, &many.series, cells);
        let plan = vector_vector(left.plan, right.plan, grid, operation, Arc::new(table));
        let (left, right) = (left.series, right.series);
        self.operations.push(super::Operation { left, right, matching: node.matching.clone() });
        let unnamed = if node.bool && delayed { Unnamed::All } else { Unnamed::None };
        Ok(Node { plan, series, grid, ordered: false, unnamed })
    }

    fn set_operation(&mut self, op: SetOp, node: &Binary, grid: Grid) -> Result<Node> {
        let left = self.plan(&node.left, grid)?;
        let right = self.plan(&node.right, grid)?;
        let union = op == SetOp::Or;
        let (mut table, mut series) =
            set_matching(&left.series, &right.series, &node.matching, union);
        if let Some(series) = &mut series {
            separate(&mut table, series, &left.unnamed, &right.unnamed);
        }
        let unnamed = match &series {
            None => left.unnamed.clone(),
            Some(series) => {
                let mut flags = vec![false; series.len()];
                for (at, &out) in table.right_out.iter().enumerate() {
                    flags[out as usize] = right.unnamed.has(at);
                }
                for (at, &out) in table.left_out.iter().enumerate() {
                    flags[out as usize] = left.unnamed.has(at);
                }
                Unnamed::of(flags.into_iter())
            }
        };
        let plan = set_operation(left.plan, right.plan, grid, op, Arc::new(table));
        let series = series.unwrap_or(left.series);
        Ok(Node { plan, series, grid, ordered: false, unnamed })
    }
}

/// Of series with equal labels, some of which lose their name at the end of the query, `or` makes a result
/// for those and one for the others: which it is shows a step at a time.
fn separate(table: &mut SetMatching, series: &mut SeriesSet, left: &Unnamed, right: &Unnamed) {
    let mut unnamed = vec![None; series.len()];
    for (at, &out) in table.left_out.iter().enumerate() {
        unnamed[out as usize] = Some(left.has(at));
    }
    let mut labels = series.all_labels();
    let mut twins: HashMap<u32, u32> = HashMap::new();
    for (at, out) in table.right_out.iter_mut().enumerate() {
        let own = right.has(at);
        if *unnamed[*out as usize].get_or_insert(own) != own {
            *out = *twins.entry(*out).or_insert_with_key(|&twin| {
                labels.push(labels[twin as usize].clone());
                labels.len() as u32 - 1
            });
        }
    }
    if !twins.is_empty() {
        *series = SeriesSet::from_labels(&labels);
    }
}
