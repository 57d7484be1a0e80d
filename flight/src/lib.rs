//! Everything on the wire: the HTTP API of the querier and its page, and Thanos' gRPC services.
//!
//! | module | holds |
//! |---|---|
//! | [`endpoints`] | the endpoints of a querier: discovery, health, connections |
//! | [`grpc`] | the gRPC server that every role stands its services in |
//! | [`http`] | Prometheus' HTTP API v1 with Thanos' parameters, probes and metrics |
//! | [`prometheus`] | one Prometheus' rules, targets, metadata, exemplars, statistics over gRPC |
//! | [`query_api`] | Thanos' Query: PromQL over gRPC |
//! | [`runs`] | samples between Stoa nodes, over Arrow Flight |
//! | `sharded` | a shard of a source |
//! | [`storeapi`] | Thanos' StoreAPI |
//! | [`ui`] | the page at `/`: a form for queries, as embedded files |
//!
//! # Architecture invariants
//! - Wire types stay here; what comes in is a `QueryRequest` or matchers, what goes out an answer.
//! - Nothing here knows blocks or buckets: samples come from a `SeriesSource`.

pub mod endpoints;
pub mod grpc;
pub mod http;
pub mod prometheus;
pub mod query_api;
pub mod runs;
mod sharded;
pub mod storeapi;
pub mod ui;
