//! Functions of range vectors.

use super::tree::{Node, Type};
use super::{Queries, Taste};

const OF_COUNTERS: [&str; 7] =
    ["rate", "rate", "increase", "increase", "irate", "resets", "changes"];
const OF_ALL: [&str; 27] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "resets",
    "changes",
    "deriv",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "first_over_time",
    "present_over_time",
    "absent_over_time",
    "mad_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "predict_linear",
    "quantile_over_time",
    "integral",
];
const OF_NATIVES: [&str; 12] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "resets",
    "changes",
    "avg_over_time",
    "sum_over_time",
    "last_over_time",
    "first_over_time",
    "count_over_time",
];
/// What takes `anchored`.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
/// What takes `smoothed`.
const SMOOTHED: [&str; 4] = ["delta", "increase", "rate", "integral"];

impl Queries<'_> {
    /// A function of a range vector.
    pub(super) fn range_call(&mut self, taste: Taste, depth: usize) -> Node {
        let name = match taste {
            Taste::Counter if self.random.chance(60) => self.random.pick(&OF_COUNTERS),
            Taste::Native | Taste::Buckets if self.random.chance(80) => {
                self.random.pick(&OF_NATIVES)
            }
            _ => match self.random.below(28) {
                27 => "double_exponential_smoothing",
                at => OF_ALL[at],
            },
        };
        let of = self.argument(name, taste, depth - 1);
        let node = Node::text(Type::Vector, format!("{name}("));
        let node = match name {
            "quantile_over_time" => node.child(self.share(depth - 1)).then(", ").child(of),
            "predict_linear" => node.child(of).then(", ").child(self.scalar(depth - 1)),
            "integral" if self.random.chance(50) => {
                node.child(of).then(", ").child(self.scalar(depth - 1))
            }
            "double_exponential_smoothing" => {
                let (a, b) = (self.share(depth - 1), self.share(depth - 1));
                node.child(of).then(", ").child(a).then(", ").child(b)
            }
            _ => node.child(of),
        };
        node.then(")").using(name)
    }

    /// The range vector of `name`, `anchored` or `smoothed` where that may be.
    fn argument(&mut self, name: &'static str, taste: Taste, depth: usize) -> Node {
        let modifier = match self.random.below(100) {
            0..=14 if ANCHORED.contains(&name) => ("anchored", " anchored"),
            15..=29 if SMOOTHED.contains(&name) => ("smoothed", " smoothed"),
            _ => return self.range(taste, depth),
        };
        let selector = self.selector(taste);
        let range =
            Node::text(Type::Range, "").child(selector).then("[").child(self.range_duration());
        let range = range.then("]").child(Node::optional(modifier.1).using(modifier.0));
        range.maybe(self.when()).using("[range]")
    }
}
