//! Blocks of Prometheus and Thanos at a bucket's top level, read in place.
//!
//! ```text
//! NativeCatalog::sync ─▶ NativeSource a block (a SeriesSource) ─▶ TsdbBlock, opened once a budget
//!                                                                   ├─▶ BlockingExec: run batches
//!                                                                   └─▶ chunks as they are, a part at
//!                                                                       a time: sent on, or PiecesExec
//! ```
//!
//! Raw samples become run batches, unless Thanos' rule chooses among their chunks or a counter's total
//! begins with them; downsampled ones are read chunk by chunk.
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
