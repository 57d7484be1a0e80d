//! Several sources against merging by hand; sources that fail, hang, or cannot have anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use proptest::prelude::*;

use super::fixture::{Samples, bits, labels, matcher, metric, options, run};
use crate::dedup::{Pick, Replica, pick};
use crate::model::{Labels, Matcher, TimeRange, is_stale};
use crate::source::{
    Child, DedupFunc, Extent, FanoutSource, Listing, MemorySource, Resolved, Select, SelectOptions,
    SeriesSource,
};
use crate::{Error, ErrorKind, Result};

const PATIENCE: Duration = Duration::from_secs(10);

fn fanout(children: Vec<(&str, Arc<dyn SeriesSource>)>) -> FanoutSource {
    let child = |(name, source): (&str, Arc<dyn SeriesSource>)| Child {
        name: name.to_owned(),
        source,
        deduplicates: false,
        remote: false,
    };
    let children: Vec<Child> = children.into_iter().map(child).collect();
    FanoutSource::new(Arc::new(children), PATIENCE)
}

fn memory(series: Vec<(Labels, Samples)>) -> Arc<dyn SeriesSource> {
    Arc::new(MemorySource::new(series))
}

fn m(replica: &str, job: &str) -> Labels {
    labels(&[("__name__", "m"), ("job", job), ("replica", replica)])
}

/// Executes the plan.
async fn drain(resolved: &Resolved) -> Result<Vec<(Labels, Samples)>> {
    let with_values = |(labels, ts, values): (Labels, Vec<i64>, Option<Vec<f64>>)| {
        (labels, ts.into_iter().zip(values.expect("values")).collect())
    };
    Ok(run(resolved).await?.into_iter().map(with_values).collect())
}

/// The answer by labels.
async fn answer(source: &dyn SeriesSource, options: &SelectOptions) -> BTreeMap<Labels, Samples> {
    let resolved = source.resolve(&metric("m", TimeRange::ALL), options).await.unwrap();
    drain(&resolved).await.unwrap().into_iter().collect()
}

/// A source that answers as `answer` says, and counts how often it is asked.
#[derive(Debug)]
struct Odd {
    answer: Answer,
    extents: Vec<Extent>,
    asked: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Fails(ErrorKind),
    Hangs,
}

impl Odd {
    fn new(answer: Answer) -> Arc<Self> {
        let everything = Extent { labels: Labels::empty(), range: TimeRange::ALL };
        Self::with_extents(answer, vec![everything])
    }

    fn with_extents(answer: Answer, extents: Vec<Extent>) -> Arc<Self> {
        Arc::new(Self { answer, extents, asked: AtomicUsize::new(0) })
    }

