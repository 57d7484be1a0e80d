//! Prometheus blocks: what Stoa reads, converts and ships, against what Prometheus' own reader says.

mod bad_blocks;
mod chunks;
mod converting;
pub(crate) mod dump;
mod dying_store;
pub(crate) mod native;
mod reading;
mod shipping;
