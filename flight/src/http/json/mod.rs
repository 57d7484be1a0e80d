//! Prometheus' JSON, to the byte, written without a tree of values in between.
//!
//! | module | holds |
//! |---|---|
//! | [`number`] | sample values, scalars and times as Go prints them |
//! | [`duration`] | durations as Go prints them |
//! | [`stats`] | what a query took |
//! | [`text`] | strings and label sets, with the three escapings that Prometheus mixes |
//! | [`answer`] | a whole answer as a stream of chunks: envelope, result, warnings |

pub mod answer;
pub mod duration;
mod histogram;
pub mod number;
pub mod stats;
pub mod text;

pub use answer::{Answer, Payload};
