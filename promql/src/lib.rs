//! PromQL, planned onto DataFusion.
//!
//! | module | holds |
//! |---|---|
//! | [`parse`], [`ast`] | text to a syntax tree of our own |
//! | `plan` | the tree to a physical plan; all that depends on labels |
//! | [`exec`] | the operators, on ids and columns |
//! | [`functions`] | their arithmetic, on slices |
//! | [`query`], [`Engine`] | what a query asks, and its way |

pub mod ast;
pub mod exec;
pub mod functions;
pub mod parse;
pub mod query;

mod evaluate;
mod plan;
mod runtime;

pub use evaluate::{Engine, EngineSettings};
