//! Replicas made one, from blocks to run batches.

use super::fixture::{Fixture, Samples, TestBlock, bits, labels, metric, options, run};
use super::{HOUR, block, counter, every};
use crate::dedup::{Pick, Replica, pick};
use crate::model::{Aggregates, Labels, MatchOp, Matcher, STALE_NAN_BITS, TimeRange};
use crate::source::DedupFunc;

fn replica(name: &str, series: Vec<(Labels, Samples)>) -> TestBlock {
    TestBlock {
        external: labels(&[("cluster", "c"), ("replica", name)]),
        ..block(0..2 * HOUR, series)
    }
}

fn m() -> Labels {
    labels(&[("__name__", "m"), ("job", "j")])
}

/// Replica a is down from 30 min to 1 h; values tell where a sample comes from.
fn outage() -> (Samples, Samples) {
    let mut a = every(15_000, 0..2 * HOUR, |t| t as f64);
    a.retain(|&(t, _)| !(HOUR / 2..HOUR).contains(&t));
    let b = every(15_000, 4_000..2 * HOUR, |t| t as f64 + 0.5);
    (a, b)
}

#[tokio::test]
async fn coverage_fills_what_the_leader_lacks() {
    let (a, b) = outage();
    let mut expected: Samples = a.iter().copied().filter(|&(t, _)| t < HOUR / 2).collect();
    let hole = HOUR / 2 - 15_000 + 7_500..=HOUR - 7_500;
    expected.extend(b.iter().copied().filter(|(t, _)| hole.contains(t)));
    expected.extend(a.iter().copied().filter(|&(t, _)| t >= HOUR));
    let expected = vec![(labels(&[("__name__", "m"), ("cluster", "c"), ("job", "j")]), expected)];
    // Whichever block comes first.
    for order in [["a", "b"], ["b", "a"]] {
        let samples = |name| if name == "a" { a.clone() } else { b.clone() };
        let blocks = order.map(|name| replica(name, vec![(m(), samples(name))]));
        let fixture = Fixture::of(blocks.into()).await;
        let select = metric("m", TimeRange::ALL);
        let got = fixture.read(&select, &options(Some(DedupFunc::Coverage))).await;
        assert_eq!(bits(&got), bits(&expected));
    }
}

#[tokio::test]
async fn chain_is_the_union_and_the_first_replica_wins() {
    let a = vec![(0, 1.0), (10, 2.0), (30, 3.0)];
    let b = vec![(10, 20.0), (20, 21.0), (30, 22.0), (40, 23.0)];
    let blocks = vec![replica("b", vec![(m(), b)]), replica("a", vec![(m(), a)])];
    let fixture = Fixture::of(blocks).await;
    let select = metric("m", TimeRange::ALL);
    let got = fixture.read(&select, &options(Some(DedupFunc::Chain))).await;
    assert_eq!(got[0].1, [(0, 1.0), (10, 2.0), (20, 21.0), (30, 3.0), (40, 23.0)]);
}

#[tokio::test]
async fn without_dedup_replicas_stay_apart() {
    let (a, b) = outage();
    let blocks = vec![replica("a", vec![(m(), a.clone())]), replica("b", vec![(m(), b.clone())])];
    let fixture = Fixture::of(blocks).await;
    let got = fixture.read(&metric("m", TimeRange::ALL), &options(None)).await;
    let own = |name| m().overlay(&labels(&[("cluster", "c"), ("replica", name)]));
    assert_eq!(bits(&got), bits(&[(own("a"), a), (own("b"), b)]));
}

/// One replica's scrape fails once; the marker that it wrote does not end the series.
#[tokio::test]
async fn a_stale_marker_of_one_replica_is_passed_over() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let mut a = every(15_000, 0..HOUR, |_| 1.0);
    a[100].1 = stale;
    let b = every(15_000, 4_000..HOUR, |_| 2.0);
    let blocks = vec![replica("a", vec![(m(), a)]), replica("b", vec![(m(), b)])];
    let fixture = Fixture::of(blocks).await;
    let select = metric("m", TimeRange::ALL);
    let got = fixture.read(&select, &options(Some(DedupFunc::Coverage))).await;
    let samples = &got[0].1;
    assert!(samples.iter().all(|(_, v)| v.to_bits() != STALE_NAN_BITS));
    assert!(samples.windows(2).all(|w| w[1].0 - w[0].0 <= 22_500));
    assert_eq!(samples[99], (99 * 15_000, 1.0));
    assert_eq!(samples[100], (100 * 15_000 + 4_000, 2.0));
    // Where timestamps rule, the marker is a sample like any other.
    let got = fixture.read(&select, &options(Some(DedupFunc::Penalty))).await;
    assert_eq!(got[0].1[100].1.to_bits(), STALE_NAN_BITS);
}

