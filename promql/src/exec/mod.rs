//! The operators, a folder each: `mod.rs` (what and why), `stream.rs` or files by phase (the
//! [`operator::Transform`]), `tests.rs`. Their arithmetic is in [`crate::functions`].
//!
//! | operator | from | to |
//! |---|---|---|
//! | [`window`] | runs | grid: instant selectors and range functions |
//! | [`subquery`] | grid | runs |
//! | [`aggregate`] | grid | grid of groups: sum, avg, … in two phases |
//! | [`cell`] | grid | grid: functions of a value |
//! | [`scalar`] | nothing, or a grid | a scalar |
//! | [`absent`] | grid | one series where there was none |
//! | [`sort`] | grid | the same in another order |
//! | [`repeat`] | grid of one step | grid: what is the same at every step |
//! | [`merge_series`] | grid | grid: series whose labels have become equal |
//! | [`binary`] | two grids, or a grid and a scalar | grid: arithmetic, comparisons, set operators |
//! | [`ordered_aggregate`] | grid | grid: topk, bottomk, quantile, count_values |
//! | [`info`] | two grids | grid: labels of info series |
//! | [`limit`] | grid | grid: limitk, limit_ratio |
//! | [`histogram_quantile`] | grid of buckets | grid of histograms |
//! | [`share`] | any | the same, read once for several readers |
//!
//! # Ids
//! A node's series are numbered `0..n`; the planner knows their labels. An operator that keeps its
//! input's series keeps their ids (labels may change: a dropped name is no work here). One that makes
//! other series (aggregation, binary operation) gets a table from the planner: group of each series,
//! [`binary::Matching`].
//!
//! # Scalars
//! A scalar is a grid with one series, id 0. Parameters are an [`Argument`]: a constant, or a side
//! input that is such a grid.

pub mod absent;
pub mod aggregate;
pub mod binary;
pub mod cell;
pub mod consumed;
pub mod fault;
pub mod grid;
pub mod histogram_quantile;
pub mod info;
pub mod limit;
pub mod merge_series;
pub mod notes;
pub mod operator;
pub mod ordered_aggregate;
pub mod repeat;
pub mod runs;
pub mod scalar;
pub mod share;
pub mod sort;
pub mod subquery;
pub mod window;

pub use argument::{Argument, ArgumentValues};

mod argument;
mod parameters;
#[cfg(test)]
mod testing;
