//! Which blocks are old enough to go, and may.
//!
//! Each resolution has a time for which its samples are kept. What is older goes, but not before what is
//! to be kept of it is there: a raw block stays until blocks of five minutes have all its sources, one of
//! five minutes until blocks of an hour have. That holds unless downsampling is off, or samples of the
//! coarser resolution are too old to be kept as well.

mod policy;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use self::policy::{Retention, RetentionPolicy};
use super::plan::{FIVE_MINUTES_MS, HOUR_MS, PlanBlock};
use crate::block::BlockId;
use crate::catalog::covered::{may_be_of, sources};

/// A block that is old enough to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aged {
    /// The block.
    pub block: BlockId,
    /// Why it goes, or why it does not yet.
    pub why: String,
}

/// What becomes of blocks that are old enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retired {
    /// Those to mark for deletion.
    pub go: Vec<Aged>,
    /// Those that have to wait.
    pub stay: Vec<Aged>,
}

/// Looks at all of `blocks` at `now` (ms since 1970); `downsampling` says whether blocks are downsampled.
pub fn decide(
    blocks: &[PlanBlock],
    now: i64,
    policy: &RetentionPolicy,
    downsampling: bool,
) -> Retired {
    let mut retired = Retired::default();
    for block in blocks.iter().filter(|block| !block.marked) {
        let retention = policy.of(&block.meta.thanos.labels);
        let resolution = block.meta.thanos.downsample.resolution;
        let is_past = |resolution: i64| match retention.at(resolution) {
            0 => false,
            kept => block.meta.max_time.saturating_add(kept) < now,
        };
        if !is_past(resolution) {
            continue;
        }
        let mut needed =
            if downsampling && !block.no_downsample { coarser(resolution) } else { None };
        while let Some(next) = needed.filter(|&next| is_past(next)) {
            needed = coarser(next);
        }
        let id = block.meta.ulid;
        match needed.filter(|&next| !has_all(blocks, block, next)) {
            Some(next) => retired.stay.push(Aged {
                block: id,
                why: format!("no blocks of {} s have all its samples yet", next / 1000),
            }),
            // Windows do not stand for them.
            None if needed.is_some() && block.meta.stats.num_histogram_samples > 0 => {
                let why = "its native histograms are in no downsampled block".to_owned();
                retired.stay.push(Aged { block: id, why });
            }
            None => retired.go.push(Aged {
                block: id,
                why: format!("block exceeding retention of {} s", retention.at(resolution) / 1000),
            }),
        }
    }
    retired
}

/// The next coarser resolution.
fn coarser(resolution: i64) -> Option<i64> {
    match resolution {
        0 => Some(FIVE_MINUTES_MS),
        FIVE_MINUTES_MS => Some(HOUR_MS),
        _ => None,
    }
}

/// Whether blocks of `resolution` that are not marked have all sources of `block`.
fn has_all(blocks: &[PlanBlock], block: &PlanBlock, resolution: i64) -> bool {
    let mut lacking: HashSet<BlockId> = sources(&block.meta);
    for other in blocks.iter().filter(|other| !other.marked) {
        let thanos = &other.meta.thanos;
        if thanos.downsample.resolution == resolution
            && may_be_of(&thanos.labels, &block.meta.thanos.labels)
        {
            lacking = &lacking - &sources(&other.meta);
        }
    }
    lacking.is_empty()
}