/// Replica b lags: its first value after the change is left out for a counter.
#[tokio::test]
async fn a_counter_does_not_fall_at_a_change() {
    let a: Samples = every(15_000, 0..HOUR / 2, |t| (t / 1_000) as f64);
    let b = every(15_000, 10_000..HOUR, |t| ((t - 40_000) / 1_000) as f64);
    let blocks = vec![replica("a", vec![(m(), a.clone())]), replica("b", vec![(m(), b.clone())])];
    let fixture = Fixture::of(blocks).await;
    let mut select = metric("m", TimeRange::ALL);
    let deduplicated = options(Some(DedupFunc::Coverage));
    let falls = |samples: &Samples| samples.windows(2).filter(|w| w[1].1 < w[0].1).count();
    let plain = fixture.read(&select, &deduplicated).await;
    assert_eq!(falls(&plain[0].1), 1);
    select.aggregates = Aggregates::COUNTER;
    let counter = fixture.read(&select, &deduplicated).await;
    assert_eq!(falls(&counter[0].1), 0);
    // At most one interval's samples are missing.
    assert!(plain[0].1.len() - counter[0].1.len() <= 2);
    assert!(counter[0].1.iter().all(|sample| a.contains(sample) || b.contains(sample)));
}

/// The replica label sits in the series themselves, and sorts before what tells series apart.
#[tokio::test]
async fn a_replica_label_among_own_labels() {
    let own = |replica: &str, pod: usize| {
        labels(&[("__name__", "m"), ("pod", &format!("p{pod}")), ("replica", replica)])
    };
    let (a, b) = outage();
    let series: Vec<(Labels, Samples)> =
        (0..40).flat_map(|pod| [(own("b", pod), b.clone()), (own("a", pod), a.clone())]).collect();
    let fixture = Fixture::of(vec![block(0..2 * HOUR, series)]).await;
    let select = metric("m", TimeRange::ALL);
    let got = fixture.read(&select, &options(Some(DedupFunc::Coverage))).await;
    assert_eq!(got.len(), 40);
    for (own, samples) in &got {
        assert_eq!(own.get("replica"), "");
        assert_eq!(samples[0], a[0]);
        assert!(samples.windows(2).all(|w| w[1].0 - w[0].0 <= 22_500));
    }
}

/// A compacted block lies beside the blocks that it was made from: every sample once.
#[tokio::test]
async fn overlapping_blocks_of_a_replica_are_merged() {
    let (a, b) = outage();
    let early = |s: &Samples| s.iter().copied().filter(|&(t, _)| t < HOUR).collect::<Samples>();
    for func in [DedupFunc::Coverage, DedupFunc::Chain] {
        let once = Fixture::of(vec![
            replica("a", vec![(m(), a.clone())]),
            replica("b", vec![(m(), b.clone())]),
        ])
        .await;
        let twice = Fixture::of(vec![
            replica("a", vec![(m(), a.clone())]),
            replica("a", vec![(m(), early(&a))]),
            replica("b", vec![(m(), early(&b))]),
            TestBlock { level: 2, ..replica("b", vec![(m(), b.clone())]) },
        ])
        .await;
        let select = metric("m", TimeRange::ALL);
        let expected = once.read(&select, &options(Some(func))).await;
        let got = twice.read(&select, &options(Some(func))).await;
        assert_eq!(bits(&got), bits(&expected), "{func:?}");
    }
}

/// Penalty takes overlapping pieces as replicas of their own, as Thanos does: each sample is still one
/// that was written, and time ascends.
#[tokio::test]
async fn overlapping_blocks_are_replicas_of_their_own_to_penalty() {
    let whole = every(15_000, 0..2 * HOUR, |t| t as f64);
    let late: Samples = whole.iter().copied().filter(|&(t, _)| t >= HOUR).collect();
    let other: Samples = late.iter().map(|&(t, v)| (t, v + 0.25)).collect();
    let blocks = vec![
        replica("a", vec![(m(), whole.clone())]),
        replica("a", vec![(m(), other)]),
        replica("b", vec![(m(), every(15_000, 4_000..2 * HOUR, |t| t as f64 + 0.5))]),
    ];
    let fixture = Fixture::of(blocks).await;
    let select = metric("m", TimeRange::ALL);
    let got = fixture.read(&select, &options(Some(DedupFunc::Penalty))).await;
    assert_eq!(got[0].1, whole);
}

#[tokio::test]
async fn the_higher_level_wins_on_equal_timestamps() {
    let level = |level, value: f64| TestBlock {
        level,
        ..replica("a", vec![(m(), every(15_000, 0..HOUR, |_| value))])
    };
    let fixture = Fixture::of(vec![level(2, 2.0), level(1, 1.0)]).await;
    let got = fixture.read(&metric("m", TimeRange::ALL), &options(None)).await;
    assert!(got[0].1.iter().all(|&(_, value)| value == 2.0));
    assert_eq!(got[0].1.len(), 240);
}

