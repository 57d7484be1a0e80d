//! Aggregations.

use super::tree::{Node, Type};
use super::{Queries, Taste};

/// Aggregations without a parameter; some more than once.
const PLAIN: [&str; 11] =
    ["sum", "sum", "sum", "avg", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
const WITH_PARAMETER: [&str; 6] =
    ["topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio"];

impl Queries<'_> {
    /// An aggregation.
    pub(super) fn aggregation(&mut self, taste: Taste, depth: usize) -> Node {
        let (name, parameter) = if self.random.chance(65) {
            (self.random.pick(&PLAIN), None)
        } else {
            let name = self.random.pick(&WITH_PARAMETER);
            let parameter = match name {
                "quantile" => self.parameter(|queries| queries.share(depth - 1)),
                "count_values" => {
                    let label = self.random.pick(&["\"value\"", "\"job\"", "\"wert.x\"", "'le'"]);
                    Node::text(Type::Text, label)
                }
                "limit_ratio" => Node::text(
                    Type::Scalar,
                    self.random.pick(&["0.5", "-0.5", "0.2", "-0.8", "1", "0", "2", "-3"]),
                ),
                _ if self.random.chance(10) => self.parameter(|queries| queries.scalar(depth - 1)),
                _ => Node::text(
                    Type::Scalar,
                    self.random.pick(&["1", "2", "3", "2.7", "5", "0", "-1"]),
                ),
            };
            (name, Some(parameter))
        };
        let ranks = matches!(name, "topk" | "bottomk") && self.random.chance(50);
        let of = match ranks {
            true => self.instant_selector(Taste::Gauge),
            false => self.vector(taste, depth - 1),
        };
        let grouping = self.random.chance(60).then(|| self.grouping());
        let before = self.random.chance(50);
        let (front, back) = if before { (grouping, None) } else { (None, grouping) };
        let mut node = Node::text(Type::Vector, name).maybe(front).then("(");
        if let Some(parameter) = parameter {
            node = node.child(parameter).then(", ");
        }
        node.child(of).then(")").maybe(back).using(name)
    }

    /// A parameter without `@`. Prometheus lets it move along there (`preprocessExprHelper` leaves parameters
    /// out): a few steps later it finds nothing. Stoa means the time that is written.
    fn parameter(&mut self, make: impl Fn(&mut Self) -> Node) -> Node {
        loop {
            let parameter = make(self);
            if !parameter.to_string().contains(" @ ") {
                return parameter;
            }
        }
    }

    fn grouping(&mut self) -> Node {
        const LABELS: [&str; 10] = [
            "job",
            "job",
            "instance",
            "instance",
            "job, instance",
            "le",
            "code",
            "zone",
            "job, \"stock.werk\"",
            "__name__, job",
        ];
        let labels = self.random.pick(&LABELS);
        match self.random.chance(60) {
            true => Node::optional(format!(" by ({labels}) ")).using("by"),
            false => Node::optional(format!(" without ({labels}) ")).using("without"),
        }
    }
}
