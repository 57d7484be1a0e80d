//! The syntax tree: a query as it was written, parentheses and positions included.

use std::ops::Range;

use engine::model::{MatchOp, Matcher};

use super::functions::Signature;
use crate::ast::{At, Text, ValueType};

/// Bytes of the query.
pub(super) type Span = Range<usize>;

/// A part of a query.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it is written.
    pub(super) span: Span,
    /// How deep the tree is from here on: 1 has nothing below.
    pub(super) depth: usize,
    pub(super) kind: Kind,
}

/// What a part of a query is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Number(Number),
    Text(Text),
    Selector(Selector),
    /// A selector and what is in the brackets behind it.
    Range(Selector, Duration),
    Subquery(Box<Subquery>),
    Paren(Box<Node>),
    /// Whether it is a minus, and what is behind.
    Unary(bool, Box<Node>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
    Call(Call),
}

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    /// In seconds, if it is a duration.
    pub(super) value: f64,
    /// Whether it is written as a duration.
    pub(super) is_duration: bool,
}

/// A condition in braces.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// As it is written: name, operator and value.
    pub(super) name: Text,
    pub(super) op: MatchOp,
    pub(super) value: Text,
    pub(super) matcher: Matcher,
}

/// A vector selector.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector {
    /// The name before the braces.
    pub(super) name: Option<String>,
    /// What is in the braces.
    pub(super) conditions: Vec<Condition>,
    pub(super) modifiers: Modifiers,
    pub(super) anchored: bool,
    pub(super) smoothed: bool,
    /// Whether it may accept any series: that of `info`.
    pub(super) may_be_empty: bool,
}

/// `offset` and `@`.
#[derive(Debug, Clone, Default)]
pub(super) struct Modifiers {
    pub(super) offset: Option<Duration>,
    pub(super) at: Option<At>,
}

/// `expr[range:step]`.
#[derive(Debug, Clone)]
pub(super) struct Subquery {
    pub(super) expr: Node,
    pub(super) range: Duration,
    pub(super) step: Option<Duration>,
    pub(super) modifiers: Modifiers,
}

/// A duration, and where it is written. What it comes to is known with the steps of the query.
#[derive(Debug, Clone)]
pub(super) struct Duration {
    pub(super) span: Span,
    /// As in [`Node::depth`].
    pub(super) depth: usize,
    /// Whether it stands in parentheses.
    pub(super) wrapped: bool,
    pub(super) kind: DurationKind,
}

#[derive(Debug, Clone)]
pub(super) enum DurationKind {
    Number(Number),
    Step,
    Range,
    /// Whether it is a minus, and what is behind. A plus stands before numbers in parentheses and before
    /// some calls.
    Unary(bool, Box<Duration>),
    /// An operator, `max_of` or `min_of`.
    Binary(&'static str, Box<Duration>, Box<Duration>),
}

/// A binary operation.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub(super) op: &'static str,
    /// Where the operator is written.
    pub(super) op_at: usize,
    pub(super) left: Node,
    pub(super) right: Node,
    pub(super) modifier: Modifier,
}

/// What stands behind a binary operator.
#[derive(Debug, Clone, Default)]
pub(super) struct Modifier {
    pub(super) bool: bool,
    /// `on` (true) or `ignoring`, and the labels as they are written.
    pub(super) matching: Option<(bool, Vec<String>)>,
    /// `group_left` (true) or `group_right`, and the labels.
    pub(super) grouping: Option<(bool, Vec<String>)>,
    /// What fills in for series that the left, and the right, side lacks.
    pub(super) fill: [Option<f64>; 2],
}

/// An aggregation.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) op: &'static str,
    /// `without` (true) or `by`, and the labels.
    pub(super) grouping: Option<(bool, Vec<String>)>,
    pub(super) param: Option<Node>,
    pub(super) expr: Node,
}

/// A function call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) function: Signature,
    pub(super) args: Vec<Node>,
}

impl Node {
    /// The type of its value.
    pub(super) fn value_type(&self) -> ValueType {
        match &self.kind {
            Kind::Number(_) => ValueType::Scalar,
            Kind::Text(_) => ValueType::Text,
            Kind::Selector(_) | Kind::Aggregate(_) => ValueType::Instant,
            Kind::Range(..) | Kind::Subquery(_) => ValueType::Range,
            Kind::Paren(inner) | Kind::Unary(_, inner) => inner.value_type(),
            Kind::Call(call) => call.function.returns,
            Kind::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Instant,
            },
        }
    }
}
