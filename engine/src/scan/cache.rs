//! Open blocks, kept in memory.

use std::sync::Arc;

use moka::future::Cache;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use super::pages::PageTable;
use super::windows::WindowTables;
use crate::block::schema::{histograms, samples};
use crate::block::{Block, BlockId, BlockMeta};
use crate::bucket::Bucket;
use crate::{Error, Result};

/// A block with its label index, and where the pages of its timestamps and values lie.
#[derive(Debug)]
pub struct OpenBlock {
    /// The block.
    pub block: Block,
    pub(super) ts: PageTable,
    /// Without pages in a downsampled block.
    pub(super) values: PageTable,
    /// The columns of windows; without pages in a raw block.
    pub(super) windows: WindowTables,
    pub(super) histogram_ts: PageTable,
    pub(super) histogram_sums: PageTable,
    /// Without pages where no sample has a start timestamp.
    pub(super) starts: PageTable,
    pub(super) histogram_starts: PageTable,
    /// How `histograms.parquet` is read; none if there is none.
    pub(super) histograms: Option<ArrowReaderMetadata>,
}

impl OpenBlock {
    async fn open(bucket: &Bucket, meta: Arc<BlockMeta>) -> Result<Self> {
        let block = Block::open(bucket, meta).await?;
        let is_raw = block.meta.thanos.downsample.resolution == 0;
        let windows = match &block.samples {
            Some(file) if !is_raw => WindowTables::new(file)?,
            _ => WindowTables::default(),
        };
        let (ts, values, starts) = match &block.samples {
            Some(file) if !is_raw => (
                PageTable::new::<i64>(file, samples::TS)?,
                PageTable::default(),
                PageTable::default(),
            ),
            Some(file) => (
                PageTable::new::<i64>(file, samples::TS)?,
                PageTable::new::<f64>(file, samples::VALUE)?,
                PageTable::optional::<i64>(file, samples::START_TS)?,
            ),
            None => Default::default(),
        };
        let (histogram_ts, histogram_sums, histogram_starts, histograms) = match &block.histograms {
            Some(file) => (
                PageTable::new::<i64>(file, histograms::TS)?,
                PageTable::new::<f64>(file, histograms::SUM)?,
                PageTable::optional::<i64>(file, histograms::START_TS)?,
                Some(file.arrow_metadata()?),
            ),
            None => Default::default(),
        };
        Ok(Self {
            block,
            ts,
            values,
            windows,
            histogram_ts,
            histogram_sums,
            starts,
            histogram_starts,
            histograms,
        })
    }

    fn memory_size(&self) -> usize {
        let tables = [
            &self.ts,
            &self.values,
            &self.histogram_ts,
            &self.histogram_sums,
            &self.starts,
            &self.histogram_starts,
        ];
        self.block.memory_size()
            + tables.map(PageTable::memory_size).iter().sum::<usize>()
            + self.windows.memory_size()
    }
}

/// Open blocks under a budget of bytes, each opened once however many ask for it at the same time.
#[derive(Debug, Clone)]
pub struct BlockCache {
    bucket: Bucket,
    blocks: Cache<BlockId, Arc<OpenBlock>>,
}

impl BlockCache {
    /// A cache of blocks in `bucket` that holds about `bytes` at most.
    pub fn new(bucket: Bucket, bytes: u64) -> Self {
        let blocks = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, block: &Arc<OpenBlock>| {
                u32::try_from(block.memory_size()).unwrap_or(u32::MAX)
            })
            .build();
        Self { bucket, blocks }
    }

    /// The bucket that it reads.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// The block, opened if it is not yet.
    pub async fn get(&self, meta: &Arc<BlockMeta>) -> Result<Arc<OpenBlock>> {
        if let Some(open) = self.blocks.get(&meta.ulid).await {
            return Ok(open);
        }
        let open = async { OpenBlock::open(&self.bucket, Arc::clone(meta)).await.map(Arc::new) };
        self.blocks
            .try_get_with(meta.ulid, open)
            .await
            .map_err(|e: Arc<Error>| e.as_ref().clone().context(format!("block {}", meta.ulid)))
    }
}
