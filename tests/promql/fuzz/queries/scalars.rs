//! Scalars.

use super::tree::{Node, Type};
use super::{Queries, Taste};

impl Queries<'_> {
    /// A scalar.
    pub(super) fn scalar(&mut self, depth: usize) -> Node {
        if depth == 0 || self.random.chance(40) {
            return self.number();
        }
        match self.random.below(12) {
            0 => Node::text(Type::Scalar, "time()").using("time"),
            1 => Node::text(Type::Scalar, "pi()").using("pi"),
            2..=4 => {
                let of = self.vector(Taste::Gauge, depth - 1);
                match self.random.chance(60) {
                    true => {
                        Node::text(Type::Scalar, "scalar(max(").child(of).then("))").using("max")
                    }
                    false => Node::text(Type::Scalar, "scalar(").child(of).then(")"),
                }
                .using("scalar")
            }
            5..=6 => {
                let (name, text) =
                    self.random.pick(&[("min_of", "min_of("), ("max_of", "max_of(")]);
                let (a, b) = (self.scalar(depth - 1), self.scalar(depth - 1));
                Node::text(Type::Scalar, text).child(a).then(", ").child(b).then(")").using(name)
            }
            7 => Node::text(Type::Scalar, "start()").using("start"),
            8 => Node::text(Type::Scalar, "end()").using("end"),
            9 => Node::text(Type::Scalar, "step()").using("step"),
            10 => Node::text(Type::Scalar, "range()").using("range"),
            _ => {
                let operator = self
                    .random
                    .pick(&["+", "-", "*", "/", "%", "^", "atan2", "> bool", "== bool", "<= bool"]);
                let (a, b) = (self.scalar(depth - 1), self.scalar(depth - 1));
                let node = Node::text(Type::Scalar, "(").child(a);
                node.then(format!(" {operator} "))
                    .child(b)
                    .then(")")
                    .using("scalar operator scalar")
            }
        }
    }

    fn number(&mut self) -> Node {
        const NUMBERS: [&str; 20] = [
            "1", "2", "0", "-1", "0.5", "100", "10", "3.25", "1e3", "0x1f", "NaN", "Inf", "-Inf",
            "5m", "-0.1", "1000000", "0.1", "7", ".3", "1_000",
        ];
        Node::text(Type::Scalar, self.random.pick(&NUMBERS))
    }

    /// A quantile, a factor of smoothing or a ratio.
    pub(super) fn share(&mut self, depth: usize) -> Node {
        match self.random.below(10) {
            0 => self.scalar(depth.min(2)),
            _ => Node::text(
                Type::Scalar,
                self.random.pick(&[
                    "0.5", "0.9", "0.99", "0.1", "0", "1", "0.25", "0.75", "-1", "1.2", "NaN",
                ]),
            ),
        }
    }
}
