//! Which blocks are downsampled.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::windows::{DAY_MS, aligned};
use super::{DownsampleAges, FIVE_MINUTES_MS, Group, HOUR_MS, Job, PlanBlock, sorted};
use crate::block::BlockId;
use crate::catalog::covered::sources;
use crate::compact::group::GroupKey;

/// The downsamplings that are due: raw blocks to five minutes, those of five minutes to an hour.
///
/// A unit is a UTC day, or several that a longer block joins. It is due when all of it is old enough, and
/// done when a block of the coarser resolution has all its sources: a late block makes it due anew.
pub(super) fn plan(
    groups: &BTreeMap<GroupKey, Group<'_>>,
    now: i64,
    ages: DownsampleAges,
) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (key, group) in groups {
        let (resolution, age) = match key.resolution {
            0 => (FIVE_MINUTES_MS, ages.raw_ms),
            FIVE_MINUTES_MS => (HOUR_MS, ages.five_minutes_ms),
            _ => continue,
        };
        let target = key.at(resolution);
        let made: Vec<HashSet<BlockId>> = groups
            .get(&target)
            .into_iter()
            .flat_map(|group| group.visible.iter().chain(&group.young))
            .filter(|block| block.meta.thanos.labels == target.labels)
            .map(|block| sources(&block.meta))
            .collect();
        for (days, blocks) in units(group.visible.iter().filter(|block| !block.no_downsample)) {
            let all: HashSet<BlockId> = blocks.iter().flat_map(|b| sources(&b.meta)).collect();
            let is_due = days.end.saturating_add(age) <= now;
            let touches = |block: &&PlanBlock| {
                block.meta.min_time < days.end && days.start < block.meta.max_time
            };
            let grows = group.young.iter().any(touches);
            if is_due && !grows && !made.iter().any(|made| all.is_subset(made)) {
                let sources = blocks.into_iter().map(|block| Arc::clone(&block.meta)).collect();
                jobs.push(Job::new(target.clone(), sources));
            }
        }
    }
    sorted(jobs)
}

/// Blocks by the days that they lie in; days that a block joins are one. `blocks` ascend by time.
fn units<'a, 'b: 'a>(
    blocks: impl Iterator<Item = &'a &'b PlanBlock>,
) -> Vec<(Range<i64>, Vec<&'b PlanBlock>)> {
    let mut units: Vec<(Range<i64>, Vec<&PlanBlock>)> = Vec::new();
    for &block in blocks {
        let first = aligned(block.meta.min_time, DAY_MS);
        let last = aligned(block.meta.max_time - 1, DAY_MS);
        match units.last_mut() {
            Some((days, unit)) if first.start < days.end => {
                days.end = days.end.max(last.end);
                unit.push(block);
            }
            _ => units.push((first.start..last.end, vec![block])),
        }
    }
    units
}
