//! Which blocks answer, where some of them are downsampled.

use std::collections::BTreeMap;

use crate::model::TimeRange;

/// A block as far as its choice goes.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its external labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its resolution in ms; 0 is raw.
    pub resolution: i64,
    /// Its times, both ends included.
    pub range: TimeRange,
}

/// Which of `blocks` answer for `range`: of each set of external labels those of the coarsest
/// resolution that is at most `max_resolution` (ms), and where these leave gaps, finer ones
/// (`bucketBlockSet.getFor` in `pkg/store/bucket.go` of Thanos). A block that reaches out of the gap
/// which it fills comes whole.
pub fn choose(blocks: &[Candidate<'_>], range: TimeRange, max_resolution: i64) -> Vec<bool> {
    let mut groups: BTreeMap<&BTreeMap<String, String>, Levels> = BTreeMap::new();
    for (at, block) in blocks.iter().enumerate() {
        if block.resolution <= max_resolution && block.range.overlaps(&range) {
            let levels = groups.entry(block.labels).or_default();
            // The coarsest comes first.
            levels.entry(-block.resolution).or_default().push(at);
        }
    }
    let mut chosen = vec![false; blocks.len()];
    for levels in groups.into_values() {
        let mut levels: Vec<Vec<usize>> = levels.into_values().collect();
        levels.iter_mut().for_each(|level| level.sort_by_key(|&at| blocks[at].range.min));
        fill(blocks, &levels, range, &mut chosen);
    }
    chosen
}

/// Blocks by resolution.
type Levels = BTreeMap<i64, Vec<usize>>;

/// Fills `gap` with blocks of the first level, and what these leave open with the others.
fn fill(blocks: &[Candidate<'_>], levels: &[Vec<usize>], gap: TimeRange, chosen: &mut [bool]) {
    let Some((level, finer)) = levels.split_first() else { return };
    let mut start = gap.min;
    for &at in level {
        let TimeRange { min, max } = blocks[at].range;
        if max < gap.min {
            continue;
        }
        if min > gap.max {
            break;
        }
        if start < min {
            fill(blocks, finer, TimeRange::new(start, min - 1), chosen);
        }
        chosen[at] = true;
        let Some(after) = max.checked_add(1) else { return };
        start = start.max(after);
    }
    if start <= gap.max {
        fill(blocks, finer, TimeRange::new(start, gap.max), chosen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: i64 = 300_000;
    const HOUR: i64 = 3_600_000;

    /// Blocks of `(resolution, first and last hour)`, one set of labels; which are chosen.
    fn chosen(blocks: &[(i64, i64, i64)], range: (i64, i64), max: i64) -> Vec<usize> {
        let labels = BTreeMap::new();
        let hours = |from: i64, to: i64| TimeRange::new(from * HOUR, to * HOUR - 1);
        let candidate = |&(resolution, from, to): &(i64, i64, i64)| Candidate {
            labels: &labels,
            resolution,
            range: hours(from, to),
        };
        let blocks: Vec<Candidate<'_>> = blocks.iter().map(candidate).collect();
        let chosen = choose(&blocks, hours(range.0, range.1), max);
        (0..blocks.len()).filter(|&at| chosen[at]).collect()
    }

    /// The picture of Thanos' `TestBucketBlockSet_addGet`: raw everywhere, five minutes over a part,
    /// an hour over a part of that.
    #[test]
    fn gaps_are_filled_by_finer_blocks() {
        let blocks = [
            (0, 0, 2),
            (0, 2, 4),
            (0, 4, 6),
            (0, 6, 8),
            (MINUTES, 0, 2),
            (MINUTES, 2, 4),
            (MINUTES, 4, 6),
            (HOUR, 2, 4),
        ];
        assert_eq!(chosen(&blocks, (0, 8), 0), [0, 1, 2, 3]);
        assert_eq!(chosen(&blocks, (0, 8), MINUTES - 1), [0, 1, 2, 3]);
        assert_eq!(chosen(&blocks, (0, 8), MINUTES), [3, 4, 5, 6]);
        assert_eq!(chosen(&blocks, (0, 8), i64::MAX), [3, 4, 6, 7]);
        assert_eq!(chosen(&blocks, (3, 5), i64::MAX), [6, 7]);
        assert_eq!(chosen(&blocks, (8, 9), i64::MAX), [0; 0]);
    }

    #[test]
    fn a_block_that_reaches_out_of_its_gap_comes_whole() {
        let blocks = [(0, 0, 4), (0, 4, 8), (MINUTES, 2, 8)];
        assert_eq!(chosen(&blocks, (0, 8), MINUTES), [0, 2]);
        assert_eq!(chosen(&blocks, (3, 8), MINUTES), [2]);
        // Blocks that overlap leave no gap between them.
        let blocks = [(0, 2, 3), (MINUTES, 0, 4), (MINUTES, 1, 2)];
        assert_eq!(chosen(&blocks, (0, 4), MINUTES), [1, 2]);
    }

    #[test]
    fn each_set_of_labels_is_chosen_for_itself() {
        let [a, b] =
            ["a", "b"].map(|name| BTreeMap::from([("replica".to_owned(), name.to_owned())]));
        let block = |labels, resolution| Candidate { labels, resolution, range: TimeRange::ALL };
        let blocks = [block(&a, 0), block(&b, 0), block(&a, MINUTES)];
        assert_eq!(choose(&blocks, TimeRange::ALL, HOUR), [false, true, true]);
    }
}
