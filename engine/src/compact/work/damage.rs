//! Sources that turn out damaged: they are looked at as a whole, and set aside if that is so.

use std::collections::BTreeMap;

use super::Compactor;
use crate::Result;
use crate::block::mark::{self, NoCompactMark, NoDownsampleMark};
use crate::block::{BlockId, BlockMeta, verify};

/// The reason on marks of damaged blocks.
pub(super) const DAMAGED: &str = "damaged";

impl Compactor {
    /// Verifies the blocks that a job found `damaged`, and marks those that are not to be compacted: the rest
    /// of their group goes on without them. A block that is sound after all was read badly once.
    pub(super) async fn set_aside(
        &self,
        damaged: BTreeMap<BlockId, String>,
        now: i64,
    ) -> Result<()> {
        for (block, reason) in damaged {
            let report = verify(&self.bucket, block).await?;
            let Some(problem) = report.problems.first() else { continue };
            tracing::error!(%block, reason, problem, "block is damaged and set aside");
            let folder = BlockMeta::folder(block);
            let details = format!("{problem} ({} problems)", report.problems.len());
            let no_compact = NoCompactMark::new(block, DAMAGED, &details, now);
            if mark::put(&self.bucket, &folder, &no_compact).await? {
                self.metrics.marked("no-compact-mark.json");
            }
            let no_downsample = NoDownsampleMark::new(block, DAMAGED, &details, now);
            if mark::put(&self.bucket, &folder, &no_downsample).await? {
                self.metrics.marked("no-downsample-mark.json");
            }
        }
        Ok(())
    }
}