/// Long series of four replicas, several batches and waves: nothing is lost at their edges.
#[tokio::test]
async fn long_series_pass_the_edges_of_batches() {
    let name = |at: usize| ["a", "b", "c", "d"][at];
    let of = |at: usize, pod: i64| every(100, at as i64 * 20..2 * HOUR, move |t| (t + pod) as f64);
    let pods = 3;
    let blocks = (0..4).map(|at| {
        let series = (0..pods)
            .map(|pod| (labels(&[("__name__", "m"), ("pod", &format!("p{pod}"))]), of(at, pod)));
        replica(name(at), series.collect())
    });
    let fixture = Fixture::of(blocks.collect()).await;
    let select = metric("m", TimeRange::ALL);
    let got = fixture.read(&select, &options(Some(DedupFunc::Coverage))).await;
    for (pod, (_, samples)) in got.iter().enumerate() {
        assert_eq!(*samples, of(0, pod as i64));
    }
    let got = fixture.read(&select, &options(Some(DedupFunc::Chain))).await;
    assert_eq!(got[0].1.len(), 4 * 72_000);
    assert!(
        got.iter().enumerate().all(|(pod, (_, samples))| {
            samples.iter().all(|&(t, v)| v == (t + pod as i64) as f64)
        })
    );
}

/// A day in blocks of two hours, two replicas with outages of their own, series that only one of them
/// has, and stale markers: what is read late gives the answer of all samples.
#[tokio::test]
async fn the_other_replica_is_read_where_the_first_has_holes() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let pods = 60;
    // Of pod `pod`: when replica `of` scrapes it, in ms, and where its target fails.
    let scraped = |of: i64, pod: i64| -> Samples {
        let up = |scrape: &i64| match (pod % 10, of) {
            (0, 0) | (1, 1) => false,
            (2, 0) => *scrape >= 3_000,
            (3, 0) => *scrape < 3_000,
            (4, _) => (*scrape / 700) % 3 != of,
            (5, 0) => scrape % 977 != pod,
            _ => true,
        };
        (0..5_760)
            .filter(up)
            .map(|scrape| {
                let failed = pod % 10 >= 6 && (scrape + 40 * of) % 1_500 == 100 * pod;
                (scrape * 15_000 + of * 6_000, if failed { stale } else { scrape as f64 })
            })
            .collect()
    };
    let own = |pod: i64| labels(&[("__name__", "m"), ("pod", &format!("p{pod:02}"))]);
    let mut blocks = Vec::new();
    for of in [0, 1] {
        for at in 0..12 {
            let range = at * 2 * HOUR..(at + 1) * 2 * HOUR;
            let inside = |pod| -> Samples {
                let mut samples = scraped(of, pod);
                samples.retain(|(t, _)| range.contains(t));
                samples
            };
            let series = (0..pods).map(|pod| (own(pod), inside(pod)));
            let series = series.filter(|(_, samples)| !samples.is_empty()).collect();
            let external = labels(&[("replica", ["a", "b"][of as usize])]);
            blocks.push(TestBlock { external, ..block(range.clone(), series) });
        }
    }
    let fixture = Fixture::of(blocks).await;
    for range in [TimeRange::ALL, TimeRange::new(5 * HOUR + 7, 17 * HOUR + 3)] {
        let expected = (0..pods).map(|pod| {
            let both = [0, 1].map(|of| -> Samples {
                scraped(of, pod).into_iter().filter(|&(t, _)| range.contains(t)).collect()
            });
            let ts = both.each_ref().map(|s| s.iter().map(|&(t, _)| t).collect::<Vec<i64>>());
            let markers = both.each_ref().map(|samples| -> Vec<u32> {
                let marker = |&(_, value): &(i64, f64)| value.to_bits() == STALE_NAN_BITS;
                (0..).zip(samples).filter(|(_, s)| marker(s)).map(|(at, _)| at).collect()
            });
            let replicas = [0, 1].map(|of| Replica { ts: &ts[of], stale: &markers[of] });
            let mut picks = Vec::new();
            pick(DedupFunc::Coverage, &replicas, &mut picks);
            let of_pick = |p: &Pick| both[p.replica][p.start..p.end].to_vec();
            (own(pod), picks.iter().flat_map(of_pick).collect::<Samples>())
        });
        let expected: Vec<(Labels, Samples)> = expected.collect();
        let select = metric("m", range);
        let got = fixture.read(&select, &options(Some(DedupFunc::Coverage))).await;
        assert_eq!(bits(&got), bits(&expected));
    }
    // Of these ten series one has a hole in these two hours, over the edge of two blocks.
    let mut select = metric("m", TimeRange::new(HOUR, 3 * HOUR));
    select.matchers.push(Matcher::new("pod", MatchOp::Regex, "p4.").unwrap());
    let resolved = fixture.resolve(&select, &options(Some(DedupFunc::Coverage))).await;
    assert_eq!(run(&resolved).await.unwrap().len(), 10);
    assert_eq!(counter(&resolved.runs, "DedupExec", "pages_decoded"), 2);
}
