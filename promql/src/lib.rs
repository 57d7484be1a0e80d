//! PromQL, planned onto DataFusion.

pub mod query;

mod evaluate;

pub use evaluate::Engine;
