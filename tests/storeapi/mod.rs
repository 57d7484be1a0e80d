//! StoreAPI: what Thanos' clients rely on, asked first of Thanos' own store, then of Stoa's.

mod conformance;
mod endpoint;
mod frame;
mod histograms;
mod matching;
mod querier;
mod refusals;
