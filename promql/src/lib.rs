//! PromQL, planned onto DataFusion.

pub mod ast;
pub mod exec;
pub mod functions;
pub mod parse;
pub mod query;

mod evaluate;

pub use evaluate::Engine;
