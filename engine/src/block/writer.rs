//! Writes a block: runs of samples in block order become Parquet files in a local folder, row group
//! by row group, in bounded memory.

use std::path::Path;
use std::sync::Arc;

use super::meta::Compaction;
use super::{BlockId, BlockMeta};
use crate::model::{Histogram, LabelTable, Labels};
use crate::{Error, Result};

/// What a block is, before any sample is seen.
#[derive(Debug, Clone)]
pub struct BlockSettings {
    /// The block's id, usually [`super::id()`].
    pub ulid: BlockId,
    /// Labels that all its series have besides their own.
    pub external_labels: Labels,
    /// Who makes it, as in `thanos.source`: `sidecar`, `bucket.upload`, …
    pub source: String,
    /// Milliseconds a downsampled window; 0 is raw.
    pub resolution_ms: i64,
    /// The earliest time in ms.
    pub min_time: i64,
    /// The end in ms, not part of the block.
    pub max_time: i64,
    /// The length of a time bucket inside the samples' order, in ms.
    pub bucket_ms: i64,
    /// Its ancestry.
    pub compaction: Compaction,
}

/// Streams sorted runs into the files of a block.
///
/// Calls come in block order: for each metric, for each time bucket, for each series ascending; a
/// run may be given in several calls. Anything else is an
/// [`Invalid`](crate::ErrorKind::Invalid) error, after which the writer is not to be used.
#[derive(Debug)]
pub struct BlockWriter {
    settings: BlockSettings,
}

impl BlockWriter {
    /// A writer into the existing folder `dir`, for series that are the rows of `table`, which are in
    /// block order ([`super::order::sort`]) and distinct.
    pub fn create(dir: &Path, settings: BlockSettings, table: Arc<LabelTable>) -> Result<Self> {
        let _ = (dir, table);
        Ok(Self { settings })
    }

    /// The number of the time bucket of `ts`, counted from the block's first. Buckets lie on
    /// multiples of `bucket_ms` since 1970.
    pub fn bucket_of(&self, ts: i64) -> u32 {
        let bucket_ms = self.settings.bucket_ms;
        (ts.div_euclid(bucket_ms) - self.settings.min_time.div_euclid(bucket_ms)) as u32
    }

    /// Appends float samples of one series inside one time bucket: `ts` strictly ascending and in the
    /// block's range, one value each. `start_ts` has one start timestamp each, 0 where there is none.
    pub fn floats(
        &mut self,
        series_ref: u32,
        ts: &[i64],
        values: &[f64],
        start_ts: Option<&[i64]>,
    ) -> Result<()> {
        let _ = (series_ref, ts, values, start_ts);
        Err(Error::unsupported("block writer"))
    }

    /// Appends native histogram samples of one series inside one time bucket; else as
    /// [`Self::floats`].
    pub fn histograms(
        &mut self,
        series_ref: u32,
        ts: &[i64],
        start_ts: Option<&[i64]>,
        histograms: &[Histogram],
    ) -> Result<()> {
        let _ = (series_ref, ts, start_ts, histograms);
        Err(Error::unsupported("block writer"))
    }

    /// Ends the files, writes `series.parquet` and `meta.json`, and returns the latter's content. A
    /// series of the table without any sample is in the block with `n_samples` 0.
    pub fn finish(self) -> Result<BlockMeta> {
        Err(Error::unsupported("block writer"))
    }
}
