//! Native blocks, opened and kept in memory.

use std::sync::Arc;

use engine::bucket::Bucket;
use engine::{Error, Result};
use moka::future::Cache;

use super::files::HeldIndex;
use crate::tsdb::{BucketBlock, TsdbBlock};

/// An open block and the bytes that it takes.
#[derive(Debug, Clone)]
struct Open {
    block: Arc<TsdbBlock>,
    bytes: u32,
}

/// Open native blocks under a budget of bytes, each opened once however many ask at the same time.
#[derive(Debug, Clone)]
pub(super) struct OpenBlocks {
    bucket: Bucket,
    blocks: Cache<String, Open>,
}

impl OpenBlocks {
    /// The native blocks of `bucket`; about `bytes` of them stay open.
    pub(super) fn new(bucket: Bucket, bytes: u64) -> Self {
        let blocks = Cache::builder().max_capacity(bytes).weigher(|_, open: &Open| open.bytes);
        Self { bucket, blocks: blocks.build() }
    }

    /// The block called `id`, opened if it is not yet.
    pub(super) async fn get(&self, id: String) -> Result<Arc<TsdbBlock>> {
        if let Some(open) = self.blocks.get(&id).await {
            return Ok(open.block);
        }
        let open = self.blocks.try_get_with(id.clone(), self.open(&id)).await;
        open.map(|open| open.block).map_err(|e: Arc<Error>| e.as_ref().clone())
    }

    async fn open(&self, id: &str) -> Result<Open> {
        let files = BucketBlock::open(&self.bucket, id).await?;
        blocking(move || {
            let files = HeldIndex::read(files)?;
            let index = files.memory_size();
            let block = TsdbBlock::open(Arc::new(files))?;
            let bytes = index + block.memory_size();
            Ok(Open { block: Arc::new(block), bytes: u32::try_from(bytes).unwrap_or(u32::MAX) })
        })
        .await
    }
}

/// Runs `work` on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("reading a native block").with_source(e))?
}
