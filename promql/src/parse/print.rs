//! A syntax tree as text (`promql/parser/printer.go`).
//!
//! What was written in many ways is printed in one: labels are sorted, and modifiers have their order.

use engine::model::MatchOp;

use super::letters::is_letter;
use super::number;
use super::quote::quoted;
use super::tree::{
    Aggregate, Binary, Call, Condition, Duration, DurationKind, Kind, Modifiers, Node, Number,
    Selector, Subquery,
};
use crate::ast::{At, ValueType};
use crate::functions::float_text::{general, plain};

/// Writes parts of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    /// Names with letters of any script and dots need no quotes.
    pub(super) unquoted_utf8: bool,
}

impl Printer {
    /// A part of a query, on one line.
    #[recursive::recursive]
    pub(super) fn node(self, node: &Node) -> String {
        match &node.kind {
            Kind::Number(number) => literal(*number),
            Kind::Text(text) => quoted(text),
            Kind::Selector(selector) => {
                self.series(selector)
                    + &at(&selector.modifiers)
                    + edges(selector)
                    + &offset(&selector.modifiers)
            }
            Kind::Range(selector, range) => {
                let (series, range, edges) =
                    (self.series(selector), duration(range), edges(selector));
                format!("{series}[{range}]{edges}{}", at_offset(&selector.modifiers))
            }
            Kind::Subquery(subquery) => self.node(&subquery.expr) + &subquery_suffix(subquery),
            Kind::Paren(inner) => format!("({})", self.node(inner)),
            Kind::Unary(minus, inner) => sign(*minus).to_owned() + &self.node(inner),
            Kind::Binary(binary) => {
                let operator = self.operator(binary_of_vectors(node), binary);
                format!("{} {operator} {}", self.node(&binary.left), self.node(&binary.right))
            }
            Kind::Aggregate(aggregate) => {
                let param = aggregate.param.as_ref();
                let param = param.map_or_else(String::new, |param| self.node(param) + ", ");
                format!("{}({param}{})", self.aggregation(aggregate), self.node(&aggregate.expr))
            }
            Kind::Call(Call { function, args }) => {
                let args: Vec<String> = args.iter().map(|arg| self.node(arg)).collect();
                format!("{}({})", function.name, args.join(", "))
            }
        }
    }

    /// An aggregation and its groups, without what is in parentheses.
    pub(super) fn aggregation(self, aggregate: &Aggregate) -> String {
        let op = aggregate.op;
        match &aggregate.grouping {
            Some((true, labels)) => format!("{op} without ({}) ", self.labels(labels)),
            Some((false, labels)) if !labels.is_empty() => {
                format!("{op} by ({}) ", self.labels(labels))
            }
            _ => op.to_owned(),
        }
    }

    /// A binary operator and what stands behind it; `of_vectors` says whether series meet.
    pub(super) fn operator(self, of_vectors: bool, binary: &Binary) -> String {
        let mut out = binary.op.to_owned();
        let modifier = &binary.modifier;
        if modifier.bool {
            out.push_str(" bool");
        }
        if !of_vectors {
            return out;
        }
        let (on, labels) = modifier.matching.as_ref().map_or((false, &[][..]), |(on, l)| (*on, l));
        if on || !labels.is_empty() || modifier.grouping.is_some() {
            let word = if on { "on" } else { "ignoring" };
            out.push_str(&format!(" {word} ({})", self.labels(labels)));
        }
        if let Some((left, labels)) = &modifier.grouping {
            let side = if *left { "left" } else { "right" };
            out.push_str(&format!(" group_{side} ({})", self.labels(labels)));
        }
        match modifier.fill {
            [Some(left), Some(right)] if left == right => {
                out.push_str(&format!(" fill ({})", general(left)));
            }
            [left, right] => {
                for (side, value) in [("left", left), ("right", right)] {
                    if let Some(value) = value {
                        out.push_str(&format!(" fill_{side} ({})", general(value)));
                    }
                }
            }
        }
        out
    }

