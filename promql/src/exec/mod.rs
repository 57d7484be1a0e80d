//! The operators, a folder each: `mod.rs` (what and why), `algo.rs` (pure, on slices), `stream.rs`
//! (the [`operator::Transform`]), `tests.rs`.
//!
//! | operator | from | to |
//! |---|---|---|
//! | [`instant_select`] | runs | grid: the newest sample of each lookback window |
//! | [`share`] | any | the same, read once for several readers |
//!
//! # Ids
//! A node's series are numbered `0..n`; the planner knows their labels. An operator
//! that keeps its input's series keeps their ids (labels may change: a dropped name is no work here).
//! One that makes other series (aggregation, binary operation) gets a table from the planner: group
//! of each series, [`binary::Matching`].
//!
//! # Scalars
//! A scalar is a grid with one series, id 0. Parameters are an [`Argument`]: a constant, or a side
//! input that is such a grid.

pub mod binary;
pub mod fault;
pub mod grid;
pub mod instant_select;
pub mod operator;
pub mod runs;
pub mod share;

pub use argument::{Argument, ArgumentValues};

mod argument;
