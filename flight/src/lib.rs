//! Everything on the wire: the HTTP API of the querier and its page.
//!
//! | module | holds |
//! |---|---|
//! | [`http`] | Prometheus' HTTP API v1 with Thanos' parameters, probes and metrics |
//! | [`prometheus`] | one Prometheus' rules, targets, metadata, exemplars, statistics over gRPC |
//! | [`ui`] | the page at `/`: a form for queries, as embedded files |
//!
//! # Architecture invariants
//! - Wire types stay here; what comes in is a `QueryRequest` or matchers, what goes out an answer.
//! - Nothing here knows blocks or buckets: samples come from a `SeriesSource`.

pub mod http;
pub mod prometheus;
pub mod ui;
