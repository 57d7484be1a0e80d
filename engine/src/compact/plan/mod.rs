//! What is to be done in a bucket: a pure function of its blocks and the time.
//!
//! ```text
//! raw     00-02 02-04 … 22-24   ──day ended──▶  a day      (late blocks are merged into it)
//! 5m      a day   a day   …     ──month ended─▶  a month
//! 1h      a day   a day   …     ──month ended─▶  a month
//!
//! a raw day, all of it older than 40 h  ──▶  5m          5m, all of it older than 10 d  ──▶  1h
//! ```
//!
//! Blocks of one group ([`GroupKey`]) are merged. A window that has ended is due: neither gaps in it nor
//! what comes after it matter, but it waits for blocks that are younger than the consistency delay.
//! Downsampling does not wait for compaction: a downsampled block has the same sources whether these
//! were merged before or not, so no work is done twice.
//!
//! | module | holds |
//! |---|---|
//! | [`windows`] | UTC days and months |
//! | [`compaction`] | which blocks become one |
//! | [`downsampling`] | which blocks are downsampled |

pub mod compaction;
pub mod downsampling;
#[cfg(test)]
pub(crate) mod tests;
pub mod windows;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use self::windows::DAY_MS;
use super::group::GroupKey;
use crate::block::{BlockId, BlockMeta, COMPACTOR};
use crate::catalog::covered::covered;
use crate::model::TimeRange;

/// Milliseconds a window of the first downsampling.
pub const FIVE_MINUTES_MS: i64 = 300_000;
/// Milliseconds a window of the second downsampling.
pub const HOUR_MS: i64 = 3_600_000;

/// A block as far as planning goes.
#[derive(Debug, Clone)]
pub struct PlanBlock {
    /// What it is.
    pub meta: Arc<BlockMeta>,
    /// When its `meta.json` was written, in ms since 1970.
    pub uploaded: i64,
    /// Whether it has a deletion mark.
    pub marked: bool,
    /// Whether it is not to be compacted.
    pub no_compact: bool,
    /// Whether it is not to be downsampled.
    pub no_downsample: bool,
}

/// How old samples are before they are downsampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownsampleAges {
    /// Raw samples, in ms.
    pub raw_ms: i64,
    /// Samples of five minutes, in ms.
    pub five_minutes_ms: i64,
}

impl Default for DownsampleAges {
    /// Thanos' (`downsample.ResLevel1DownsampleRange`, `ResLevel2DownsampleRange`).
    fn default() -> Self {
        Self { raw_ms: 40 * HOUR_MS, five_minutes_ms: 10 * DAY_MS }
    }
}

/// How a bucket is compacted.
#[derive(Debug, Clone)]
pub struct PlanSettings {
    /// How long a block that the compactor did not make is left alone, in ms (`--consistency-delay`).
    pub consistency_delay_ms: i64,
    /// Whether blocks are merged.
    pub compact: bool,
    /// The length of a window of raw blocks, in ms.
    pub raw_range_ms: i64,
    /// Labels that tell replicas apart: blocks that differ in them are merged
    /// (`--deduplication.replica-label`).
    pub replica_labels: Vec<String>,
    /// When blocks are downsampled; none if they are not (`--downsampling.disable`).
    pub downsample: Option<DownsampleAges>,
    /// Only blocks that overlap it are looked at (`--min-time`, `--max-time`).
    pub range: TimeRange,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            consistency_delay_ms: 30 * 60_000,
            compact: true,
            raw_range_ms: DAY_MS,
            replica_labels: Vec::new(),
            downsample: Some(DownsampleAges::default()),
            range: TimeRange::ALL,
        }
    }
}

/// Blocks that become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The group of the result.
    pub group: GroupKey,
    /// The times of the result in ms, half open: those of its sources, together.
    pub range: Range<i64>,
    /// The blocks that it is made of, by (`min_time`, id): of the same resolution, or of the next finer
    /// one.
    pub sources: Vec<Arc<BlockMeta>>,
}

impl Job {
    fn new(group: GroupKey, mut sources: Vec<Arc<BlockMeta>>) -> Self {
        sources.sort_by_key(|meta| (meta.min_time, meta.ulid));
        let start = sources.iter().map(|meta| meta.min_time).min().unwrap_or(0);
        let end = sources.iter().map(|meta| meta.max_time).max().unwrap_or(0);
        Self { group, range: start..end, sources }
    }

