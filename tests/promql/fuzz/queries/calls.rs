//! Functions of instant vectors.

use super::tree::{Node, Type};
use super::{Queries, Taste};

/// Functions of numbers.
const MATHS: [&str; 26] = [
    "abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sgn", "deg", "rad", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "round", "abs", "sgn",
];
const TIMES: [&str; 8] = [
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
];
const OF_NATIVES: [&str; 5] =
    ["histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"];

impl Queries<'_> {
    /// A function of an instant vector.
    pub(super) fn call(&mut self, taste: Taste, depth: usize) -> Node {
        match self.random.below(100) {
            0..=26 => {
                let name = self.random.pick(&MATHS);
                self.of_vector(name, taste, depth)
            }
            27..=38 => self.of_time(depth),
            39..=48 => {
                let name = self.random.pick(&OF_NATIVES);
                self.of_vector(name, Taste::Native, depth)
            }
            49..=57 => self.quantile(depth),
            58..=65 => self.clamp(taste, depth),
            66..=74 => self.labels(taste, depth),
            75..=81 => {
                let name =
                    self.random.pick(&["absent", "timestamp", "timestamp", "start_timestamp"]);
                self.of_vector(name, taste, depth)
            }
            82..=86 => Node::text(Type::Vector, "vector(")
                .child(self.scalar(depth))
                .then(")")
                .using("vector"),
            87..=94 => self.info(taste, depth),
            _ => self.sorted(depth),
        }
    }

    fn of_vector(&mut self, name: &'static str, taste: Taste, depth: usize) -> Node {
        let of = match name {
            "timestamp" | "start_timestamp" => self.timed(taste, depth),
            "sin" | "cos" | "tan" => self.well_conditioned(taste, depth),
            _ => self.vector(taste, depth - 1),
        };
        let node = Node::text(Type::Vector, format!("{name}(")).child(of);
        let to = self.random.chance(50) && name == "round";
        let node = if to { node.then(", ").child(self.scalar(depth - 1)) } else { node };
        node.then(")").using(name)
    }

    /// A vector without what makes great numbers that are rounded: what is left of them when they are
    /// divided is nothing but rounding. Arcs near a right angle are as bad under `tan`.
    pub(super) fn well_conditioned(&mut self, taste: Taste, depth: usize) -> Node {
        const BAD: [&str; 14] = [
            "exp",
            "sinh",
            "cosh",
            "tan",
            "^",
            "predict_linear",
            "sum",
            "avg",
            "stddev",
            "stdvar",
            "acos",
            "asin",
            "atan",
            "atan2",
        ];
        loop {
            let of = self.vector(taste, depth - 1);
            if !of.all_uses().iter().any(|used| BAD.contains(used)) {
                return of;
            }
        }
    }

    /// What the time is asked of. Prometheus forgets the offset of a selector that also has `@` here, but
    /// reads the storage where the offset says (`rangeEvalTimestampFunctionOverVectorSelector`), so that it
    /// depends on other selectors what is found: those are left out.
    fn timed(&mut self, taste: Taste, depth: usize) -> Node {
        loop {
            let of = self.vector(taste, depth - 1);
            let text = of.to_string();
            if !(text.contains(" @ ") && text.contains(" offset ")) {
                return of;
            }
        }
    }

    fn of_time(&mut self, depth: usize) -> Node {
        let name = self.random.pick(&TIMES);
        let node = Node::text(Type::Vector, format!("{name}("));
        match self.random.below(4) {
            0 => node,
            1 => node
                .then("timestamp(")
                .child(self.timed(Taste::Any, depth))
                .then(")")
                .using("timestamp"),
            2 => node.then("vector(").child(self.scalar(depth)).then(")").using("vector"),
            _ => node.child(self.vector(Taste::Gauge, depth - 1)),
        }
        .then(")")
        .using(name)
    }

    fn quantile(&mut self, depth: usize) -> Node {
        let of = self.vector(Taste::Buckets, depth - 1);
        match self.random.below(10) {
            0..=5 => {
                let node =
                    Node::text(Type::Vector, "histogram_quantile(").child(self.share(depth - 1));
                node.then(", ").child(of).then(")").using("histogram_quantile")
            }
            6..=7 => {
                let (from, to) = (self.scalar(depth - 1), self.scalar(depth - 1));
                let node = Node::text(Type::Vector, "histogram_fraction(").child(from).then(", ");
                node.child(to).then(", ").child(of).then(")").using("histogram_fraction")
            }
            _ => {
                let mut node = Node::text(Type::Vector, "histogram_quantiles(").child(of);
                node = node.then(self.random.pick(&[", \"q\"", ", \"le\"", ", \"quantile.x\""]));
                for _ in 0..1 + self.random.below(3) {
                    node = node.then(", ").child(self.share(depth - 1));
                }
                node.then(")").using("histogram_quantiles")
            }
        }
    }

    fn clamp(&mut self, taste: Taste, depth: usize) -> Node {
        let name = self.random.pick(&["clamp", "clamp_min", "clamp_max"]);
        let node =
            Node::text(Type::Vector, format!("{name}(")).child(self.vector(taste, depth - 1));
        let node = node.then(", ").child(self.scalar(depth - 1));
        let node =
            if name == "clamp" { node.then(", ").child(self.scalar(depth - 1)) } else { node };
        node.then(")").using(name)
    }

    fn labels(&mut self, taste: Taste, depth: usize) -> Node {
        let of = self.vector(taste, depth - 1);
        if self.random.chance(60) {
            const ARGUMENTS: [&str; 8] = [
                r#""new", "$1-x", "instance", "(.*):.*""#,
                r#""new", "$1", "job", "(a).*""#,
                r#""instance", "", "instance", ".*""#,
                r#""__name__", "renamed", "job", ".*""#,
                r#""zone", "${x}$2$$", "job", "(?P<x>.)(.*)""#,
                r#""neu.es", "$0", "job", "db""#,
                r#""new", "fest", "missing", """#,
                r#""job", "one", "code", ".*""#,
            ];
            let arguments = self.random.pick(&ARGUMENTS);
            let node = Node::text(Type::Vector, "label_replace(").child(of);
            return node.then(format!(", {arguments})")).using("label_replace");
        }
        const ARGUMENTS: [&str; 6] = [
            r#""new", "-", "job", "instance""#,
            r#""new", "", "job", "missing", "code""#,
            r#""new", "+""#,
            r#""instance", ",", "job""#,
            r#""__name__", ":", "job", "instance""#,
            r#""neu.es", "π", "job", "stock.werk""#,
        ];
        let arguments = self.random.pick(&ARGUMENTS);
        let node = Node::text(Type::Vector, "label_join(").child(of);
        node.then(format!(", {arguments})")).using("label_join")
    }

    fn info(&mut self, taste: Taste, depth: usize) -> Node {
        const SELECTORS: [&str; 9] = [
            "",
            "",
            ", {version=~\".+\"}",
            ", {__name__=\"build_info\"}",
            ", {__name__=~\".+_info\", colour=~\".*\"}",
            ", {version=\"1.1\"}",
            ", {colour=\"green\"}",
            ", {missing=\"\"}",
            ", {__name__!=\"target_info\", version=~\".+\"}",
        ];
        let node = Node::text(Type::Vector, "info(").child(self.vector(taste, depth - 1));
        node.then(self.random.pick(&SELECTORS)).then(")").using("info")
    }

    /// Something that sorts.
    pub(super) fn sorted(&mut self, depth: usize) -> Node {
        const NAMES: [&str; 4] = ["sort", "sort_desc", "sort_by_label", "sort_by_label_desc"];
        let name = self.random.pick(&NAMES);
        let node = Node::text(Type::Vector, format!("{name}("))
            .child(self.vector(Taste::Gauge, depth - 1));
        let labels = ["\"job\"", "\"instance\", \"code\"", "\"le\"", "\"missing\", \"instance\""];
        let node = match name.starts_with("sort_by") {
            true => node.then(", ").then(self.random.pick(&labels)),
            false => node,
        };
        node.then(")").using(name)
    }
}
