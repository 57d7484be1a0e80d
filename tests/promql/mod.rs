//! PromQL against Prometheus' own engine.
//!
//! Both read the very same blocks: Prometheus 3.16 as they are, Stoa after it has uploaded them to a
//! bucket with `stoa tools bucket upload-blocks`, through the HTTP API of `stoa query`. Answers are
//! equal bit for bit; sums over series and transcendental functions may differ in the last digits,
//! because their order of addition and their libraries differ.

pub(crate) mod answer;
mod compare;
mod differential;
mod explain;
mod fuzz;
mod parsing;
pub(crate) mod prometheus;
mod promqltest;
mod queries;
mod stoa;
