//! Stoa's own syntax tree of PromQL: what a query means, without how it was written.
//!
//! Parentheses are gone, durations and times are milliseconds, patterns are compiled, and every
//! selector has a number, under which planning finds its series. Places in the text (bytes from its
//! beginning) are kept where annotations name them.

mod operator;
mod text;
mod types;

use engine::model::Matcher;

pub use operator::{AggregateOp, BinaryOp};
pub use text::Text;
pub use types::ValueType;

/// The `@` modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// `@ 1.5`, in ms.
    Time(i64),
    /// `@ start()`: the first step of the whole query, also inside subqueries.
    Start,
    /// `@ end()`: the end of the whole query.
    End,
}

/// A vector selector, without the range.
#[derive(Debug, Clone)]
pub struct Selector {
    /// Its number in the query.
    pub id: usize,
    /// All must accept a series; the metric's name is among them.
    pub matchers: Vec<Matcher>,
    /// `offset` in ms; negative looks ahead.
    pub offset: i64,
    /// `@`.
    pub at: Option<At>,
    /// `anchored` or `smoothed`.
    pub extended: Option<Extended>,
    /// Whether only counts and sums of its histograms matter.
    pub totals_only: bool,
    /// Its place in the text.
    pub place: usize,
}

/// How far a selector looks beyond its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// Back to the sample before the range.
    Anchored,
    /// Back to the sample before the range, for an hour: ranges of Thanos' `xrate` and its kin.
    Before,
    /// To the samples before and behind it, with values between them interpolated.
    Smoothed,
}

/// A subquery: `expr[range:step]`.
#[derive(Debug, Clone)]
pub struct Subquery {
    /// What is evaluated at each step.
    pub expr: Expr,
    /// The range in ms, positive.
    pub range: i64,
    /// The step in ms, positive; none means the default.
    pub step: Option<i64>,
    /// `offset` in ms.
    pub offset: i64,
    /// `@`.
    pub at: Option<At>,
}

/// A function call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The function's name.
    pub function: &'static str,
    /// Its arguments, as many and of the types that the function takes.
    pub args: Vec<Expr>,
    /// The type of its value.
    pub returns: ValueType,
    /// Its place in the text.
    pub place: usize,
    /// The places of its arguments.
    pub places: Vec<usize>,
}

/// `by (…)` or `without (…)`; neither is `by ()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    /// Whether the labels are those that are removed.
    pub without: bool,
    /// The labels, sorted, each once.
    pub labels: Vec<String>,
}

/// An aggregation.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// The vector that is aggregated.
    pub expr: Expr,
    /// The k of topk, the φ of quantile, the label of count_values.
    pub param: Option<Expr>,
    /// The groups.
    pub grouping: Grouping,
    /// Its place in the text.
    pub place: usize,
    /// The place of the vector.
    pub expr_place: usize,
    /// The place of the parameter.
    pub param_place: usize,
}

/// How the sides of a binary operation between vectors meet.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorMatching {
    /// `on (…)` rather than `ignoring (…)`.
    pub on: bool,
    /// The labels of `on` or `ignoring`, sorted, each once.
    pub labels: Vec<String>,
    /// Which side may have many series in a group.
    pub many: Many,
    /// The labels that `group_left (…)` or `group_right (…)` copies from the one side.
    pub include: Vec<String>,
    /// The numbers that stand for series that the left, and the right, side lacks.
    pub fill: [Option<f64>; 2],
}

/// Which side of a binary operation may have many series in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Many {
    /// None: one-to-one.
    Neither,
    /// `group_left`.
    Left,
    /// `group_right`.
    Right,
    /// Both: set operators.
    Both,
}

/// A binary operation.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
    /// `bool`: a comparison gives 0 or 1 instead of filtering.
    pub bool: bool,
    /// How series meet; meaningless unless both sides are vectors.
    pub matching: VectorMatching,
    /// Its place in the text.
    pub place: usize,
}

/// An expression.
#[derive(Debug, Clone)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// A string.
    Text(Text),
    /// An instant vector selector.
    Instant(Selector),
    /// A range vector selector and its range in ms, positive.
    Range(Selector, i64),
    /// A subquery.
    Subquery(Box<Subquery>),
    /// A function call.
    Call(Call),
    /// An aggregation.
    Aggregate(Box<Aggregate>),
    /// A binary operation.
    Binary(Box<Binary>),
    /// Unary minus.
    Negate(Box<Expr>),
}

impl Expr {
    /// The expressions right below.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Instant(_) | Self::Range(..) => Vec::new(),
            Self::Subquery(subquery) => vec![&subquery.expr],
            Self::Call(call) => call.args.iter().collect(),
            Self::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.expr]).collect(),
            Self::Binary(binary) => vec![&binary.left, &binary.right],
            Self::Negate(inner) => vec![inner],
        }
    }
}
