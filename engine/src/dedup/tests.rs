//! Dedup rules against their invariants and a worked table.

use proptest::prelude::*;

use super::algo::{Lead, Pace, lanes, live, pick_paced};
use super::{Pick, Replica, SETTLED, pick};
use crate::source::DedupFunc;

fn taken(func: DedupFunc, replicas: &[(&[i64], &[u32])]) -> Vec<(usize, i64)> {
    let replicas: Vec<Replica<'_>> =
        replicas.iter().map(|&(ts, stale)| Replica { ts, stale }).collect();
    samples(&replicas, &picks(func, &replicas))
}

fn picks(func: DedupFunc, replicas: &[Replica<'_>]) -> Vec<Pick> {
    let mut picks = Vec::new();
    pick(func, replicas, &mut picks);
    picks
}

fn samples(replicas: &[Replica<'_>], picks: &[Pick]) -> Vec<(usize, i64)> {
    picks
        .iter()
        .flat_map(|p| replicas[p.replica].ts[p.start..p.end].iter().map(|&t| (p.replica, t)))
        .collect()
}

fn times(func: DedupFunc, replicas: &[&[i64]]) -> Vec<i64> {
    let replicas: Vec<(&[i64], &[u32])> = replicas.iter().map(|&ts| (ts, &[][..])).collect();
    taken(func, &replicas).into_iter().map(|(_, t)| t).collect()
}

/// The table in the module's documentation.
#[test]
fn worked_table() {
    let seconds = |s: &[i64]| s.iter().map(|s| s * 1000).collect::<Vec<_>>();
    let zero = seconds(&[0, 15, 30, 95, 110]);
    let one = seconds(&[4, 19, 34, 49, 64, 79, 94, 109]);
    let replicas: [&[i64]; 2] = [&zero, &one];
    let coverage = seconds(&[0, 15, 30, 49, 64, 79, 95, 110]);
    assert_eq!(times(DedupFunc::Coverage, &replicas), coverage);
    let penalty = seconds(&[0, 15, 30, 64, 79, 94, 109]);
    assert_eq!(times(DedupFunc::Penalty, &replicas), penalty);
    let chain = seconds(&[0, 4, 15, 19, 30, 34, 49, 64, 79, 94, 95, 109, 110]);
    assert_eq!(times(DedupFunc::Chain, &replicas), chain);
}

#[test]
fn one_replica_that_covers_all_is_one_slice() {
    let zero: Vec<i64> = (0..1000).map(|i| i * 15_000).collect();
    let one: Vec<i64> = (0..1000).map(|i| i * 15_000 + 4_000).collect();
    for func in [DedupFunc::Coverage, DedupFunc::Penalty] {
        let replicas = [Replica { ts: &zero, stale: &[] }, Replica { ts: &one, stale: &[] }];
        let whole = Pick { replica: 0, start: 0, end: 1000, settle: SETTLED };
        assert_eq!(picks(func, &replicas), [whole]);
    }
}

#[test]
fn a_change_of_leader_settles_for_one_interval() {
    let zero = [0, 15, 30, 45];
    let one = [5, 20, 35, 50, 65, 80];
    let replicas = [Replica { ts: &zero, stale: &[] }, Replica { ts: &one, stale: &[] }];
    assert_eq!(
        picks(DedupFunc::Coverage, &replicas),
        [
            Pick { replica: 0, start: 0, end: 4, settle: SETTLED },
            Pick { replica: 1, start: 4, end: 6, settle: 80 },
        ]
    );
}

#[test]
fn a_replica_that_loses_its_target_does_not_end_the_series() {
    // Replica 0 sees the target fail at 30 (one scrape), replica 1 does not.
    let zero = [0, 150, 300, 450, 600];
    let one = [70, 220, 370, 520, 670];
    let got = taken(DedupFunc::Coverage, &[(&zero, &[2]), (&one, &[])]);
    assert_eq!(got, [(0, 0), (0, 150), (1, 370), (0, 450), (0, 600)]);
    // It fails for good; the other goes on.
    let got = taken(DedupFunc::Coverage, &[(&zero[..3], &[2]), (&one, &[])]);
    assert_eq!(got, [(0, 0), (0, 150), (1, 370), (1, 520), (1, 670)]);
    // Both see the end: one marker is kept.
    let got = taken(DedupFunc::Coverage, &[(&zero[..4], &[3]), (&one[..4], &[3])]);
    assert_eq!(got, [(0, 0), (0, 150), (0, 300), (0, 450)]);
    // The series comes back much later: what replica 1 still saw is taken, one marker stays.
    let zero = [0, 150, 300, 3000, 3150];
    let one = [70, 220, 370, 3070, 3220];
    let got = taken(DedupFunc::Coverage, &[(&zero, &[2]), (&one, &[2])]);
    assert_eq!(got, [(0, 0), (0, 150), (1, 220), (1, 370), (0, 3000), (0, 3150)]);
    // Nobody else saw it alive: the replica's own marker stays.
    let got = taken(DedupFunc::Coverage, &[(&zero[..3], &[1]), (&[3000], &[])]);
    assert_eq!(got, [(0, 0), (0, 150), (0, 300), (1, 3000)]);
}

#[test]
fn an_interval_that_changes_is_no_hole() {
    let zero: Vec<i64> = (0..100).map(|i| i * 15).chain((0..100).map(|i| 1500 + i * 60)).collect();
    let one: Vec<i64> = zero.iter().map(|t| t + 7).collect();
    assert_eq!(times(DedupFunc::Coverage, &[&zero, &one]), zero);
}

#[test]
fn a_replica_that_misses_every_other_scrape_is_filled() {
    let zero: Vec<i64> = (0..100).map(|i| i * 30).collect();
    let one: Vec<i64> = (0..200).map(|i| i * 15 + 4).collect();
    let got = times(DedupFunc::Coverage, &[&zero, &one]);
    assert!(got.windows(2).all(|w| w[1] - w[0] <= 22), "{got:?}");
}

#[test]
fn the_end_of_time_is_reached_and_left() {
    let zero = [i64::MIN, 0, i64::MAX - 1, i64::MAX];
    let one = [i64::MIN, i64::MAX];
    for func in [DedupFunc::Coverage, DedupFunc::Penalty, DedupFunc::Chain] {
        let got = times(func, &[&zero, &one, &zero]);
        assert!(got.windows(2).all(|w| w[0] < w[1]), "{func:?} {got:?}");
        assert_eq!(got.last(), Some(&i64::MAX), "{func:?}");
    }
}

#[test]
fn pieces_that_overlap_get_lanes_of_their_own() {
    assert_eq!(lanes([(0, 10), (5, 15), (11, 20), (12, 13), (16, 30)]), [0, 1, 0, 2, 1]);
}

/// Thanos' rule word for word, a sample at a time, as the oracle of the version in slices.
fn penalty_by_sample(replicas: &[Replica<'_>]) -> Vec<(usize, i64)> {
    let mut folded: Option<Vec<(usize, i64)>> = None;
    for (index, replica) in replicas.iter().enumerate() {
        let own: Vec<(usize, i64)> = replica.ts.iter().map(|&t| (index, t)).collect();
        folded = Some(match folded {
            None => own,
            Some(left) => {
                let (mut a, mut b) = (0, 0);
                let (mut pen_a, mut pen_b) = (0, 0);
                let mut last: Option<i64> = None;
                let mut merged = Vec::new();
                loop {
                    if let Some(last) = last {
                        while left.get(a).is_some_and(|&(_, t)| t < last + 1 + pen_a) {
                            a += 1;
                        }
                        while own.get(b).is_some_and(|&(_, t)| t < last + 1 + pen_b) {
                            b += 1;
                        }
                    }
                    let step = |t: i64| last.map_or(5000, |last| 2 * (t - last));
                    let sample = match (left.get(a), own.get(b)) {
                        (None, None) => break,
                        (None, Some(&right)) => {
                            pen_b = 0;
                            right
                        }
                        (Some(&left), None) => {
                            pen_a = 0;
                            left
                        }
                        (Some(&left), Some(&right)) if left.1 <= right.1 => {
                            (pen_a, pen_b) = (0, step(left.1));
                            left
                        }
                        (Some(_), Some(&right)) => {
                            (pen_a, pen_b) = (step(right.1), 0);
                            right
                        }
                    };
                    last = Some(sample.1);
                    merged.push(sample);
                }
                merged
            }
        });
    }
    folded.unwrap_or_default()
}

/// Replicas that scrape each 15 s: own offsets, jitter, outages of up to 20 scrapes, restarts with
/// a new offset, and stale markers where an outage begins.
fn replicas() -> impl Strategy<Value = Vec<(Vec<i64>, Vec<u32>)>> {
    let outage = (0usize..120, 1usize..20, 0i64..15_000, any::<bool>());
    let replica = (0i64..15_000, 0i64..400, prop::collection::vec(outage, 0..4), any::<u64>())
        .prop_map(|(offset, jitter, outages, seed)| {
            let mut random = seed | 1;
            let mut ts = Vec::new();
            let mut stale = Vec::new();
            let mut offset = offset;
            for scrape in 0..120usize {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let out = outages.iter().find(|(at, n, ..)| (*at..at + n).contains(&scrape));
                if let Some(&(at, _, restarted, marked)) = out {
                    if scrape > at {
                        offset = restarted;
                        continue;
                    }
                    if !marked {
                        continue;
                    }
                    stale.push(ts.len() as u32);
                }
                let noise = (random >> 33) as i64 % (jitter + 1);
                ts.push(scrape as i64 * 15_000 + offset + noise);
            }
            // A new offset may have moved a scrape before the one before it.
            let mut kept = (Vec::new(), Vec::new());
            for (at, &t) in ts.iter().enumerate() {
                if kept.0.last().is_none_or(|&last| t > last) {
                    if stale.contains(&(at as u32)) {
                        kept.1.push(kept.0.len() as u32);
                    }
                    kept.0.push(t);
                }
            }
            kept
        });
    prop::collection::vec(replica, 1..5)
}

/// The paces of buckets, as a label index knows them: a bucket's edges, or the first and last sample.
fn bucket_paces(ts: &[i64], bucket: i64) -> Vec<Pace> {
    let of = |ts: &[i64]| ts[0].div_euclid(bucket) * bucket;
    let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return Vec::new() };
    ts.chunk_by(|a, b| a.div_euclid(bucket) == b.div_euclid(bucket))
        .map(|ts| {
            let (from, to) = (of(ts).max(first), (of(ts) + bucket - 1).min(last));
            Pace::new(from, to, ts.len() as u32)
        })
        .collect()
}

fn borrowed(replicas: &[(Vec<i64>, Vec<u32>)], markers: bool) -> Vec<Replica<'_>> {
    let stale = |stale: &'_ [u32]| if markers { stale.len() } else { 0 };
    replicas.iter().map(|(ts, s)| Replica { ts, stale: &s[..stale(s)] }).collect()
}

fn ascending_and_from_inputs(
    replicas: &[Replica<'_>],
    got: &[(usize, i64)],
) -> Result<(), TestCaseError> {
    prop_assert!(got.windows(2).all(|w| w[0].1 < w[1].1), "not ascending: {got:?}");
    for &(replica, t) in got {
        prop_assert!(replicas[replica].ts.contains(&t));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn penalty_in_slices_is_penalty_by_sample(sets in replicas()) {
        let replicas = borrowed(&sets, false);
        let got = samples(&replicas, &picks(DedupFunc::Penalty, &replicas));
        prop_assert_eq!(got, penalty_by_sample(&replicas));
    }

    #[test]
    fn chain_is_the_union(sets in replicas()) {
        let replicas = borrowed(&sets, false);
        let got = samples(&replicas, &picks(DedupFunc::Chain, &replicas));
        let mut union: Vec<(i64, usize)> = replicas
            .iter()
            .enumerate()
            .flat_map(|(index, r)| r.ts.iter().map(move |&t| (t, index)))
            .collect();
        union.sort_unstable();
        union.dedup_by_key(|(t, _)| *t);
        let got: Vec<(i64, usize)> = got.into_iter().map(|(index, t)| (t, index)).collect();
        prop_assert_eq!(got, union);
    }

    /// No hole of more than 1.5 intervals (with the jitter on top) in which any replica has a
    /// sample, neither inside nor at the ends.
    #[test]
    fn coverage_leaves_no_hole_that_a_replica_fills(sets in replicas(), markers in any::<bool>()) {
        let replicas = borrowed(&sets, markers);
        let got = samples(&replicas, &picks(DedupFunc::Coverage, &replicas));
        ascending_and_from_inputs(&replicas, &got)?;
        let live: Vec<i64> = replicas
            .iter()
            .flat_map(|r| {
                let is_live = |at: &usize| !r.stale.contains(&(*at as u32));
                (0..r.ts.len()).filter(is_live).map(|at| r.ts[at])
            })
            .collect();
        let is_marker = |&(replica, t): &(usize, i64)| {
            let at = replicas[replica].ts.partition_point(|&own| own < t) as u32;
            replicas[replica].stale.contains(&at)
        };
        let mut edges: Vec<i64> = vec![i64::MIN / 4];
        edges.extend(got.iter().filter(|sample| !is_marker(sample)).map(|&(_, t)| t));
        edges.push(i64::MAX / 4);
        let limit = 22_500 + 600;
        for pair in edges.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let open = before == i64::MIN / 4 || after == i64::MAX / 4;
            let unfilled = live.iter().find(|&&t| {
                before < t && t < after && after - before > limit
                    && (!open || t.abs_diff(if after == i64::MAX / 4 { before } else { after })
                        > limit as u64)
            });
            prop_assert!(unfilled.is_none(), "{before}..{after}: {unfilled:?}");
        }
    }

    /// A marker in the answer is never followed by another replica's sample within one and a half
    /// intervals.
    #[test]
    fn coverage_keeps_a_marker_only_where_the_series_pauses(sets in replicas()) {
        let replicas = borrowed(&sets, true);
        let got = samples(&replicas, &picks(DedupFunc::Coverage, &replicas));
        for pair in got.windows(2) {
            let at = replicas[pair[0].0].ts.partition_point(|&t| t < pair[0].1) as u32;
            let other = pair[0].0 != pair[1].0;
            if other && replicas[pair[0].0].stale.contains(&at) {
                prop_assert!(pair[1].1 - pair[0].1 > 21_000, "{pair:?}");
            }
        }
    }

    /// What is read late is enough: the first replica's samples, what the label index knows of the
    /// others, and their samples near the first one's holes give the answer of all samples.
    #[test]
    fn coverage_needs_the_others_only_near_holes(
        sets in replicas(),
        markers in any::<bool>(),
        bucket in 60_000i64..900_000,
        from in prop::option::of(0i64..1_800_000),
    ) {
        let replicas = borrowed(&sets, markers);
        // The label index knows whole buckets, the query may want less.
        let paces: Vec<Vec<Pace>> = replicas.iter().map(|r| bucket_paces(r.ts, bucket)).collect();
        let paces: Vec<&[Pace]> = paces.iter().map(Vec::as_slice).collect();
        let wanted: Vec<(Vec<i64>, Vec<u32>)> = replicas
            .iter()
            .map(|r| {
                let cut = r.ts.partition_point(|&t| from.is_some_and(|from| t < from));
                let stale = r.stale.iter().filter_map(|&m| m.checked_sub(cut as u32)).collect();
                (r.ts[cut..].to_vec(), stale)
            })
            .collect();
        let all = borrowed(&wanted, true);
        let mut expected = Vec::new();
        pick_paced(&all, &paces, None, &mut expected);

        let first = live(&all[0]);
        let Some(lead) = Lead::new(&first, &paces[1..]) else { return Ok(()) };
        let earliest = paces[1..].iter().flat_map(|p| p.first()).map(|p| p.from).min();
        let latest = paces[1..].iter().flat_map(|p| p.last()).map(|p| p.to).max();
        let earliest = earliest.unwrap_or(i64::MAX).max(from.unwrap_or(i64::MIN));
        let stretches: Vec<(i64, i64)> =
            lead.stretches(&first, earliest, latest.unwrap_or(i64::MIN)).collect();
        let near = |t: i64| {
            let (begin, end) = (t.div_euclid(bucket) * bucket, (t.div_euclid(bucket) + 1) * bucket);
            stretches.iter().any(|&(after, before)| end > after && begin < before)
        };
        let mut some: Vec<(Vec<i64>, Vec<u32>)> = wanted.clone();
        for (ts, stale) in &mut some[1..] {
            let is_stale: Vec<bool> =
                (0..ts.len() as u32).map(|at| stale.contains(&at)).collect();
            let kept: Vec<usize> = (0..ts.len()).filter(|&at| near(ts[at])).collect();
            *stale = (0..).zip(&kept).filter(|&(_, &at)| is_stale[at]).map(|(n, _)| n).collect();
            *ts = kept.iter().map(|&at| ts[at]).collect();
        }
        let some = borrowed(&some, true);
        let mut got = Vec::new();
        pick_paced(&some, &paces, Some(&lead), &mut got);
        prop_assert_eq!(samples(&some, &got), samples(&all, &expected));
        let settles = |picks: &[Pick]| picks.iter().map(|p| p.settle).collect::<Vec<_>>();
        prop_assert_eq!(settles(&got), settles(&expected));
    }

    /// What is taken at a time does not depend on where the query began.
    #[test]
    fn coverage_does_not_remember(
        outages in prop::collection::vec(prop::collection::vec((0i64..240, 1i64..20), 0..5), 2..4),
        from in 0i64..1_800_000,
    ) {
        let sets: Vec<Vec<i64>> = (0..)
            .zip(&outages)
            .map(|(offset, outages)| {
                let up = |scrape: &i64| !outages.iter().any(|&(at, n)| (at..at + n).contains(scrape));
                (0..240).filter(up).map(|scrape| scrape * 15_000 + offset * 4_000).collect()
            })
            .collect();
        let replicas: Vec<Replica<'_>> = sets.iter().map(|ts| Replica { ts, stale: &[] }).collect();
        let whole = samples(&replicas, &picks(DedupFunc::Coverage, &replicas));
        let cut = |r: &Replica<'_>| r.ts.partition_point(|&t| t < from);
        let late: Vec<Replica<'_>> =
            replicas.iter().map(|r| Replica { ts: &r.ts[cut(r)..], stale: &[] }).collect();
        let part = samples(&late, &picks(DedupFunc::Coverage, &late));
        // Past the outage in which it may have begun.
        let late = |taken: Vec<(usize, i64)>| -> Vec<(usize, i64)> {
            taken.into_iter().filter(|&(_, t)| t > from + 5 * 20 * 15_000).collect()
        };
        prop_assert_eq!(late(part), late(whole));
    }

    /// Replicas with equal timestamps (series scraped together) change leaders together, and equal
    /// replicas lead to one slice.
    #[test]
    fn coverage_of_equal_replicas_is_the_first(sets in replicas()) {
        let only = Replica { ts: &sets[0].0, stale: &[] };
        prop_assume!(!only.ts.is_empty());
        let got = picks(DedupFunc::Coverage, &[only, only, only]);
        let whole = Pick { replica: 0, start: 0, end: only.ts.len(), settle: SETTLED };
        prop_assert_eq!(got, vec![whole]);
    }

    /// Any timestamps at all: every rule ends, ascends, and takes from its inputs.
    #[test]
    fn any_timestamps_are_survived(
        sets in prop::collection::vec(prop::collection::btree_set(any::<i64>(), 0..40), 0..5),
    ) {
        let sets: Vec<Vec<i64>> = sets.into_iter().map(|s| s.into_iter().collect()).collect();
        let replicas: Vec<Replica<'_>> =
            sets.iter().map(|ts| Replica { ts, stale: &[] }).collect();
        for func in [DedupFunc::Coverage, DedupFunc::Penalty, DedupFunc::Chain] {
            let got = samples(&replicas, &picks(func, &replicas));
            ascending_and_from_inputs(&replicas, &got)?;
        }
    }
}
