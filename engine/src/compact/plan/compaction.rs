//! Which blocks become one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::windows::{aligned, month};
use super::{DownsampleAges, FIVE_MINUTES_MS, Group, Job, PlanBlock, PlanSettings, sorted};
use crate::compact::group::GroupKey;

/// The compactions that are due: of each group and window the blocks that lie wholly inside, if they are
/// several. Blocks that reach over the border of a window stay as they are, and so do those that are
/// marked not to be compacted; the others of their window are merged without them.
pub(super) fn plan(
    groups: &BTreeMap<GroupKey, Group<'_>>,
    downsamplings: &[Job],
    now: i64,
    settings: &PlanSettings,
) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (key, group) in groups {
        let mut windows: BTreeMap<(i64, i64), Vec<&PlanBlock>> = BTreeMap::new();
        for block in &group.visible {
            let window = window(key.resolution, block.meta.min_time, settings.raw_range_ms);
            if block.meta.max_time <= window.end && !block.no_compact {
                windows.entry((window.start, window.end)).or_default().push(block);
            }
        }
        for ((start, end), blocks) in windows {
            let is_due = end.saturating_add(delay(key.resolution, settings)) <= now;
            let touches = |range: Range<i64>| range.start < end && start < range.end;
            let grows = group.young.iter().any(|b| touches(b.meta.min_time..b.meta.max_time))
                || downsamplings.iter().any(|job| job.group == *key && touches(job.range.clone()));
            if blocks.len() > 1 && is_due && !grows {
                let sources = blocks.into_iter().map(|block| Arc::clone(&block.meta)).collect();
                jobs.push(Job::new(key.clone(), sources));
            }
        }
    }
    sorted(jobs)
}

/// The window that a block which begins at `time` is merged into.
fn window(resolution: i64, time: i64, raw_range_ms: i64) -> Range<i64> {
    match resolution {
        0 => aligned(time, raw_range_ms),
        _ => month(time),
    }
}

/// How long after its end a window is due. Those of downsampled blocks wait until the last of their blocks
/// can have been made.
fn delay(resolution: i64, settings: &PlanSettings) -> i64 {
    let DownsampleAges { raw_ms, five_minutes_ms } = settings.downsample.unwrap_or_default();
    let made_after = match resolution {
        0 => 0,
        FIVE_MINUTES_MS => raw_ms,
        _ => raw_ms.max(five_minutes_ms),
    };
    settings.consistency_delay_ms.saturating_add(made_after)
}
