//! Ranges, steps, offsets and `@`.

use super::tree::{Node, Type};
use super::{Queries, Taste};
use crate::promql::fuzz::data::{LENGTH, START};

const RANGES: [&str; 16] = [
    "5m",
    "5m",
    "10m",
    "10m",
    "15m",
    "1m",
    "90s",
    "47s",
    "1m30s",
    "20m",
    "17m3s100ms",
    "30s",
    "1h",
    "3m",
    "400",
    "1",
];

impl Queries<'_> {
    /// The duration of a range.
    pub(super) fn range_duration(&mut self) -> Node {
        if self.random.chance(85) {
            return Node::text(Type::Part, self.random.pick(&RANGES));
        }
        let plain = self.random.pick(&RANGES);
        let expression = match self.random.below(9) {
            0 => format!("{plain} + 30s"),
            1 => format!("2 * {plain}"),
            2 => format!("({plain} - 1s) / 2 + 1s"),
            3 => format!("max_of(step(), {plain})"),
            4 => format!("min_of(range() + 1m, {plain})"),
            5 => format!("step() + {plain}"),
            6 => format!("{plain} % 7m + 1m"),
            7 => "2 ^ 8".to_owned(),
            _ => format!("range() + {plain}"),
        };
        Node::text(Type::Part, expression).using("duration expression")
    }

    /// `[range]`, a subquery or not.
    pub(super) fn subquery_range(&mut self) -> Node {
        let range = Node::text(Type::Part, "[").child(self.range_duration()).then(":");
        let step = match self.random.below(10) {
            0..=2 => return range.then("]"),
            3 => "step() + 13s",
            _ => self.random.pick(&["1m", "30s", "2m", "47s", "15s", "100"]),
        };
        range.then(format!("{step}]"))
    }

    /// Offset and `@`, or nothing.
    pub(super) fn when(&mut self) -> Option<Node> {
        match self.random.below(100) {
            0..=9 => Some(self.offset()),
            10..=15 => Some(self.at()),
            16..=17 => {
                let offset = self.offset();
                Some(Node::optional("").child(self.at()).child(offset))
            }
            _ => None,
        }
    }

    fn offset(&mut self) -> Node {
        const OFFSETS: [&str; 11] = [
            "5m",
            "1m",
            "10m",
            "30s",
            "-1m",
            "-5m",
            "17s1ms",
            "-(30s + 1s)",
            "(2 * 45s)",
            "step()",
            "0s",
        ];
        let text = self.random.pick(&OFFSETS);
        let node = Node::optional(format!(" offset {text}")).using("offset");
        match text {
            "-(30s + 1s)" | "(2 * 45s)" | "step()" => node.using("duration expression"),
            text if text.starts_with('-') => node.using("offset -"),
            _ => node,
        }
    }

    fn at(&mut self) -> Node {
        match self.random.below(4) {
            0 => Node::optional(" @ start()").using("@ start()"),
            1 => Node::optional(" @ end()").using("@ end()"),
            _ => {
                let ms = START + self.random.between(0, LENGTH);
                let seconds = format!(" @ {}.{:03}", ms / 1000, ms % 1000);
                Node::optional(seconds).using("@")
            }
        }
    }

    /// A range vector.
    pub(super) fn range(&mut self, taste: Taste, depth: usize) -> Node {
        let subquery = depth > 0 && self.subqueries < 2 && self.random.chance(30);
        if !subquery {
            let selector = self.selector(taste);
            let range = Node::text(Type::Range, "").child(selector).then("[");
            let range = range.child(self.range_duration()).then("]");
            return range.maybe(self.when()).using("[range]");
        }
        self.subqueries += 1;
        let of = self.vector(taste, depth - 1);
        self.subqueries -= 1;
        let node = Node::text(Type::Range, "(").child(of).then(")");
        node.child(self.subquery_range()).maybe(self.when()).using("[range:step]")
    }
}
