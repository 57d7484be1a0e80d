//! Thanos' Store and Info services over any [`SeriesSource`].
//!
//! ```text
//! request ── checked ── resolve ── series in Thanos' order ── slices ── runs ── chunks ── frames
//!                                  labels held and sorted     some      decoded  XOR or  streamed
//!                                                             series    columns  histo-
//!                                                             each               grams,
//!                                                                                cut anew
//! ```
//!
//! Thanos' clients rely on one order: label sets ascend, names compared before values, external
//! labels in and replica labels out (`pkg/store/proxy_merge.go`). A source has another. So the labels
//! of the answer are sorted first, and the samples are read in slices of that order: what is held of
//! them is a slice, encoded, whatever the length of the answer.
//!
//! | module | holds |
//! |---|---|
//! | [`service`] | the three methods of Store |
//! | `request` | what a request may say |
//! | `roster` | the series of an answer, in order |
//! | `slices` | which of them are read together, and reading them |
//! | `chunks` | runs to chunks |
//! | `relay` | chunks that are sent on as they are kept |
//! | `frames` | series to messages |
//! | `answer` | the stream of an answer, from its first warning to its last series |
//! | `shard` | which series belong to a shard |
//! | [`info`] | Info |
//! | `failure` | errors as gRPC status |

mod answer;
pub(crate) mod chunks;
pub(crate) mod failure;
mod frames;
pub mod info;
mod relay;
pub(crate) mod request;
pub(crate) mod roster;
pub mod service;
pub(crate) mod shard;
pub(crate) mod slices;
#[cfg(test)]
mod tests;

pub use datafusion::execution::TaskContext;
pub use info::{InfoService, InfoSettings};
pub use service::{StoreService, StoreSettings, memory_limited};
