//! PromQL, planned onto DataFusion.

pub mod exec;
pub mod functions;
pub mod query;

mod evaluate;

pub use evaluate::Engine;
