//! The source on blocks of the real writer, against what was written.

mod damage;
mod downsampled;
mod fanout;
pub(crate) mod fixture;
mod histograms;
mod pieces;
mod replicas;
mod starts;

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, displayable};
use proptest::prelude::*;

use self::fixture::{Fixture, Samples, TestBlock, bits, drain, matcher};
pub(in crate::source) use self::fixture::{labels, metric, options, run};
pub(crate) use self::histograms::native;
pub(in crate::source) use self::histograms::{Either, either, of_native};
use super::{
    Columns, DedupFunc, Extent, Parts, ReadLimits, Resolved, Select, SelectOptions, SeriesSource,
    SourceParts,
};
use crate::ErrorKind;
use crate::block::Block;
use crate::bucket::Bucket;
use crate::model::{Labels, MatchOp, Matcher, STALE_NAN_BITS, TimeRange};

pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn every(step: i64, range: std::ops::Range<i64>, value: impl Fn(i64) -> f64) -> Samples {
    range.step_by(step as usize).map(|t| (t, value(t))).collect()
}

pub(crate) fn block(range: std::ops::Range<i64>, series: Vec<(Labels, Samples)>) -> TestBlock {
    TestBlock {
        external: Labels::empty(),
        range,
        bucket_ms: 2 * HOUR,
        level: 1,
        series,
        start_of: None,
    }
}

/// A block with regular, jittered and constant series: pages in every encoding that the writer has.
pub(crate) async fn test_block() -> (Bucket, Block) {
    let mut random = 7u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random >> 33
    };
    let series: Vec<(Labels, Samples)> = (0..1_000)
        .map(|i| {
            let metric = ["regular", "jittered", "constant", "wild"][i / 250];
            let own = labels(&[("__name__", metric), ("pod", &format!("p{i:03}"))]);
            let sample = |scrape: i64| match metric {
                "regular" => (scrape * 15_000, (scrape * i as i64) as f64),
                "jittered" => (scrape * 15_000 + (next() % 5_000) as i64, next() as f64 / 3.0),
                "constant" => (scrape * 15_000, 1.0),
                _ => (scrape * 15_000 + (next() % 15_000) as i64, f64::from_bits(next() << 20)),
            };
            (own, (0..480).map(sample).collect())
        })
        .collect();
    let fixture = Fixture::of(vec![block(0..2 * HOUR, series)]).await;
    let meta = Arc::clone(&fixture.catalog.snapshot().blocks[0]);
    (fixture.bucket.clone(), Block::open(&fixture.bucket, meta).await.unwrap())
}

fn plain() -> SelectOptions {
    SelectOptions { dedup: false, ..SelectOptions::default() }
}

/// One extent a set of external labels, over all its blocks and no others.
#[tokio::test]
async fn extents_are_those_of_the_blocks() {
    let of = |replica: &str, hours: std::ops::Range<i64>| TestBlock {
        external: labels(&[("replica", replica)]),
        ..block(hours.start * HOUR..hours.end * HOUR, vec![(labels(&[("__name__", "m")]), vec![])])
    };
    let fixture = Fixture::of(vec![of("b", 2..4), of("a", 0..2), of("b", 6..8)]).await;
    let extent = |replica: &str, hours: std::ops::Range<i64>| Extent {
        labels: labels(&[("replica", replica)]),
        range: TimeRange::new(hours.start * HOUR, hours.end * HOUR - 1),
    };
    assert_eq!(fixture.source.extents(), [extent("a", 0..2), extent("b", 2..8)]);
    assert_eq!(Fixture::of(vec![]).await.source.extents(), []);
}

