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
//! | `body`, `form`, `time` | parameters from URL and body, as Go reads them |
//! | `query` | `/query` and `/query_range` |
//! | `explain` | their plans |
//! | [`active`] | the queries that run, in a file |
//! | `evaluate` | the way of a query, whoever asks |
//! | `downsampling` | which resolutions may answer them |
//! | `metadata` | `/series`, `/labels`, `/label/…/values` |
//! | `read` | remote read |
//! | `fanned` | rules, alerts, targets, metadata, exemplars, statistics of all endpoints; the endpoints |
//! | `status` | build info, flags, probes, metrics |
//! | [`component`] | the routes of a role that answers no queries over HTTP |
//! | [`json`] | the answers' text |
//! | [`server`] | connections, and how they end |

pub mod active;
mod body;
pub mod component;
mod downsampling;
pub(crate) mod error;
mod evaluate;
mod explain;
mod fanned;
mod form;
mod gate;
mod instrument;
pub mod json;
mod metadata;
pub mod process;
pub mod querier;
pub(crate) mod query;
mod read;
pub mod readiness;
mod selector;
pub mod server;
pub mod settings;
mod status;
mod syntax;
mod time;

pub use active::ActiveQueries;
pub use querier::{Querier, router};
pub use readiness::Readiness;
pub use settings::{PartialResponses, Settings};
