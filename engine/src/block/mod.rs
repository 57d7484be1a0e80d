//! The block: open Parquet columns of the series and samples of one time range and one set of
//! external labels, as `engine/docs/format.md` describes them.
//!
//! | module | holds |
//! |---|---|
//! | [`meta`] | `meta.json` |
//! | [`mark`] | Thanos' marks on a block |
//! | [`metadata`] | type, unit and help of the metrics |
//! | [`id`] | the deterministic block id |
//! | [`schema`] | names, types and field ids of the columns of each file |
//! | [`order`] | the order of series, fixed by the format's version |
//! | [`histogram`] | native histograms as columns, both ways |
//! | [`writer`] | sorted runs to files, streamed |
//! | [`reader`] | files to a label index and checked byte ranges |
//! | [`digest`] | the order-free digest of all samples |
//! | [`verify`] | re-reads a block and names all that is wrong with it |

mod columns;
pub mod digest;
mod encode;
pub mod histogram;
pub mod id;
pub mod mark;
pub mod meta;
pub mod metadata;
pub mod order;
pub mod reader;
pub mod schema;
pub mod verify;
pub mod writer;

pub use digest::Digest;
pub use id::id;
pub use meta::{BlockId, BlockMeta};
pub use metadata::MetricMetadata;
pub use reader::{Block, FileReader, Run, SeriesIndex};
pub use verify::{VerifyReport, verify};
pub use writer::{BlockSettings, BlockWriter, COMPACTOR};

use crate::Error;

/// An error of the Parquet crate, Arrow or the file system where only a bug or a full disk can be the
/// cause: while writing.
fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(crate::ErrorKind::Unavailable, "write block").with_source(error)
}
