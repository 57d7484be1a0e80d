//! The block: open Parquet columns of the series and samples of one time range and one set of
//! external labels, as `engine/docs/format.md` describes them.

pub mod meta;

pub use meta::{BlockId, BlockMeta};
