//! StoreAPI: what Thanos' clients rely on, asked first of Thanos' own store, then of Stoa's store,
//! of a sidecar beside a real Prometheus, and of a querier over stores.

pub(crate) mod conformance;
pub(crate) mod endpoint;
mod frame;
mod histograms;
mod matching;
pub(crate) mod querier;
mod query_api;
mod refusals;
