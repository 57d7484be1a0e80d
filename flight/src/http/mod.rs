//! The HTTP server of a querier: Prometheus' API v1 with Thanos' parameters.
//!
//! ```text
//! connection ── server ── instrument ── cors, gzip ── form ── query / metadata ── json::answer
//!                  │           │                                    │
//!               drains      counts                        gate, timeout, own runtime
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`settings`] | what the flags say |
//! | [`querier`] | what the handlers share; the routes |
//! | `form`, `time` | parameters from URL and body, as Go reads them |
//! | `query` | `/query` and `/query_range` |
//! | `metadata` | `/series`, `/labels`, `/label/…/values` |
//! | `fanned` | rules, alerts, targets, metadata, exemplars, statistics of all endpoints; the endpoints |
//! | `status` | build info, flags, probes, metrics |
//! | [`component`] | the routes of a role that answers no queries over HTTP |
//! | [`json`] | the answers' text |
//! | [`server`] | connections, and how they end |

pub mod component;
mod error;
mod explain;
mod fanned;
mod form;
mod gate;
mod instrument;
pub mod json;
mod metadata;
pub mod process;
pub mod querier;
mod query;
pub mod readiness;
mod selector;
pub mod server;
pub mod settings;
mod status;
mod time;

pub use querier::{Querier, router};
pub use readiness::Readiness;
pub use settings::{PartialResponses, Settings};