/// Twelve blocks of 2 h, 30 series with awkward values: what comes back is what was written.
#[tokio::test]
async fn many_blocks_come_back_bit_for_bit() {
    let odd = [f64::NAN, f64::INFINITY, -0.0, f64::from_bits(0x7ff8_dead_beef_0001), 1.5];
    let mut written: Vec<(Labels, Samples)> = Vec::new();
    for instance in 0..30 {
        let own = labels(&[("__name__", "m"), ("instance", &format!("i{instance:02}"))]);
        let value = |t: i64| odd[(t / 15_000 + instance) as usize % odd.len()] + 0.0 * t as f64;
        let value = move |t| if t % 60_000 == 0 { t as f64 } else { value(t) };
        written.push((own, every(15_000, 0..24 * HOUR, value)));
    }
    let cut = |at: i64| {
        let range = at * 2 * HOUR..(at + 1) * 2 * HOUR;
        let inside = |samples: &Samples| {
            samples.iter().copied().filter(|(t, _)| range.contains(t)).collect()
        };
        block(range.clone(), written.iter().map(|(l, s)| (l.clone(), inside(s))).collect())
    };
    let fixture = Fixture::of((0..12).map(cut).collect()).await;
    let got = fixture.read(&metric("m", TimeRange::ALL), &plain()).await;
    assert_eq!(bits(&got), bits(&written));
    // Any range, edges included.
    for (min, max) in
        [(0, 0), (HOUR + 1, HOUR + 14_999), (3 * HOUR, 9 * HOUR), (23 * HOUR, i64::MAX)]
    {
        let got = fixture.read(&metric("m", TimeRange::new(min, max)), &plain()).await;
        let mut expected = written.clone();
        expected.iter_mut().for_each(|(_, s)| s.retain(|&(t, _)| min <= t && t <= max));
        expected.retain(|(_, s)| !s.is_empty());
        assert_eq!(bits(&got), bits(&expected), "{min}..={max}");
    }
}

/// The parts of a roster, in any cut, have the samples of the whole, and count together.
#[tokio::test]
async fn parts_are_the_whole() {
    let series = (0..40).map(|i| {
        let own = labels(&[("__name__", ["a", "b"][i % 2]), ("pod", &format!("p{i:02}"))]);
        (own, every(30_000, 0..2 * HOUR, move |t| (t * (i as i64 + 1)) as f64))
    });
    let series: Vec<(Labels, Samples)> = series.collect();
    let fixture = Fixture::of(vec![
        block(0..2 * HOUR, series.clone()),
        block(0..2 * HOUR, series[..30].to_vec()),
    ])
    .await;
    let wanted = Select {
        matchers: vec![Matcher::new("__name__", MatchOp::Regex, "a|b").unwrap()],
        ..metric("a", TimeRange::new(0, 4 * HOUR - 1))
    };
    let whole = fixture.resolve(&wanted, &plain()).await;
    let whole = run(&whole).await.unwrap();
    let part = async |series: &[u32], limit: usize| {
        let options = SelectOptions { limits: ReadLimits::new(limit, u64::MAX), ..plain() };
        let resolved = fixture.source.resolve_parts(&wanted, &options).await.unwrap();
        let [SourceParts { roster, samples }] = &resolved.sources[..] else { panic!("one source") };
        let Parts::Runs(parts) = samples else { panic!("blocks are read in parts") };
        let mut found = Vec::new();
        for series in series.chunk_by(|&a, &b| b > a && b % 7 != 0) {
            let runs = parts.part(series)?;
            let some = Resolved { roster: Arc::clone(roster), runs, warnings: Vec::new() };
            for (at, (_, ts, values)) in run(&some).await?.into_iter().enumerate() {
                found.push((roster.labels(series[at] as usize), ts, values));
            }
        }
        crate::Result::Ok(found)
    };
    let backwards: Vec<u32> = (0..20).rev().chain(20..40).collect();
    for order in [(0..40).collect::<Vec<u32>>(), backwards] {
        let found = part(&order, usize::MAX).await.unwrap();
        let expected: Vec<_> = order.iter().map(|&at| whole[at as usize].clone()).collect();
        assert_eq!(found, expected);
    }
    let samples: usize = whole.iter().map(|(_, ts, _)| ts.len()).sum();
    let error: crate::Error = part(&(0..40).collect::<Vec<u32>>(), samples).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "both blocks are read");
}

/// A day's block with four time buckets: a series' samples lie in four places.
#[tokio::test]
async fn time_buckets_are_put_together() {
    let series = (0..50).map(|i| {
        let own = labels(&[("__name__", ["a", "b"][i % 2]), ("pod", &format!("p{i:02}"))]);
        (own, every(30_000, 0..24 * HOUR, move |t| (t * (i as i64 + 1)) as f64))
    });
    let series: Vec<(Labels, Samples)> = series.collect();
    let day = TestBlock { bucket_ms: 6 * HOUR, ..block(0..24 * HOUR, series.clone()) };
    let fixture = Fixture::of(vec![day]).await;
    for name in ["a", "b"] {
        let range = TimeRange::new(5 * HOUR, 13 * HOUR);
        let got = fixture.read(&metric(name, range), &plain()).await;
        let of_metric = series.iter().filter(|(l, _)| l.metric() == name);
        let expected: Vec<(Labels, Samples)> = of_metric
            .map(|(l, s)| {
                (l.clone(), s.iter().copied().filter(|&(t, _)| range.contains(t)).collect())
            })
            .collect();
        assert_eq!(bits(&got), bits(&expected));
    }
}

