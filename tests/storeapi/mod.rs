//! StoreAPI: what Thanos' clients rely on, asked first of Thanos' own store, then of Stoa's store,
//! of a sidecar beside a real Prometheus, and of a querier over stores.

mod conformance;
mod endpoint;
mod frame;
mod histograms;
mod matching;
mod querier;
mod query_api;
mod refusals;
