//! All blocks of a bucket, before anything is left out: for people who look at one.

use std::sync::Arc;

use super::{Cache, Catalog, SetAside};
use crate::Result;
use crate::block::{BlockId, BlockMeta};

/// What is in a bucket.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The blocks whose `meta.json` is sound and whose objects are all there, by (min_time, id).
    pub blocks: Vec<Surveyed>,
    /// The blocks that exist but are not sound, by id.
    pub set_aside: Vec<SetAside>,
    /// How many folders have no `meta.json`: uploads or removals under way, or cut off.
    pub no_meta: usize,
}

/// A block of a [`Survey`].
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// What it is.
    pub meta: Arc<BlockMeta>,
    /// Whether it has a deletion mark, however fresh.
    pub marked: bool,
}

impl Catalog {
    /// Reads the bucket anew: every block, whatever its time, its marks and its sources. What the
    /// catalog itself knows does not change.
    pub async fn survey(&self) -> Result<Survey> {
        let mut cache = Cache::default();
        let known = self.read_all(&mut cache).await.map_err(|e| e.context("list the blocks"))?;
        let marked = |id: &BlockId| cache.marks.get(id).is_some_and(Option::is_some);
        let mut blocks: Vec<Surveyed> = known
            .blocks
            .into_iter()
            .map(|(id, meta)| Surveyed { meta, marked: marked(&id) })
            .collect();
        blocks.sort_by_key(|block| (block.meta.min_time, block.meta.ulid));
        let set_aside =
            known.bad.into_iter().map(|(block, reason)| SetAside { block, reason }).collect();
        Ok(Survey { blocks, set_aside, no_meta: known.no_meta })
    }
}
