//! Merging against a sort of all samples.

use proptest::prelude::*;

use super::algo::{Sorted, Taken, merge};

fn merged(runs: &[(&[i64], u32)]) -> Vec<(usize, i64)> {
    let sorted: Vec<Sorted<'_>> = runs.iter().map(|&(ts, rank)| Sorted { ts, rank }).collect();
    let mut taken = Vec::new();
    merge(&sorted, &mut taken);
    taken
        .iter()
        .flat_map(|&Taken { run, start, end }| {
            runs[run].0[start..end].iter().map(move |&t| (run, t))
        })
        .collect()
}

/// The table in the module's documentation.
#[test]
fn worked_table() {
    let got = merged(&[(&[0, 15, 30, 45], 0), (&[30, 45, 60], 1)]);
    assert_eq!(got, [(0, 0), (0, 15), (1, 30), (1, 45), (1, 60)]);
}

proptest! {
    #[test]
    fn the_greatest_rank_wins_and_nothing_is_lost(
        runs in prop::collection::vec(prop::collection::btree_set(-20i64..60, 0..30), 1..5),
    ) {
        let runs: Vec<Vec<i64>> = runs.into_iter().map(|r| r.into_iter().collect()).collect();
        // Ranks that are not the order of the runs.
        let ranked: Vec<(&[i64], u32)> =
            runs.iter().enumerate().map(|(at, r)| (r.as_slice(), (at as u32 * 3) % 5)).collect();
        let mut expected: Vec<(i64, u32, usize)> = Vec::new();
        for (at, (ts, rank)) in ranked.iter().enumerate() {
            expected.extend(ts.iter().map(|&t| (t, u32::MAX - rank, at)));
        }
        expected.sort_unstable();
        expected.dedup_by_key(|(t, ..)| *t);
        let expected: Vec<(usize, i64)> = expected.into_iter().map(|(t, _, at)| (at, t)).collect();
        prop_assert_eq!(merged(&ranked), expected);
    }
}
