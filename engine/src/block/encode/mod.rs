//! Column chunks made page by page, without a row in between.
//!
//! The stock writer of the Parquet crate encodes value by value and knows one encoding a file. Here
//! `metric`, `series_ref` and `series_id` come straight from the runs, timestamps and values from
//! slices, each page in the encoding that is smallest for it; and the CRC32C of each page is taken
//! where its bytes are still warm.
//!
//! All pages are data pages of version 1, and every encoding used is read by Spark, DuckDB, Polars,
//! pyarrow and DataFusion.

mod chunk;
mod delta;
mod hybrid;
mod numbers;
mod runs;
mod split;
mod zstd;

pub(super) use chunk::Chunk;
pub(super) use numbers::{OptionalTimes, Times, Values};
pub(super) use runs::{EntryRun, Pruning, run_chunk};
pub(super) use zstd::Zstd;
