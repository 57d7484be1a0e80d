//! All blocks of a bucket, before anything is left out: for people who look at one, and for the compactor.

use std::sync::Arc;

use super::{Catalog, Marks};
use crate::Result;
use crate::block::{BlockId, BlockMeta};

/// What is in a bucket.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The blocks whose `meta.json` is sound and whose objects are all there, by (min_time, id).
    pub blocks: Vec<Surveyed>,
    /// The blocks that exist but are not sound, by id.
    pub set_aside: Vec<Unsound>,
    /// The folders without `meta.json`: uploads or removals under way, or cut off.
    pub partial: Vec<Partial>,
}

/// A block of a [`Survey`].
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// What it is.
    pub meta: Arc<BlockMeta>,
    /// When its `meta.json` was written, in ms since 1970.
    pub uploaded: i64,
    /// Its marks.
    pub marks: Marks,
}

impl Surveyed {
    /// Whether it has a deletion mark, however fresh.
    pub fn is_marked(&self) -> bool {
        self.marks.deletion.is_some()
    }
}

/// A block that exists but is not sound.
#[derive(Debug, Clone)]
pub struct Unsound {
    /// The block.
    pub block: BlockId,
    /// What is wrong with it.
    pub reason: String,
    /// Its marks.
    pub marks: Marks,
}

/// The folder of a block that does not exist yet, or not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The block.
    pub block: BlockId,
    /// When the last of its objects was written, in ms since 1970.
    pub newest: i64,
    /// Whether it has a deletion mark: it was being removed.
    pub marked: bool,
    /// The names of its objects.
    pub objects: Vec<String>,
}

impl Catalog {
    /// Reads the bucket anew: every block, whatever its time, its marks and its sources. What queries read
    /// does not change. If anything cannot be read for now, that is an error: a survey is complete.
    ///
    /// Blocks that readers found damaged ([`Catalog::set_aside`]) are among those that are not sound.
    pub async fn survey(&self) -> Result<Survey> {
        let mut cache = self.syncing.lock().await;
        let known = self.read_all(&mut cache).await.map_err(|e| e.context("list the blocks"))?;
        let mut bad = known.bad;
        for (block, reason) in self.damaged() {
            if known.blocks.contains_key(&block) {
                bad.entry(block).or_insert(reason);
            }
        }
        let surveyed = |(id, meta): (BlockId, Arc<BlockMeta>)| Surveyed {
            meta,
            uploaded: known.uploaded.get(&id).copied().unwrap_or(i64::MAX),
            marks: cache.marks.get(&id).map(|(_, marks)| marks.clone()).unwrap_or_default(),
        };
        let sound = known.blocks.into_iter().filter(|(id, _)| !bad.contains_key(id));
        let mut blocks: Vec<Surveyed> = sound.map(surveyed).collect();
        blocks.sort_by_key(|block| (block.meta.min_time, block.meta.ulid));
        let unsound = |(block, reason)| {
            let marks = cache.marks.get(&block).map(|(_, marks)| marks.clone());
            Unsound { block, reason, marks: marks.unwrap_or_default() }
        };
        let set_aside = bad.into_iter().map(unsound).collect();
        Ok(Survey { blocks, set_aside, partial: known.partial })
    }
}