    fn series(self, selector: &Selector) -> String {
        let name = selector.name.as_deref().unwrap_or_default();
        let mut conditions: Vec<String> =
            selector.conditions.iter().map(|condition| self.condition(condition)).collect();
        if conditions.is_empty() {
            return name.to_owned();
        }
        conditions.sort_unstable();
        format!("{name}{{{}}}", conditions.join(","))
    }

    fn condition(self, condition: &Condition) -> String {
        let name = condition.name.as_ref();
        let name = match condition.name.as_str() {
            Some(name) if self.is_name(name) => name.to_owned(),
            _ => quoted(name),
        };
        format!("{name}{}{}", operator(condition.op), quoted(&condition.value))
    }

    fn labels(self, labels: &[String]) -> String {
        let label = |label: &String| {
            if self.is_name(label) { label.clone() } else { quoted(label) }
        };
        labels.iter().map(label).collect::<Vec<_>>().join(", ")
    }

    /// Whether `label` needs no quotes.
    fn is_name(self, label: &str) -> bool {
        let starts = |c: char| {
            c == '_'
                || c.is_ascii_alphabetic()
                || (self.unquoted_utf8 && !c.is_ascii() && is_letter(c))
        };
        let goes_on = |c: char| starts(c) || c.is_ascii_digit() || (self.unquoted_utf8 && c == '.');
        label.starts_with(starts) && label.chars().all(goes_on)
    }
}

/// Whether both sides of a binary operation are vectors.
pub(super) fn binary_of_vectors(node: &Node) -> bool {
    let Kind::Binary(binary) = &node.kind else { return false };
    [&binary.left, &binary.right].iter().all(|side| side.value_type() == ValueType::Instant)
}

/// An operator of a condition.
pub(super) fn operator(op: MatchOp) -> &'static str {
    match op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    }
}

/// A sign.
pub(super) fn sign(minus: bool) -> &'static str {
    if minus { "-" } else { "+" }
}

/// What stands behind the expression of a subquery.
pub(super) fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map(duration).unwrap_or_default();
    format!("[{}:{step}]{}", duration(&subquery.range), at_offset(&subquery.modifiers))
}

fn at_offset(modifiers: &Modifiers) -> String {
    at(modifiers) + &offset(modifiers)
}

fn at(modifiers: &Modifiers) -> String {
    match modifiers.at {
        None => String::new(),
        Some(At::Time(ms)) => format!(" @ {:.3}", ms as f64 / 1_000.0),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
    }
}

fn edges(selector: &Selector) -> &'static str {
    match (selector.anchored, selector.smoothed) {
        (true, _) => " anchored",
        (false, true) => " smoothed",
        (false, false) => "",
    }
}

fn offset(modifiers: &Modifiers) -> String {
    match &modifiers.offset {
        Some(offset) if !offset.is_zero() => format!(" offset {}", duration(offset)),
        _ => String::new(),
    }
}

/// A duration in brackets or behind `offset`.
fn duration(found: &Duration) -> String {
    match found.kind {
        DurationKind::Number(number) => number::milliseconds(found_ms(number)),
        _ => computed(found),
    }
}

/// A literal that is all of a duration, in ms.
pub(super) fn found_ms(number: Number) -> i64 {
    (number.value * 1e9).round() as i64 / 1_000_000
}

/// A part of a duration that is computed.
#[recursive::recursive]
fn computed(duration: &Duration) -> String {
    let text = match &duration.kind {
        DurationKind::Number(number) => literal(*number),
        DurationKind::Step => "step()".to_owned(),
        DurationKind::Range => "range()".to_owned(),
        DurationKind::Unary(true, inner) => format!("-{}", computed(inner)),
        DurationKind::Unary(false, inner) => computed(inner),
        DurationKind::Binary(op @ ("max_of" | "min_of"), left, right) => {
            format!("{op}({}, {})", computed(left), computed(right))
        }
        DurationKind::Binary(op, left, right) => {
            format!("{} {op} {}", computed(left), computed(right))
        }
    };
    if duration.wrapped { format!("({text})") } else { text }
}

fn literal(number: Number) -> String {
    match number {
        Number { value, is_duration: false } => plain(value),
        Number { value, .. } => number::milliseconds((value * 1e9) as i64 / 1_000_000),
    }
}
