//! Which blocks exist, and which are set aside.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;

use crate::Result;
use crate::block::BlockMeta;
use crate::block::meta::BlockId;
use crate::bucket::Bucket;
use crate::model::TimeRange;

/// What a catalog takes for granted.
#[derive(Debug, Clone)]
pub struct CatalogSettings {
    /// How many `meta.json` are read at once (`--block-meta-fetch-concurrency`).
    pub concurrency: usize,
    /// How long after its deletion mark a block is still read (`--ignore-deletion-marks-delay`).
    pub ignore_deletion_marks_delay: Duration,
    /// Only blocks that overlap this range are kept (`--min-time`, `--max-time`).
    pub range: TimeRange,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        Self {
            concurrency: 32,
            ignore_deletion_marks_delay: Duration::from_secs(24 * 3600),
            range: TimeRange::ALL,
        }
    }
}

/// A block that is not read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The block.
    pub block: BlockId,
    /// Why, for warnings and logs.
    pub reason: String,
}

/// The blocks at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The blocks to read, by (min_time, id).
    pub blocks: Vec<Arc<BlockMeta>>,
    /// The blocks that exist but cannot be read.
    pub set_aside: Vec<SetAside>,
}

/// The metrics of a catalog, by Thanos' names.
#[derive(Debug, Clone, Default)]
pub struct CatalogMetrics {}

impl CatalogMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(_registry: &mut Registry) -> Self {
        Self::default()
    }
}

/// The list of blocks, kept up to date by [`Catalog::sync`].
#[derive(Debug)]
pub struct Catalog {
    bucket: Bucket,
}

impl Catalog {
    /// A catalog of the blocks in `bucket`, empty until the first sync.
    pub fn new(bucket: Bucket, _settings: CatalogSettings) -> Self {
        Self { bucket }
    }

    /// The same catalog, counting into `metrics`.
    #[must_use]
    pub fn with_metrics(self, _metrics: CatalogMetrics) -> Self {
        self
    }

    /// Lists the bucket and replaces the snapshot. After an incomplete listing the old one stays.
    pub async fn sync(&self) -> Result<()> {
        self.bucket.list_dirs(crate::bucket::BLOCKS_PREFIX).await.map(|_| ())
    }

    /// Whether a sync has succeeded.
    pub fn is_ready(&self) -> bool {
        false
    }

    /// The blocks of the last successful sync.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::default()
    }

    /// Takes a damaged block out of the snapshot; it stays out.
    pub fn set_aside(&self, _block: BlockId, _reason: &str) {}
}