    async fn answer<T>(&self) -> Result<T> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.answer {
            Answer::Fails(kind) => Err(Error::new(kind, "odd:10901: broken")),
            Answer::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl SeriesSource for Odd {
    fn extents(&self) -> Vec<Extent> {
        self.extents.clone()
    }

    async fn resolve(&self, _: &Select, _: &SelectOptions) -> Result<Resolved> {
        self.answer().await
    }

    async fn series(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<Labels>> {
        self.answer().await
    }

    async fn label_names(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        self.answer().await
    }

    async fn label_values(
        &self,
        _: &str,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        self.answer().await
    }
}

/// The table in the module's documentation: the seam of a bucket and a sidecar.
#[tokio::test]
async fn copies_of_one_replica_give_each_sample_once() {
    let bucket = [0, 15, 30, 45].map(|t| (t * 1000, t as f64)).to_vec();
    let sidecar = [30, 45, 60, 75, 90].map(|t| (t * 1000, -(t as f64))).to_vec();
    let expected: Samples = [0.0, 15.0, 30.0, 45.0, -60.0, -75.0, -90.0]
        .map(|value: f64| (value.abs() as i64 * 1000, value))
        .to_vec();
    let source = fanout(vec![
        ("bucket", memory(vec![(m("a", "x"), bucket)])),
        ("sidecar", memory(vec![(m("a", "x"), sidecar)])),
    ]);
    let plain = SelectOptions { dedup: false, ..options(None) };
    assert_eq!(answer(&source, &plain).await, BTreeMap::from([(m("a", "x"), expected.clone())]));
    let one = labels(&[("__name__", "m"), ("job", "x")]);
    for func in [DedupFunc::Coverage, DedupFunc::Chain] {
        let got = answer(&source, &options(Some(func))).await;
        assert_eq!(got, BTreeMap::from([(one.clone(), expected.clone())]), "{func:?}");
    }
    // Thanos' rule takes the copy for a replica, and lets it in after twice the last step.
    let got = answer(&source, &options(Some(DedupFunc::Penalty))).await;
    let times: Vec<i64> = got[&one].iter().map(|&(t, _)| t).collect();
    assert_eq!(times, [0, 15_000, 30_000, 45_000, 90_000]);
}

#[tokio::test]
async fn failures_are_warnings_or_errors() {
    let good = || memory(vec![(m("a", "x"), vec![(0, 1.0)])]);
    let select = metric("m", TimeRange::ALL);
    let broken = Odd::new(Answer::Fails(ErrorKind::Unavailable));
    let source = fanout(vec![("odd:10901", broken), ("good:10901", good())]);
    let resolved = source.resolve(&select, &options(None)).await.unwrap();
    assert_eq!(resolved.warnings, ["odd:10901: broken"]);
    assert_eq!(drain(&resolved).await.unwrap().len(), 1);
    let listing = source.label_names(&[], TimeRange::ALL, &options(None), 0).await.unwrap();
    assert_eq!(listing.warnings, ["odd:10901: broken"]);
    assert_eq!(listing.items, ["__name__", "job", "replica"]);
    let whole = SelectOptions { partial_response: false, ..options(None) };
    let error = source.resolve(&select, &whole).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "odd:10901: broken"));
    // What is wrong with the query is wrong everywhere.
    let limit = Odd::new(Answer::Fails(ErrorKind::ResourcesExhausted));
    let source = fanout(vec![("odd:10901", limit), ("good:10901", good())]);
    assert!(source.resolve(&select, &options(None)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_does_not_hold_up_the_rest() {
    let hanging = Odd::new(Answer::Hangs);
    let good = memory(vec![(m("a", "x"), vec![(0, 1.0)])]);
    let source = fanout(vec![("slow:10901", hanging), ("good:10901", good)]);
    let select = metric("m", TimeRange::ALL);
    let resolved = source.resolve(&select, &options(None)).await.unwrap();
    assert_eq!(resolved.warnings, ["slow:10901: no answer within 10s"]);
    assert_eq!(drain(&resolved).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_cannot_have_anything_is_not_asked() {
    let extent = |replica: &str, min, max| Extent {
        labels: labels(&[("replica", replica)]),
        range: TimeRange::new(min, max),
    };
    let odd = |extents| Odd::with_extents(Answer::Fails(ErrorKind::Unavailable), extents);
    let others = [odd(vec![extent("b", 0, 9)]), odd(vec![extent("a", 11, 20)]), odd(vec![])];
    let fits = odd(vec![extent("b", 0, 9), extent("a", 0, 10)]);
    let children = others.iter().chain([&fits]).map(|odd| ("x", Arc::clone(odd) as _)).collect();
    let source = fanout(children);
    let matchers = vec![matcher("__name__", "m"), matcher("replica", "a")];
    let select = Select { matchers, ..metric("m", TimeRange::new(10, 10)) };
    let resolved = source.resolve(&select, &options(None)).await.unwrap();
    assert_eq!(resolved.warnings.len(), 1);
    assert!(resolved.roster.is_empty() && drain(&resolved).await.unwrap().is_empty());
    let asked = |odd: &Arc<Odd>| odd.asked.load(Ordering::Relaxed);
    assert_eq!((others.iter().map(asked).sum::<usize>(), asked(&fits)), (0, 1));
    // By address.
    let source_matchers = vec![vec![matcher("__address__", "y")]];
    let elsewhere = SelectOptions { source_matchers, ..options(None) };
    assert!(source.resolve(&select, &elsewhere).await.unwrap().warnings.is_empty());
    assert_eq!(source.extents(), [extent("a", 0, 20), extent("b", 0, 9)]);
}

/// A child in the worst order is buffered under the pool of the query.
#[tokio::test]
async fn what_is_buffered_is_accounted() {
    let series = |at: i64| (m("a", &format!("{at:04}")), vec![(0, at as f64); 1]);
    let long = |at: i64| {
        let (labels, _) = series(at);
        (labels, (0..1000).map(|t| (t, at as f64)).collect::<Samples>())
    };
    let forwards = memory((0..100).map(series).collect());
    let backwards = memory((0..100).rev().map(long).collect());
    let source = fanout(vec![("one", forwards), ("two", backwards)]);
    let select = metric("m", TimeRange::ALL);
    let resolved = source.resolve(&select, &options(Some(DedupFunc::Coverage))).await.unwrap();
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(1 << 20)))
        .build_arc()
        .unwrap();
    let context = Arc::new(TaskContext::default().with_runtime(runtime));
    let mut stream = resolved.runs.execute(0, context).unwrap();
    let first = futures::StreamExt::next(&mut stream).await.unwrap();
    let error: Error = first.unwrap_err().into();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
    assert_eq!(drain(&resolved).await.unwrap().len(), 100);
}

/// By hand: each replica's samples, of equal timestamps the first source's; then the rule itself.
fn by_hand(
    sources: &[Vec<(Labels, Samples)>],
    dedup: Option<DedupFunc>,
) -> BTreeMap<Labels, Samples> {
    let mut replicas: BTreeMap<(Labels, Labels), BTreeMap<i64, f64>> = BTreeMap::new();
    for (full, samples) in sources.iter().flatten() {
        let is_replica = |name: &str| dedup.is_some() && name == "replica";
        let key = (full.filter(|name| !is_replica(name)), full.filter(is_replica));
        let replica = replicas.entry(key).or_default();
        for &(t, v) in samples {
            replica.entry(t).or_insert(v);
        }
    }
    let mut series: BTreeMap<Labels, Vec<Samples>> = BTreeMap::new();
    for ((labels, _), samples) in replicas {
        series.entry(labels).or_default().push(samples.into_iter().collect());
    }
    let one = |replicas: Vec<Samples>| -> Samples {
        let Some(func) = dedup else { return replicas.concat() };
        let ts: Vec<Vec<i64>> = replicas.iter().map(|r| r.iter().map(|s| s.0).collect()).collect();
        let stale: Vec<Vec<u32>> = replicas
            .iter()
            .map(|r| (0..r.len() as u32).filter(|&at| is_stale(r[at as usize].1)).collect())
            .collect();
        let slices: Vec<Replica<'_>> =
            ts.iter().zip(&stale).map(|(ts, stale)| Replica { ts, stale }).collect();
        let mut picks: Vec<Pick> = Vec::new();
        pick(func, &slices, &mut picks);
        picks.iter().flat_map(|p| replicas[p.replica][p.start..p.end].iter().copied()).collect()
    };
    let mut series: BTreeMap<Labels, Samples> =
        series.into_iter().map(|(labels, replicas)| (labels, one(replicas))).collect();
    series.retain(|_, samples| !samples.is_empty());
    series
}

fn samples() -> impl Strategy<Value = Samples> {
    let value = prop_oneof![
        4 => (-5i32..5).prop_map(f64::from),
        1 => Just(f64::from_bits(crate::model::STALE_NAN_BITS)),
    ];
    prop::collection::btree_map(0i64..200, value, 0..25)
        .prop_map(|samples| samples.into_iter().map(|(t, v)| (t * 1000, v)).collect())
}

fn source() -> impl Strategy<Value = Vec<(Labels, Samples)>> {
    let key =
        (prop::sample::select(vec!["a", "b", "c"]), prop::sample::select(vec!["x", "y", "z"]));
    prop::collection::hash_map(key, samples(), 0..7).prop_map(|series| {
        // A hash map's order is any order.
        let labels = |(replica, job): (&str, &str)| m(replica, job);
        series.into_iter().map(|(key, samples)| (labels(key), samples)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn several_sources_are_one(sources in prop::collection::vec(source(), 2..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let children = sources.iter().map(|series| ("x", memory(series.clone()))).collect();
        let fanned = fanout(children);
        for dedup in [None, Some(DedupFunc::Coverage), Some(DedupFunc::Chain)] {
            let got = runtime.block_on(answer(&fanned, &options(dedup)));
            let expected: Vec<_> = by_hand(&sources, dedup).into_iter().collect();
            let got: Vec<_> = got.into_iter().collect();
            prop_assert_eq!(bits(&got), bits(&expected), "{:?}", dedup);
        }
    }
}