#[tokio::test]
async fn only_wanted_buckets_are_decoded() {
    let series: Vec<(Labels, Samples)> = (0..40)
        .map(|i| {
            let own = labels(&[("__name__", "m"), ("pod", &format!("p{i:02}"))]);
            (own, every(10_000, 0..24 * HOUR, |t| t as f64))
        })
        .collect();
    let day = TestBlock { bucket_ms: 6 * HOUR, ..block(0..24 * HOUR, series) };
    let fixture = Fixture::of(vec![day]).await;
    let range = TimeRange::new(7 * HOUR, 7 * HOUR + 300_000);
    let resolved = fixture.resolve(&metric("m", range), &plain()).await;
    drain(&resolved.runs).await.unwrap();
    let decoded = counter(&resolved.runs, "ScanExec", "pages_decoded");
    // 40 series of 2,160 rows in the bucket: six pages of 16 Ki rows, and not 24.
    assert!((1..=7).contains(&decoded), "{decoded} pages");
}

fn counter(plan: &Arc<dyn ExecutionPlan>, operator: &str, name: &str) -> usize {
    if plan.name() == operator {
        return plan.metrics().unwrap().sum_by_name(name).unwrap().as_usize();
    }
    counter(plan.children()[0], operator, name)
}

/// Series are born and die between blocks; the roster is in block order whatever block has them.
#[tokio::test]
async fn churn_keeps_block_order() {
    let own = |i: usize| labels(&[("__name__", "m"), ("job", "j"), ("pod", &format!("p{i:03}"))]);
    let part = |at: i64, pods: &[usize]| {
        let range = at * 2 * HOUR..(at + 1) * 2 * HOUR;
        let series = pods.iter().map(|&i| (own(i), every(60_000, range.clone(), |t| t as f64)));
        block(range.clone(), series.collect())
    };
    let blocks = vec![part(0, &[5, 9, 700]), part(1, &[1, 5, 8, 900]), part(2, &[0, 8, 9, 701])];
    let fixture = Fixture::of(blocks).await;
    let got = fixture.read(&metric("m", TimeRange::ALL), &plain()).await;
    let names: Vec<&str> = got.iter().map(|(l, _)| l.get("pod")).collect();
    assert_eq!(names, ["p000", "p001", "p005", "p008", "p009", "p700", "p701", "p900"]);
    let nine = &got[4].1;
    assert_eq!(nine.len(), 240);
    assert_eq!((nine[119].0, nine[120].0), (2 * HOUR - 60_000, 4 * HOUR));
}

#[tokio::test]
async fn matchers_meet_external_labels() {
    let own = labels(&[("__name__", "m"), ("cluster", "own"), ("zone", "z")]);
    let series = |value: f64| vec![(own.clone(), vec![(0, value)])];
    let external = |pairs| TestBlock { external: labels(pairs), ..block(0..HOUR, series(1.0)) };
    let fixture = Fixture::of(vec![
        external(&[("cluster", "a")]),
        external(&[("cluster", "b")]),
        external(&[("region", "r")]),
    ])
    .await;
    let count = async |op: MatchOp, name: &str, value: &str| {
        let mut select = metric("m", TimeRange::ALL);
        select.matchers.push(Matcher::new(name, op, value).unwrap());
        fixture.read(&select, &plain()).await.len()
    };
    assert_eq!(count(MatchOp::Equal, "cluster", "a").await, 1);
    // An external label wins over the series' own label.
    assert_eq!(count(MatchOp::Equal, "cluster", "own").await, 1);
    assert_eq!(count(MatchOp::NotEqual, "cluster", "a").await, 2);
    assert_eq!(count(MatchOp::Regex, "cluster", "a|b").await, 2);
    assert_eq!(count(MatchOp::Equal, "region", "").await, 2);
    assert_eq!(count(MatchOp::NotEqual, "region", "").await, 1);
    assert_eq!(count(MatchOp::Equal, "absent", "").await, 3);
}

