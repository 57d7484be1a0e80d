//! Blocks whose data lie in a bigger block too: a compacted block and its sources are both in the
//! bucket for a while, and only one of them is read (Thanos `block.DefaultDeduplicateFilter`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::block::meta::{BlockId, BlockMeta};
use crate::compact::group::DEDUPED;

/// The sources of a block; a block that names none is its own source.
pub(crate) fn sources(meta: &BlockMeta) -> HashSet<BlockId> {
    match meta.compaction.sources.as_slice() {
        [] => HashSet::from([meta.ulid]),
        sources => sources.iter().copied().collect(),
    }
}

/// Whether a block with the external labels `labels` may be made of one with the labels `source`: it has none
/// that the source lacks, since replicas that are made one lose the labels that told them apart, or it has
/// the one label of a group that has no other ([`GroupKey`](crate::compact::group::GroupKey)).
pub fn may_be_of(labels: &BTreeMap<String, String>, source: &BTreeMap<String, String>) -> bool {
    let deduped = labels.len() == 1 && labels.get(DEDUPED.0).is_some_and(|v| v == DEDUPED.1);
    deduped || labels.iter().all(|(name, value)| source.get(name) == Some(value))
}

/// For each of `blocks` the one that covers it, if there is one: of the same resolution, with all its
/// sources and times, and external labels that its own may have become ([`may_be_of`]).
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
            let other_meta = &blocks[other];
            may_be_of(&other_meta.thanos.labels, &meta.thanos.labels)
                && own[at].is_subset(&own[other])
                && other_meta.min_time <= meta.min_time
                && meta.max_time <= other_meta.max_time
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