    /// Whether the sources are downsampled.
    pub fn downsamples(&self) -> bool {
        self.sources.iter().any(|m| m.thanos.downsample.resolution != self.group.resolution)
    }
}

/// A block whose samples another one has, too.
#[derive(Debug, Clone, PartialEq)]
pub struct Covered {
    /// The block.
    pub block: Arc<BlockMeta>,
    /// The one that stays.
    pub by: Arc<BlockMeta>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Blocks to merge, the earliest first.
    pub compactions: Vec<Job>,
    /// Blocks to downsample, the earliest first.
    pub downsamplings: Vec<Job>,
    /// Blocks to mark for deletion.
    pub covered: Vec<Covered>,
}

/// Plans the work at `now` (ms since 1970). The order of `blocks` does not matter.
pub fn plan(blocks: &[PlanBlock], now: i64, settings: &PlanSettings) -> Plan {
    let mut blocks: Vec<&PlanBlock> = blocks
        .iter()
        .filter(|block| !block.marked && block.meta.range().overlaps(&settings.range))
        .collect();
    blocks.sort_by_key(|block| (block.meta.min_time, block.meta.ulid));
    let metas: Vec<Arc<BlockMeta>> = blocks.iter().map(|block| Arc::clone(&block.meta)).collect();
    let by = covered(&metas);
    let pairs = metas.iter().zip(&by).filter_map(|(block, by)| {
        by.map(|by| Covered { block: Arc::clone(block), by: Arc::clone(&metas[by]) })
    });
    let covered = pairs.collect();
    let live: Vec<&PlanBlock> = blocks
        .into_iter()
        .zip(&by)
        .filter(|(_, by)| by.is_none())
        .map(|(block, _)| block)
        .collect();
    let groups = groups(&live, now, settings);
    let downsamplings = match settings.downsample {
        Some(ages) => downsampling::plan(&groups, now, ages),
        None => Vec::new(),
    };
    let compactions = match settings.compact {
        true => compaction::plan(&groups, &downsamplings, now, settings),
        false => Vec::new(),
    };
    Plan { compactions, downsamplings, covered }
}

/// The live blocks of a group.
#[derive(Debug, Default)]
pub(super) struct Group<'a> {
    /// Those that may be worked on.
    visible: Vec<&'a PlanBlock>,
    /// Those that are too young.
    young: Vec<&'a PlanBlock>,
}

fn groups<'a>(
    live: &[&'a PlanBlock],
    now: i64,
    settings: &PlanSettings,
) -> BTreeMap<GroupKey, Group<'a>> {
    let mut groups: BTreeMap<GroupKey, Group<'a>> = BTreeMap::new();
    for &block in live {
        // Windows of replicas cannot be made one: their samples are not known any more.
        let replica_labels: &[String] = match block.meta.thanos.downsample.resolution {
            0 => &settings.replica_labels,
            _ => &[],
        };
        let group = groups.entry(GroupKey::of(&block.meta, replica_labels)).or_default();
        match is_visible(block, now, settings.consistency_delay_ms) {
            true => group.visible.push(block),
            false => group.young.push(block),
        }
    }
    groups
}

/// Whether all objects of a block can be taken to be there: those of the compactor were read back
/// (`pkg/block/fetcher.go`, `ConsistencyDelayMetaFilter`).
fn is_visible(block: &PlanBlock, now: i64, delay_ms: i64) -> bool {
    let own = matches!(
        block.meta.thanos.source.as_str(),
        COMPACTOR | "compactor.repair" | "bucket.repair"
    );
    own || now.saturating_sub(block.uploaded) >= delay_ms
}

/// Jobs in order of time.
fn sorted(mut jobs: Vec<Job>) -> Vec<Job> {
    let first = |job: &Job| job.sources.first().map_or(BlockId::default(), |meta| meta.ulid);
    jobs.sort_by(|a, b| {
        (a.range.start, &a.group, first(a)).cmp(&(b.range.start, &b.group, first(b)))
    });
    jobs
}