#[tokio::test]
async fn metadata_is_that_of_the_matching_series() {
    let mut first = block(
        0..HOUR,
        vec![
            (labels(&[("__name__", "m"), ("job", "a")]), vec![(0, 1.0)]),
            (labels(&[("__name__", "n"), ("job", "b"), ("le", "1")]), vec![(0, 1.0)]),
        ],
    );
    first.external = labels(&[("cluster", "c"), ("replica", "0")]);
    let mut second = block(
        HOUR..2 * HOUR,
        vec![(labels(&[("__name__", "m"), ("job", "a")]), vec![(HOUR, 1.0)])],
    );
    second.external = labels(&[("cluster", "c"), ("replica", "1")]);
    let fixture = Fixture::of(vec![first, second]).await;
    let source = &fixture.source;
    let (all, deduplicated) = (TimeRange::ALL, options(Some(DedupFunc::Coverage)));
    let series = source.series(&[], all, &deduplicated, 0).await.unwrap().items;
    let text: Vec<String> = series.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            r#"{__name__="m", cluster="c", job="a"}"#,
            r#"{__name__="n", cluster="c", job="b", le="1"}"#,
        ]
    );
    assert_eq!(source.series(&[], all, &options(None), 0).await.unwrap().items.len(), 3);
    let limited = source.series(&[], all, &deduplicated, 1).await.unwrap();
    assert_eq!((limited.items.len(), limited.truncated), (1, true));
    let names = source.label_names(&[matcher("job", "a")], all, &deduplicated, 0).await.unwrap();
    assert_eq!(names.items, ["__name__", "cluster", "job"]);
    let names = source.label_names(&[], all, &options(None), 0).await.unwrap();
    assert_eq!(names.items, ["__name__", "cluster", "job", "le", "replica"]);
    let values = async |name: &str, range| {
        source.label_values(name, &[], range, &deduplicated, 0).await.unwrap().items
    };
    assert_eq!(values("job", all).await, ["a", "b"]);
    assert_eq!(values("job", TimeRange::new(HOUR, 2 * HOUR)).await, ["a"]);
    assert!(values("replica", all).await.is_empty());
    let replicas = source.label_values("replica", &[], all, &options(None), 0).await.unwrap();
    assert_eq!(replicas.items, ["0", "1"]);
    assert!(values("nothing", all).await.is_empty());
}

#[tokio::test]
async fn timestamps_alone_leave_values_unread() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let alive = (labels(&[("__name__", "m"), ("pod", "a")]), every(15_000, 0..HOUR, |_| 1.0));
    let mut samples = every(15_000, 0..HOUR / 2, |_| 2.0);
    samples.push((HOUR / 2, stale));
    let dead = (labels(&[("__name__", "m"), ("pod", "b")]), samples.clone());
    let fixture = Fixture::of(vec![block(0..HOUR, vec![alive, dead])]).await;
    let mut select = metric("m", TimeRange::ALL);
    select.columns = Columns::Timestamps;
    let got = run(&fixture.resolve(&select, &plain()).await).await.unwrap();
    assert_eq!((got[0].1.len(), &got[0].2), (240, &None));
    let values: Vec<u64> = got[1].2.as_ref().unwrap().iter().map(|v| v.to_bits()).collect();
    let expected: Vec<u64> = samples.iter().map(|(_, v)| v.to_bits()).collect();
    assert_eq!(values, expected);
    select.matchers.push(matcher("pod", "a"));
    let resolved = fixture.resolve(&select, &plain()).await;
    drain(&resolved.runs).await.unwrap();
    assert_eq!(counter(&resolved.runs, "ValuesExec", "bytes_fetched"), 0);
}

