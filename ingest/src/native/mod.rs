//! Blocks of Prometheus and Thanos at a bucket's top level, read in place.
//!
//! ```text
//! NativeCatalog::sync ─▶ NativeSource a block (a SeriesSource) ─▶ TsdbBlock, opened once a budget
//!                                                                   └─▶ BlockingExec: run batches
//! ```
//!
//! A block is its own source; whoever asks merges blocks and replicas. What a block of Stoa holds
//! already is left out, so that each range of a conversion under way is answered once.

mod catalog;
mod damage;
mod files;
mod open;
mod source;

pub use catalog::NativeCatalog;
pub use source::NativeSource;
