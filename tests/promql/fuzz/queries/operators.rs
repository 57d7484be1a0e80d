//! Binary operators on vectors.

use super::tree::{Node, Type};
use super::{Queries, Taste};

const ARITHMETIC: [&str; 10] = ["+", "-", "*", "/", "+", "-", "%", "^", "atan2", "/"];
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];
const SETS: [&str; 3] = ["and", "or", "unless"];
const TRIMS: [&str; 2] = ["</", ">/"];

impl Queries<'_> {
    /// A binary operation that gives a vector.
    pub(super) fn operation(&mut self, taste: Taste, depth: usize) -> Node {
        match self.random.below(100) {
            0..=29 => self.with_scalar(taste, depth),
            30..=34 => self.trim(depth),
            35..=79 => self.of_vectors(taste, depth),
            _ => self.set(taste, depth),
        }
    }

    fn arithmetic_or_comparison(&mut self) -> (&'static str, Option<Node>) {
        if self.random.chance(60) {
            return (self.random.pick(&ARITHMETIC), None);
        }
        let bool = self.random.chance(35);
        (self.random.pick(&COMPARISONS), bool.then(|| Node::optional(" bool").using("bool")))
    }

    fn with_scalar(&mut self, taste: Taste, depth: usize) -> Node {
        let (operator, bool) = self.arithmetic_or_comparison();
        let vector = match operator {
            "%" => self.well_conditioned(taste, depth),
            _ => self.vector(taste, depth - 1),
        };
        let scalar = self.scalar(depth - 1);
        let (left, right) =
            if self.random.chance(70) { (vector, scalar) } else { (scalar, vector) };
        let node =
            Node::text(Type::Vector, "(").child(left).then(format!(" {operator}")).maybe(bool);
        node.then(" ").child(right).then(")").using(operator)
    }

    /// `</` and `>/`.
    fn trim(&mut self, depth: usize) -> Node {
        let operator = self.random.pick(&TRIMS);
        let left = self.vector(Taste::Native, depth - 1);
        let right = match self.random.chance(80) {
            true => self.scalar(depth.min(2) - 1),
            false => self.vector(Taste::Gauge, depth - 1),
        };
        let node = Node::text(Type::Vector, "(").child(left).then(format!(" {operator} "));
        node.child(right).then(")").using(operator)
    }

    fn set(&mut self, taste: Taste, depth: usize) -> Node {
        let operator = self.random.pick(&SETS);
        let (left, right) = (self.vector(taste, depth - 1), self.vector(Taste::Any, depth - 1));
        let matching = self.random.chance(60).then(|| self.matching());
        let node = Node::text(Type::Vector, "(").child(left).then(format!(" {operator}"));
        node.maybe(matching).then(" ").child(right).then(")").using(operator)
    }

    fn matching(&mut self) -> Node {
        match self.random.chance(70) {
            true => {
                let labels =
                    self.random.pick(&["job", "instance", "job, instance", "job, instance", ""]);
                Node::optional(format!(" on ({labels})")).using("on")
            }
            false => {
                let labels =
                    self.random.pick(&["code", "zone", "le", "version, colour", "job, code"]);
                Node::optional(format!(" ignoring ({labels})")).using("ignoring")
            }
        }
    }

    fn of_vectors(&mut self, taste: Taste, depth: usize) -> Node {
        let (operator, bool) = self.arithmetic_or_comparison();
        // Sides of one metric or of aggregations by the same labels find each other.
        if self.random.chance(45) {
            let (left, right) = self.alike(taste, depth);
            let matching = self
                .random
                .chance(25)
                .then(|| Node::optional(" on (job, instance)").using("on").maybe(self.fill()));
            let fill = if matching.is_none() { self.fill() } else { None };
            let node = Node::text(Type::Vector, "(").child(left).then(format!(" {operator}"));
            let node = node.maybe(bool).maybe(matching).maybe(fill);
            return node.then(" ").child(right).then(")").using(operator);
        }
        let many = self.vector(taste, depth - 1);
        let labels = self.random.pick(&["job", "job, instance", "job, instance", "instance"]);
        // The one side has one series for each group.
        let (name, one) = match self.random.below(3) {
            0 => ("max", self.vector(Taste::Gauge, depth - 1)),
            1 => ("group", self.vector(Taste::Any, depth - 1)),
            _ => ("sum", self.vector(taste, depth - 1)),
        };
        let also = self.random.pick(&["", "", ", zone", ", version"]);
        let one = Node::text(Type::Vector, format!("{name} by ({labels}{also}) ("))
            .child(one)
            .then(")")
            .using(name)
            .using("by");
        let (side, left, right) = match self.random.chance(50) {
            true => ("group_left", many, one),
            false => ("group_right", one, many),
        };
        // No label may be matched and included.
        let other = if labels == "instance" { "job" } else { "code" };
        let included = self.random.pick(&["", "", "zone", "version", other, "colour, zone"]);
        let group = Node::optional(match included.is_empty() && self.random.chance(50) {
            true => format!(" {side}"),
            false => format!(" {side} ({included})"),
        });
        let mut group = group.using(side);
        if !included.is_empty() {
            group = group.using("group with labels");
        }
        let matching =
            Node::optional(format!(" on ({labels})")).using("on").child(group).maybe(self.fill());
        let node =
            Node::text(Type::Vector, "(").child(left).then(format!(" {operator}")).maybe(bool);
        node.child(matching).then(" ").child(right).then(")").using(operator)
    }

    /// Two vectors whose labels are the same.
    fn alike(&mut self, taste: Taste, depth: usize) -> (Node, Node) {
        if self.random.chance(50) {
            let left = self.vector(taste, depth - 1);
            let right = match self.random.chance(30) {
                true => left.clone(),
                false => Node::text(Type::Vector, "(").child(left.clone()).then(" * 2)"),
            };
            return (left, right);
        }
        let labels = self.random.pick(&["job", "job, instance", "instance"]);
        let mut side = || {
            let name = self.random.pick(&["sum", "avg", "max", "count"]);
            let of = self.vector(taste, depth - 1);
            let node =
                Node::text(Type::Vector, format!("{name} by ({labels}) (")).child(of).then(")");
            node.using(name).using("by")
        };
        (side(), side())
    }

    fn fill(&mut self) -> Option<Node> {
        let value = self.random.pick(&["0", "1", "-2.5", "NaN", "Inf"]);
        let other = self.random.pick(&["0", "7"]);
        Some(match self.random.below(25) {
            0 | 1 => Node::optional(format!(" fill ({value})")).using("fill"),
            2 => Node::optional(format!(" fill_left ({value})")).using("fill_left"),
            3 => Node::optional(format!(" fill_right ({value})")).using("fill_right"),
            4 => Node::optional(format!(" fill_left ({value}) fill_right ({other})"))
                .using("fill_left")
                .using("fill_right"),
            _ => return None,
        })
    }
}
