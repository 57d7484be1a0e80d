//! Which series of both sides meet, as ids.

/// The key of a series that can meet nothing.
pub const NO_KEY: u32 = u32::MAX;

/// How many series of each side may be in one match group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// One of each side.
    OneToOne,
    /// Many of the left, one of the right (`group_left`).
    ManyToOne,
    /// One of the left, many of the right (`group_right`).
    OneToMany,
}

/// The match groups of an operation between two vectors, made at planning from the labels.
///
/// The *many side* is the left one, but with [`Cardinality::OneToMany`] the right one; the *one
/// side* is the other. Whether a group really has one series of the one side is decided a step at a
/// time, because series come and go.
///
/// ```text
/// a * on(pod) group_left(node) b        many side a, one side b
///
/// a: 0 {pod=x, c=1}  1 {pod=x, c=2}  2 {pod=z}      left_key   0 0 NO_KEY
/// b: 0 {pod=x, node=n}  1 {pod=x, node=m}           right_key  0 0
///                                                   one_class  0 1     (differ in node)
/// results: 0 {pod=x,c=1,node=n}  1 {…c=1,node=m}  2 {…c=2,node=n}  3 {…c=2,node=m}
///                                                   out_start  0 2 4
///                                                   out        0 1 2 3
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// The number of this operation in the plan, for [`crate::exec::fault::Fault`].
    pub operation: u32,
    /// How many of each side.
    pub cardinality: Cardinality,
    /// The match group of each left series, or [`NO_KEY`].
    pub left_key: Vec<u32>,
    /// The match group of each right series, or [`NO_KEY`].
    pub right_key: Vec<u32>,
    /// How many match groups there are.
    pub keys: u32,
    /// For each series of the one side: which of the results of its group's many-side series it
    /// makes (by the labels that `group_left(…)` copies; always 0 without).
    pub one_class: Vec<u32>,
    /// For each series of the many side: where its results begin in `out`.
    pub out_start: Vec<u32>,
    /// Result series: that of many-side series `m` with one-side series `o` is
    /// `out[out_start[m] + one_class[o]]`. Two entries may be equal: results of one label set.
    pub out: Vec<u32>,
    /// How many result series there are.
    pub outputs: u32,
    /// What stands for series that a group lacks.
    pub fill: Option<Fill>,
}

/// Numbers that stand for the series that a group lacks at a step (`fill`, `fill_left`, `fill_right`).
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// For one that the one side lacks.
    pub one: Option<f64>,
    /// For one that the many side lacks.
    pub many: Option<f64>,
    /// The result series of each series of the many side without a partner; empty if `one` is none.
    pub many_out: Vec<u32>,
    /// The result series of each series of the one side without a partner; empty if `many` is none.
    pub one_out: Vec<u32>,
}

impl Matching {
    /// The result series of many-side series `many` with one-side series `one`, which share a key.
    #[inline]
    pub fn result(&self, many: u32, one: u32) -> u32 {
        self.out[(self.out_start[many as usize] + self.one_class[one as usize]) as usize]
    }
}

/// A set operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
}

impl std::fmt::Display for SetOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        })
    }
}

/// The match groups of a set operator, made at planning from the labels.
///
/// ```text
/// a or on(pod) b
///
/// a: 0 {pod=x, c=1}  1 {pod=y}      left_key    0 1      left_out    0 1
/// b: 0 {pod=x}  1 {pod=y}           right_key   0 1      right_out   2 1   (labels equal to a's 1)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMatching {
    /// The match group of each left series.
    pub left_key: Vec<u32>,
    /// The match group of each right series; [`NO_KEY`] if no left series is in it.
    pub right_key: Vec<u32>,
    /// How many match groups there are.
    pub keys: u32,
    /// `or`: the result series of each left series; no two are equal. Else empty.
    pub left_out: Vec<u32>,
    /// `or`: the result series of each right series, which is that of a left one if their labels are
    /// equal. Else empty.
    pub right_out: Vec<u32>,
}
