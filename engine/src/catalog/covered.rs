//! Blocks whose data lie in a bigger block too: a compacted block and its sources are both in the
//! bucket for a while, and only one of them is read (Thanos `block.DefaultDeduplicateFilter`).

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::block::meta::{BlockId, BlockMeta};

/// The sources of a block; a block that names none is its own source.
pub(crate) fn sources(meta: &BlockMeta) -> HashSet<BlockId> {
    match meta.compaction.sources.as_slice() {
        [] => HashSet::from([meta.ulid]),
        sources => sources.iter().copied().collect(),
    }
}

/// For each of `blocks` the one that covers it, if there is one: of the same resolution, with all its
/// sources, and with no external label that it lacks (a block made of replicas has no replica labels).
/// Of blocks with equal sources and labels the one with the smallest id covers the others. Who covers
/// is not covered itself. Blocks of other sources stay, however their data overlap.
pub(crate) fn covered(blocks: &[Arc<BlockMeta>]) -> Vec<Option<usize>> {
    let own: Vec<HashSet<BlockId>> = blocks.iter().map(|meta| sources(meta)).collect();
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&at| {
        let meta = &blocks[at];
        (Reverse(own[at].len()), meta.thanos.labels.len(), meta.ulid)
    });
    // Of each resolution: the kept blocks that have a source.
    let mut kept: HashMap<(i64, BlockId), Vec<usize>> = HashMap::new();
    let mut by = vec![None; blocks.len()];
    for at in order {
        let meta = &blocks[at];
        let resolution = meta.thanos.downsample.resolution;
        let covers = |&other: &usize| {
            let labels = &blocks[other].thanos.labels;
            let has = |(name, value)| meta.thanos.labels.get(name) == Some(value);
            labels.iter().all(has) && own[at].is_subset(&own[other])
        };
        // A block that covers this one has each of its sources, so also any one of them.
        let any = own[at].iter().next();
        let candidates = any.and_then(|source| kept.get(&(resolution, *source)));
        by[at] = candidates.and_then(|candidates| candidates.iter().copied().find(covers));
        if by[at].is_none() {
            for &source in &own[at] {
                kept.entry((resolution, source)).or_default().push(at);
            }
        }
    }
    by
}

/// The blocks that no other one covers, and how many others there were.
pub(super) fn drop_covered(blocks: Vec<Arc<BlockMeta>>) -> (Vec<Arc<BlockMeta>>, usize) {
    let by = covered(&blocks);
    let before = blocks.len();
    let kept: Vec<Arc<BlockMeta>> =
        blocks.into_iter().zip(by).filter(|(_, by)| by.is_none()).map(|(meta, _)| meta).collect();
    let dropped = before - kept.len();
    (kept, dropped)
}
