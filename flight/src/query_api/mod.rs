//! Thanos' Query: PromQL over gRPC, for other queriers and for rulers (`pkg/api/query/grpc.go`).
//!
//! ```text
//! request ── checked ── the querier's way of a query ── answer ── frames
//! whole      with the   gate, time, own threads          value     warnings, series, statistics
//! seconds    flags
//! ```
//!
//! It is the same querier as behind HTTP, with the same limits. What is wrong in a request is
//! `InvalidArgument`; a query that fails is `Aborted`, as in Thanos, except that an instant query with
//! partial response then has the error as its warning and ends well.
//!
//! The plan that a distributed querier sends along is not read: the query's text says the same. The
//! statistics are zeros, as Thanos' own with its default engine.

mod answer;
mod request;
mod service;
#[cfg(test)]
mod tests;

pub use service::QueryService;
