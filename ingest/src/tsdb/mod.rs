//! Reader of Prometheus' blocks (`tsdb/` of prometheus/prometheus): index, chunk segments,
//! tombstones and `meta.json`, in a folder or in a bucket.
//!
//! | module | holds |
//! |---|---|
//! | [`files`] | the one seam to storage: sizes and ranges of a block's files |
//! | [`meta`] | `meta.json` |
//! | [`index`] | index versions 1 and 2: table of contents, symbols, series, the list of all series |
//! | [`segment`] | chunk segments: framing and checksums |
//! | [`tombstones`] | deleted intervals |
//! | [`block`] | a block opened: its label table |
//! | [`scan`] | [`TsdbBlock::scan`] and [`TsdbBlock::read`] over its samples |
//!
//! # Invariants
//! - Parsers are pure functions on bytes. Whatever the bytes, they return an error that says what is
//!   wrong; the caller adds block, file and offset. No length from a file is believed before it is
//!   held against the bytes that are there.
//! - Every CRC32C that Prometheus wrote is checked before the bytes that it covers are used, except
//!   those of postings lists that nobody reads.
//! - Memory is bounded by the label table, one group of chunk lists and one window of chunks,
//!   whatever the block's size.

pub mod block;
mod chunks;
pub mod files;
pub mod index;
pub mod meta;
pub mod scan;
pub mod segment;
pub mod tombstones;

mod cursor;
mod sequential;
mod table;

pub use block::TsdbBlock;
pub use files::{BlockFiles, BucketBlock, LocalBlock};
pub use meta::TsdbMeta;
pub use scan::{Run, ScanCounts};
