//! Binary operations.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use engine::{Error, Result};

use super::matching::{matching, set_matching};
use super::{Node, Planner, without_name};
use crate::ast::{self, Binary};
use crate::exec::binary::{SetOp, set_operation, vector_scalar, vector_vector};
use crate::exec::grid::Grid;
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
        let changes_metric = op.changes_metric() || *bool;
        match (left.is_scalar(), right.is_scalar()) {
            (false, false) => self.vectors(kernel, node, changes_metric, grid),
            // Two scalars: the left one is the vector, with its one series without labels.
            (true, true) => self.with_scalar(kernel, node, left, right, false, grid),
            (scalar_is_left, _) => {
                let (vector, scalar) = if scalar_is_left { (right, left) } else { (left, right) };
                let node = self.with_scalar(kernel, node, vector, scalar, scalar_is_left, grid)?;
                Ok(if changes_metric { without_name(node, false) } else { node })
            }
        }
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
        let argument = self.argument(scalar, grid, &mut sides)?;
        let input = self.plan(vector, grid)?;
        let plan = vector_scalar(input.plan, argument, scalar_is_left, grid, op, node.bool, sides);
        Ok(Node { plan, ..input })
    }

    fn vectors(
        &mut self,
        op: BinaryOp,
        node: &Binary,
        changes_metric: bool,
        grid: Grid,
    ) -> Result<Node> {
        let left = self.plan(&node.left, grid)?;
        let right = self.plan(&node.right, grid)?;
        let operation = self.operations.len() as u32;
        let (table, series) =
            matching(&left.series, &right.series, &node.matching, changes_metric, operation)?;
        let plan = vector_vector(left.plan, right.plan, grid, op, node.bool, Arc::new(table));
        let (left, right) = (left.series, right.series);
        self.operations.push(super::Operation { left, right, matching: node.matching.clone() });
        Ok(Node { plan, series, grid, ordered: false })
    }

    fn set_operation(&mut self, op: SetOp, node: &Binary, grid: Grid) -> Result<Node> {
        let left = self.plan(&node.left, grid)?;
        let right = self.plan(&node.right, grid)?;
        let union = op == SetOp::Or;
        let (table, series) = set_matching(&left.series, &right.series, &node.matching, union);
        let plan = set_operation(left.plan, right.plan, grid, op, Arc::new(table));
        let series = series.unwrap_or(left.series);
        Ok(Node { plan, series, grid, ordered: false })
    }
}
