//! Merging of byte ranges: one request for ranges that lie close together.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use crate::Result;

use super::Bucket;

/// Ranges with at most this many bytes between are read as one: a request costs more than the gap.
pub const MERGE_GAP_BYTES: u64 = 1 << 20;
/// A merged range has at most this many bytes, so that big reads go in parallel.
pub const MERGED_BYTES: u64 = 16 << 20;
/// How many requests of one call are under way at a time.
const PARALLEL: usize = 8;

/// A merged range and which of the ranges asked for lie inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The bytes to read.
    pub range: Range<u64>,
    /// Indices into the ranges asked for.
    pub parts: Vec<usize>,
}

/// Merges `ranges`, which may come in any order, overlap and be empty. Every range that is not empty
/// lies inside exactly one of the results; a range longer than [`MERGED_BYTES`] stays whole.
pub fn merge(ranges: &[Range<u64>]) -> Vec<Merged> {
    let mut order: Vec<usize> = (0..ranges.len()).filter(|&i| !ranges[i].is_empty()).collect();
    order.sort_unstable_by_key(|&i| (ranges[i].start, ranges[i].end));
    let mut merged: Vec<Merged> = Vec::new();
    for at in order {
        let next = &ranges[at];
        if let Some(last) = merged.last_mut() {
            let end = last.range.end.max(next.end);
            let inside = next.end <= last.range.end;
            let near = next.start <= last.range.end.saturating_add(MERGE_GAP_BYTES)
                && end - last.range.start <= MERGED_BYTES;
            if inside || near {
                last.range.end = end;
                last.parts.push(at);
                continue;
            }
        }
        merged.push(Merged { range: next.clone(), parts: vec![at] });
    }
    merged
}

pub(super) async fn get(bucket: &Bucket, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let mut answers = vec![Bytes::new(); ranges.len()];
    let mut reads = futures::stream::iter(merge(ranges))
        .map(|merged| async move {
            let bytes = bucket.get_range(path, merged.range.clone()).await?;
            Ok::<_, crate::Error>((merged, bytes))
        })
        .buffer_unordered(PARALLEL);
    while let Some((merged, bytes)) = reads.try_next().await? {
        let wanted: u64 = merged.parts.iter().map(|&i| ranges[i].end - ranges[i].start).sum();
        // A slice keeps the whole read alive: where much of it is gap, a copy is cheaper to keep.
        let sparse = wanted < bytes.len() as u64 / 4 * 3;
        for at in merged.parts {
            // Both lie inside `bytes`, whose length `get_range` has checked.
            let start = (ranges[at].start - merged.range.start) as usize;
            let end = (ranges[at].end - merged.range.start) as usize;
            answers[at] = if sparse {
                Bytes::copy_from_slice(&bytes[start..end])
            } else {
                bytes.slice(start..end)
            };
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn near_ranges_become_one() {
        let spans = |ranges: &[Range<u64>]| -> Vec<Range<u64>> {
            merge(ranges).into_iter().map(|m| m.range).collect()
        };
        assert_eq!(spans(&[0..10, 10..20]), [0..20]);
        assert_eq!(spans(&[MIB + 10..MIB + 20, 0..10]), [0..MIB + 20]);
        assert_eq!(spans(&[0..10, MIB + 11..MIB + 20]), [0..10, MIB + 11..MIB + 20]);
        assert_eq!(spans(&[0..9 * MIB, 9 * MIB..17 * MIB]), [0..9 * MIB, 9 * MIB..17 * MIB]);
        assert_eq!(spans(&[0..40 * MIB, MIB..2 * MIB, 5..5]), [0..40 * MIB]);
    }

    proptest! {
        #[test]
        fn every_range_is_inside_one_read(
            ranges in prop::collection::vec((0u64..64 * MIB, 0u64..4 * MIB), 0..40)
        ) {
            let ranges: Vec<Range<u64>> = ranges.into_iter().map(|(s, n)| s..s + n).collect();
            let merged = merge(&ranges);
            let mut seen = vec![0; ranges.len()];
            for read in &merged {
                prop_assert!(read.range.end - read.range.start <= MERGED_BYTES);
                for &part in &read.parts {
                    seen[part] += 1;
                    prop_assert!(read.range.start <= ranges[part].start);
                    prop_assert!(ranges[part].end <= read.range.end);
                }
            }
            for (range, seen) in ranges.iter().zip(seen) {
                prop_assert_eq!(seen, usize::from(!range.is_empty()));
            }
        }
    }
}
