//! A syntax tree as lines (`promql/parser/prettier.go`): a part whose text is longer than
//! [`MAX_WIDTH`] is split, and what is in it indented.

use super::print::{Printer, binary_of_vectors, sign, subquery_suffix};
use super::tree::{Kind, Node};

/// The longest part in bytes that stands on one line.
const MAX_WIDTH: usize = 100;

impl Printer {
    /// A part of a query, indented by `level`.
    #[recursive::recursive]
    pub(super) fn pretty(self, node: &Node, level: usize) -> String {
        let indent = "  ".repeat(level);
        let line = self.node(node);
        let fits = line.len() <= MAX_WIDTH;
        match &node.kind {
            // Its operator is indented, its operand is not.
            Kind::Unary(minus, inner) => {
                format!("{indent}{}{}", sign(*minus), self.pretty(inner, level).trim())
            }
            Kind::Subquery(_) if fits => line,
            Kind::Subquery(subquery) => {
                self.pretty(&subquery.expr, level) + &subquery_suffix(subquery)
            }
            Kind::Paren(inner) if !fits => {
                format!("{indent}(\n{}\n{indent})", self.pretty(inner, level + 1))
            }
            Kind::Binary(binary) if !fits => {
                let operator = self.operator(binary_of_vectors(node), binary);
                let side = |side| self.pretty(side, level + 1);
                format!("{}\n{indent}{operator}\n{}", side(&binary.left), side(&binary.right))
            }
            Kind::Aggregate(aggregate) if !fits => {
                let part = |part| self.pretty(part, level + 1);
                let param = aggregate.param.as_ref().map(|param| part(param) + ",\n");
                let (head, param) = (self.aggregation(aggregate), param.unwrap_or_default());
                format!("{indent}{head}(\n{param}{}\n{indent})", part(&aggregate.expr))
            }
            Kind::Call(call) if !fits => {
                let args: Vec<String> =
                    call.args.iter().map(|arg| self.pretty(arg, level + 1)).collect();
                format!("{indent}{}(\n{}\n{indent})", call.function.name, args.join(",\n"))
            }
            _ => indent + &line,
        }
    }
}