#[tokio::test]
async fn limits_end_a_query() {
    let series = (0..20).map(|i| {
        let own = labels(&[("__name__", "m"), ("pod", &format!("p{i}"))]);
        (own, every(15_000, 0..HOUR, |_| 1.0))
    });
    let fixture = Fixture::of(vec![block(0..HOUR, series.collect())]).await;
    let select = metric("m", TimeRange::ALL);
    let few = SelectOptions { series_limit: 19, ..plain() };
    let error = fixture.source.resolve(&select, &few).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
    assert!(error.message().contains("more than 19 series"), "{error}");
    let few = SelectOptions { limits: ReadLimits::new(4_799, u64::MAX), ..plain() };
    let error = run(&fixture.resolve(&select, &few).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
    assert!(error.message().contains("more than 4799 samples"), "{error}");
    let enough =
        SelectOptions { series_limit: 20, limits: ReadLimits::new(4_800, u64::MAX), ..plain() };
    assert_eq!(fixture.read(&select, &enough).await.len(), 20);
    let error = run(&fixture.resolve(&select, &enough).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "the same query has read them already");
    let few = SelectOptions { limits: ReadLimits::new(usize::MAX, 100), ..plain() };
    let error = run(&fixture.resolve(&select, &few).await).await.unwrap_err();
    assert!(error.message().contains("more than 100 bytes"), "{error}");
}

#[tokio::test]
async fn nothing_that_matches_is_an_empty_stream() {
    let fixture = Fixture::new();
    fixture.catalog.sync().await.unwrap();
    let deduplicated = options(Some(DedupFunc::Coverage));
    assert!(fixture.read(&metric("m", TimeRange::ALL), &deduplicated).await.is_empty());
}

/// The operators are separate, keep order, and count.
#[tokio::test]
async fn the_plan_shows_its_operators() {
    let series = vec![(labels(&[("__name__", "m")]), every(15_000, 0..HOUR, |_| 1.0))];
    let replica = |name| TestBlock {
        external: labels(&[("replica", name)]),
        ..block(0..HOUR, series.clone())
    };
    let fixture = Fixture::of(vec![replica("a"), replica("b")]).await;
    let select = metric("m", TimeRange::new(0, HOUR));
    let resolved = fixture.resolve(&select, &options(Some(DedupFunc::Coverage))).await;
    let shown = displayable(resolved.runs.as_ref()).indent(false).to_string();
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "ValuesExec: columns=[value], counter=false",
            "DedupExec: func=coverage, replicated=true, others=where the first has holes",
            "MergeExec: overlaps=none",
            "ScanExec: blocks=2, series=1, range=[0, 3600000], columns=[ts], replicas=first",
        ]
    );
    assert_eq!(drain(&resolved.runs).await.unwrap(), 1);
    let mut plan = &resolved.runs;
    loop {
        assert_eq!(plan.benefits_from_input_partitioning(), vec![false; plan.children().len()]);
        let metrics = plan.metrics().unwrap();
        let has = |name: &str| metrics.iter().any(|metric| metric.value().name() == name);
        for name in ["output_rows", "output_batches", "elapsed_compute", "peak_memory"] {
            assert!(has(name), "{} has no {name}", plan.name());
        }
        assert!(metrics.output_rows() > Some(0) && metrics.elapsed_compute() > Some(0));
        match plan.children().first() {
            Some(child) => plan = child,
            None => break,
        }
    }
}

/// Series, blocks and replicas at random, read with dedup off: exactly what was written.
fn random_blocks() -> impl Strategy<Value = Vec<(usize, i64, Vec<(usize, Vec<i64>)>)>> {
    let times = prop::collection::btree_set(0i64..500, 1..40)
        .prop_map(|s| s.into_iter().collect::<Vec<i64>>());
    let series = prop::collection::btree_map(0usize..6, times, 1..6)
        .prop_map(|m| m.into_iter().collect::<Vec<_>>());
    prop::collection::vec((0usize..2, 0i64..4, series), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_blocks_come_back_as_written(blocks in random_blocks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut fixture = Fixture::new();
            let mut expected = std::collections::BTreeMap::new();
            // Later blocks win, because all are of one level and their ids ascend.
            for (number, (replica, slot, series)) in blocks.iter().enumerate() {
                let start = slot * 400;
                let replica = ["a", "b"][*replica];
                let series: Vec<(Labels, Samples)> = series
                    .iter()
                    .map(|(pod, times)| {
                        let own = labels(&[("__name__", "m"), ("pod", &format!("p{pod}"))]);
                        let value = |t: i64| (t * 1_000 + number as i64) as f64;
                        (own, times.iter().map(|&t| (start + t, value(t))).collect())
                    })
                    .collect();
                for (own, samples) in &series {
                    let full = own.overlay(&labels(&[("replica", replica)])).to_string();
                    let of_series: &mut std::collections::BTreeMap<i64, u64> =
                        expected.entry(full).or_default();
                    of_series.extend(samples.iter().map(|&(t, v)| (t, v.to_bits())));
                }
                let external = labels(&[("replica", replica)]);
                // Slots of 400 ms, blocks of 500: neighbours overlap.
                let written = TestBlock {
                    external, range: start..start + 500, bucket_ms: 128, level: 1, series,
                    start_of: None,
                };
                fixture.add(written).await;
            }
            let got = fixture.read(&metric("m", TimeRange::ALL), &options(None)).await;
            let mut got = bits(&got);
            got.sort();
            let expected: Vec<(String, Vec<(i64, u64)>)> =
                expected.into_iter().map(|(l, s)| (l, s.into_iter().collect())).collect();
            assert_eq!(got, expected);
        });
    }
}
