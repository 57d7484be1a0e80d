//! Blocks whose data lie in a bigger block too: a compacted block and its sources are both in the
//! bucket for a while, and only one of them is read (Thanos `block.DefaultDeduplicateFilter`).

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::block::meta::{BlockId, BlockMeta};

/// The sources of a block; a block that names none is its own source.
fn sources(meta: &BlockMeta) -> HashSet<BlockId> {
    match meta.compaction.sources.as_slice() {
        [] => HashSet::from([meta.ulid]),
        sources => sources.iter().copied().collect(),
    }
}

/// Keeps of each group (resolution, external labels) the blocks whose sources are not all inside one
/// kept block; of blocks with equal sources the one with the smallest id. Returns the kept ones and
/// how many were dropped. Blocks of other sources stay, however their data overlap.
pub(super) fn drop_covered(mut blocks: Vec<Arc<BlockMeta>>) -> (Vec<Arc<BlockMeta>>, usize) {
    let before = blocks.len();
    blocks.sort_by_cached_key(|meta| (Reverse(sources(meta).len()), meta.ulid));
    let mut groups: HashMap<_, HashMap<BlockId, Vec<usize>>> = HashMap::new();
    let mut kept: Vec<(Arc<BlockMeta>, HashSet<BlockId>)> = Vec::new();
    for meta in blocks {
        let own = sources(&meta);
        let key = (
            meta.thanos.downsample.resolution,
            meta.thanos.labels.iter().map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>(),
        );
        let group = groups.entry(key).or_default();
        // A block that covers this one has each of its sources, so also any one of them.
        let covered = own
            .iter()
            .next()
            .and_then(|source| group.get(source))
            .is_some_and(|candidates| candidates.iter().any(|&at| own.is_subset(&kept[at].1)));
        if !covered {
            for &source in &own {
                group.entry(source).or_default().push(kept.len());
            }
            kept.push((meta, own));
        }
    }
    let dropped = before - kept.len();
    (kept.into_iter().map(|(meta, _)| meta).collect(), dropped)
}
