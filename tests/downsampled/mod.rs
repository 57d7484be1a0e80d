//! Downsampled samples: blocks that Thanos' compactor code makes, served by Thanos' store code, asked
//! through `stoa query` and through Thanos' querier code. What both make of them after dedup by penalty
//! is equal, bit for bit. Windows that Stoa makes itself are held against Thanos' windows, and asked for in
//! the same ways.

mod answers;
mod kernels;
pub(crate) mod place;
mod questions;
mod windows;
