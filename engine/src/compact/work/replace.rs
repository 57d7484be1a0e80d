//! A block takes the place of others: proven first, then committed, then the others are marked.

use std::sync::{Arc, PoisonError};

use super::Compactor;
use crate::block::{BlockId, BlockMeta};
use crate::catalog::{Catalog, CatalogSettings};
use crate::compact::group::GroupKey;
use crate::compact::log::{self, Lease};
use crate::compact::rewrite::read_back;
use crate::scan::BlockCache;
use crate::{Error, ErrorKind, Result};

impl Compactor {
    /// Marks `blocks`, all samples of which are in `by`, too; how many were marked. None if another process
    /// works on the group.
    pub(super) async fn replace_by(
        &self,
        by: &Arc<BlockMeta>,
        blocks: &[Arc<BlockMeta>],
        now: &(dyn Fn() -> i64 + Sync),
    ) -> Result<usize> {
        let replica_labels: &[String] = match by.thanos.downsample.resolution {
            0 => &self.settings.plan.replica_labels,
            _ => &[],
        };
        let group = GroupKey::of(by, replica_labels).to_string();
        let Some(lease) = log::acquire(&self.bucket, &group, &self.settings.holder, now()).await?
        else {
            return Ok(0);
        };
        self.prove(by).await?;
        let replaced: Vec<BlockId> = blocks.iter().map(|meta| meta.ulid).collect();
        self.commit_and_mark(lease, by.ulid, replaced, now).await
    }

    /// Says in the log that `by` has the samples of `replaced`, and marks these; how many were marked.
    pub(super) async fn commit_and_mark(
        &self,
        mut lease: Lease,
        by: BlockId,
        replaced: Vec<BlockId>,
        now: &(dyn Fn() -> i64 + Sync),
    ) -> Result<usize> {
        lease.commit(by, replaced.clone(), now()).await?;
        let mut marked = 0;
        for block in replaced {
            let details = "source of compacted block";
            marked += usize::from(self.mark(block, details, Some(by), now()).await?);
        }
        lease.release(now()).await?;
        Ok(marked)
    }

    /// Reads a block back, if this process has not yet: every sample of it must be what it was made with.
    pub(super) async fn prove(&self, meta: &Arc<BlockMeta>) -> Result<()> {
        if self.proven.lock().unwrap_or_else(PoisonError::into_inner).contains(&meta.ulid) {
            return Ok(());
        }
        let catalog = Arc::new(Catalog::new(self.bucket.clone(), CatalogSettings::default()));
        // Nothing that was read before may answer.
        let cache = BlockCache::new(self.bucket.clone(), 0);
        let dir = self.settings.dir.join(format!("proof-{}", meta.ulid));
        let folder = super::job::Folder::create(&dir)?;
        let context = self.context()?;
        let picks = self.pick_bytes();
        read_back(&catalog, &cache, meta, picks, folder.path(), &context).await.map_err(
            |error| {
                let what = format!("block {} is not what was written", meta.ulid);
                match error.kind() {
                    ErrorKind::Corrupt => Error::new(ErrorKind::Corrupt, what).with_source(error),
                    _ => error,
                }
            },
        )?;
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).insert(meta.ulid);
        Ok(())
    }
}
