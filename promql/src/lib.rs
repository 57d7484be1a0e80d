//! PromQL, planned onto DataFusion.

pub mod query;
