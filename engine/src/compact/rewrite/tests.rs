//! Blocks rewritten and read again, against their sources as queries read them.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use proptest::prelude::*;

use super::{RewriteOptions, Rewritten, read_back, rewrite};
use crate::block::meta::{Compaction, META_FILE};
use crate::block::{BlockId, BlockMeta, BlockSettings, Digest, verify};
use crate::bucket::commit;
use crate::model::{Aggregates, Labels, STALE_NAN_BITS, TimeRange};
use crate::scan::BlockCache;
use crate::source::tests::fixture::{Fixture, Samples, TestBlock, bits, labels, options};
use crate::source::tests::{HOUR, block, every, native};
use crate::source::{Columns, DedupFunc, Select};
use crate::{ErrorKind, Result};

const EVERYTHING: fn() -> Select = || Select {
    matchers: Vec::new(),
    range: TimeRange::ALL,
    columns: Columns::Values,
    aggregates: Aggregates::default(),
    max_resolution: 0,
};

/// Rewrites all blocks of the bucket to one without the label `replica`, in buckets of `bucket_ms`.
async fn rewritten(
    fixture: &Fixture,
    dedup: Option<DedupFunc>,
    bucket_ms: i64,
    pick_bytes: usize,
    dir: &std::path::Path,
) -> Result<Rewritten> {
    let sources = fixture.catalog.snapshot().blocks.clone();
    let min_time = sources.iter().map(|meta| meta.min_time).min().unwrap();
    let max_time = sources.iter().map(|meta| meta.max_time).max().unwrap();
    let ids = sources.iter().map(|meta| meta.ulid).collect();
    let external = sources[0].external_labels().unwrap().filter(|name| name != "replica");
    let settings = BlockSettings {
        ulid: BlockId(ulid::Ulid::from_parts(1 << 40, bucket_ms as u128)),
        external_labels: external,
        source: "compactor".to_owned(),
        resolution_ms: 0,
        min_time,
        max_time,
        bucket_ms,
        compaction: Compaction { level: 2, sources: ids, parents: vec![] },
    };
    let options = RewriteOptions { settings, dedup, pick_bytes };
    let cache = BlockCache::new(fixture.bucket.clone(), 64 << 20);
    let context = Arc::new(TaskContext::default());
    rewrite(&fixture.catalog, &cache, &sources, options, dir, &context).await
}

/// The same, committed; the bucket's sources stay.
async fn committed(fixture: &Fixture, dedup: Option<DedupFunc>, bucket_ms: i64) -> Rewritten {
    let dir = tempfile::tempdir().unwrap();
    let made = rewritten(fixture, dedup, bucket_ms, 1 << 20, dir.path()).await.unwrap();
    commit(&fixture.bucket, dir.path(), &made.meta).await.unwrap();
    let report = verify(&fixture.bucket, made.meta.ulid).await.unwrap();
    assert_eq!(report.problems, [""; 0]);
    let meta = Arc::new(made.meta.clone());
    let cache = BlockCache::new(fixture.bucket.clone(), 64 << 20);
    let context = Arc::new(TaskContext::default());
    read_back(&fixture.catalog, &cache, &meta, 1 << 20, dir.path(), &context).await.unwrap();
    made
}

/// What queries read of the bucket, replicas made one by `dedup`.
async fn read(fixture: &Fixture, dedup: DedupFunc) -> Vec<(Labels, Samples)> {
    fixture.read(&EVERYTHING(), &options(Some(dedup))).await
}

fn sources_digest(metas: &[Arc<BlockMeta>]) -> Digest {
    let mut sum = Digest::default();
    for meta in metas {
        sum.merge(&meta.stoa.digest.parse().unwrap());
    }
    sum
}

fn of(metric: &str, pod: &str) -> Labels {
    labels(&[("__name__", metric), ("pod", pod)])
}

/// A replica's block, its two metrics of pods that come and go.
fn replica(name: &str, start: i64, offset: i64, holes: &[i64]) -> TestBlock {
    let range = start..start + 2 * HOUR;
    let samples = |salt: f64| -> Samples {
        let all = every(15_000, range.start + offset..range.end, |t| t as f64 + salt);
        all.into_iter().filter(|(t, _)| !holes.contains(&(t / 600_000))).collect()
    };
    let series = vec![
        (of("a", "1"), samples(0.1)),
        (of("a", &format!("of {start}")), samples(0.2)),
        (of("b", "1"), samples(0.3)),
    ];
    let external = match name {
        "" => labels(&[("cluster", "c")]),
        name => labels(&[("cluster", "c"), ("replica", name)]),
    };
    TestBlock { external, ..block(range, series) }
}

#[tokio::test]
async fn blocks_of_one_replica_become_one_and_nothing_else_changes() {
    let blocks = (0..4).map(|at| replica("", at * 2 * HOUR, 1_000, &[]));
    let fixture = Fixture::of(blocks.collect()).await;
    let sources = fixture.catalog.snapshot().blocks.clone();
    let before = read(&fixture, DedupFunc::Chain).await;
    for bucket_ms in [2 * HOUR, 6 * HOUR, 24 * HOUR] {
        let made = committed(&fixture, None, bucket_ms).await;
        assert_eq!(made.meta.stoa.digest, sources_digest(&sources).to_string());
        assert_eq!(made.account.left_out(), 0);
        fixture.catalog.sync().await.unwrap();
        let blocks = fixture.catalog.snapshot().blocks.clone();
        assert_eq!(blocks.len(), 1, "the sources are covered");
        assert_eq!(bits(&read(&fixture, DedupFunc::Chain).await), bits(&before));
        crate::bucket::delete_block(&fixture.bucket, made.meta.ulid).await.unwrap();
        fixture.catalog.sync().await.unwrap();
    }
}

#[tokio::test]
async fn histograms_and_start_timestamps_stay() {
    let mut fixture = Fixture::new();
    for at in 0..3 {
        let floats = replica("", at * 2 * HOUR, 0, &[]);
        let block = TestBlock { start_of: Some(|t| t / 7_200_000 * 7_200_000 - 1), ..floats };
        let natives = |step: i64, count: u64| {
            let times = (at * 2 * HOUR + 7..(at + 1) * 2 * HOUR).step_by(step as usize);
            times.map(|t| (t, native(count + t as u64 / 1000))).collect()
        };
        // One series has floats and histograms.
        let histograms =
            vec![(of("a", "1"), natives(900_000, 3)), (of("h", "1"), natives(15_000, 5))];
        fixture.add_with(block, histograms).await;
    }
    let sources = fixture.catalog.snapshot().blocks.clone();
    for bucket_ms in [2 * HOUR, 6 * HOUR] {
        let made = committed(&fixture, None, bucket_ms).await;
        assert_eq!(made.meta.stoa.digest, sources_digest(&sources).to_string());
        assert!(made.meta.stats.num_histogram_samples > 1_440);
        crate::bucket::delete_block(&fixture.bucket, made.meta.ulid).await.unwrap();
    }
}

#[tokio::test]
async fn a_late_block_is_merged_in() {
    let mut fixture =
        Fixture::of((0..2).map(|at| replica("", at * 2 * HOUR, 0, &[3, 14])).collect()).await;
    // What the first block lacks, and some of what it has.
    let late: Samples = every(15_000, 1_000_000..3_000_000, |t| t as f64 + 0.1);
    fixture.add(TestBlock { level: 2, ..replica("", 0, 0, &[]) }).await;
    let series = vec![(of("a", "1"), late.clone()), (of("new", "1"), late)];
    let external = labels(&[("cluster", "c")]);
    fixture.add(TestBlock { external, ..block(0..2 * HOUR, series) }).await;
    let before = read(&fixture, DedupFunc::Chain).await;
    let made = committed(&fixture, None, 2 * HOUR).await;
    assert!(made.account.left_out() > 1_000);
    fixture.catalog.sync().await.unwrap();
    assert_eq!(bits(&read(&fixture, DedupFunc::Chain).await), bits(&before));
}

#[tokio::test]
async fn picks_on_disk_give_the_same_bytes() {
    let blocks = (0..2).flat_map(|at| {
        [replica("a", at * 2 * HOUR, 0, &[2]), replica("b", at * 2 * HOUR, 4_000, &[7, 8])]
    });
    let fixture = Fixture::of(blocks.collect()).await;
    let mut files = Vec::new();
    for pick_bytes in [0, 1 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let func = Some(DedupFunc::Chain);
        let made = rewritten(&fixture, func, 2 * HOUR, pick_bytes, dir.path()).await.unwrap();
        let names: BTreeSet<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let block = ["samples.parquet", "series.parquet", META_FILE].map(str::to_owned);
        assert_eq!(names, block.into(), "no picks stay");
        files.push(
            names
                .iter()
                .map(|name| std::fs::read(dir.path().join(name)).unwrap())
                .collect::<Vec<_>>(),
        );
        assert!(made.account.kept() > 5_000);
    }
    assert!(files[0] == files[1]);
}

#[tokio::test]
async fn a_source_with_other_samples_than_it_was_made_with_is_named() {
    let blocks = (0..2).map(|at| replica("", at * 2 * HOUR, 0, &[]));
    let fixture = Fixture::of(blocks.collect()).await;
    let sound = fixture.catalog.snapshot().blocks.clone();
    let mut lies = sound[1].as_ref().clone();
    lies.stoa.digest = sound[0].stoa.digest.clone();
    let path = BlockMeta::path(lies.ulid, META_FILE);
    fixture.bucket.put(&path, lies.to_json().unwrap().into()).await.unwrap();
    // A catalog reads each meta.json once.
    let catalog = crate::catalog::Catalog::new(fixture.bucket.clone(), Default::default());
    catalog.sync().await.unwrap();
    let fixture = Fixture { catalog: Arc::new(catalog), ..fixture };
    let dir = tempfile::tempdir().unwrap();
    let error = rewritten(&fixture, None, 2 * HOUR, 1 << 20, dir.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains(&lies.ulid.to_string()), "{error}");
    let aside = &fixture.catalog.snapshot().set_aside;
    assert_eq!(aside.iter().map(|a| a.block).collect::<Vec<_>>(), [lies.ulid]);
}

fn samples() -> impl Strategy<Value = Samples> {
    let value = prop_oneof![8 => -1e3..1e3f64, 1 => Just(f64::from_bits(STALE_NAN_BITS))];
    prop::collection::btree_map(0..4 * HOUR / 15_000, (0..9_000i64, value), 0..80).prop_map(|all| {
        all.into_iter().map(|(step, (late, value))| (step * 15_000 + late, value)).collect()
    })
}

/// Blocks of up to three replicas, two hours each, that may overlap.
fn blocks() -> impl Strategy<Value = Vec<(usize, i64, Vec<(u8, Samples)>)>> {
    let series = prop::collection::vec((0..4u8, samples()), 1..4);
    prop::collection::vec((0..3usize, 0..3i64, series), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A rewrite answers as its sources do, by each rule.
    #[test]
    fn a_rewrite_answers_as_its_sources_do(blocks in blocks(), bucket_ms in 1..4i64) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sources: Vec<TestBlock> = blocks.into_iter().map(|(replica, hour, series)| {
            let start = hour * HOUR;
            let mut known = BTreeSet::new();
            let series = series.into_iter().filter(|(pod, _)| known.insert(*pod)).map(|(pod, all)| {
                let all = all.into_iter().map(|(t, v)| (t % (2 * HOUR) + start, v));
                let all: std::collections::BTreeMap<i64, u64> =
                    all.map(|(t, v)| (t, v.to_bits())).collect();
                let samples = all.into_iter().map(|(t, v)| (t, f64::from_bits(v))).collect();
                (of(["a", "b"][usize::from(pod % 2)], &pod.to_string()), samples)
            });
            let external = [("cluster", "c"), ("replica", ["x", "y", "z"][replica])];
            TestBlock { external: labels(&external), ..block(start..start + 2 * HOUR, series.collect()) }
        }).collect();
        runtime.block_on(async {
            let fixture = Fixture::of(sources).await;
            for func in [DedupFunc::Coverage, DedupFunc::Penalty, DedupFunc::Chain] {
                let before = read(&fixture, func).await;
                let made = committed(&fixture, Some(func), bucket_ms * HOUR).await;
                let only = Fixture::new();
                for object in fixture.bucket.list("").await.unwrap() {
                    if object.path.contains(&made.meta.ulid.to_string()) {
                        let bytes = fixture.bucket.get(&object.path).await.unwrap();
                        only.bucket.put(&object.path, bytes).await.unwrap();
                    }
                }
                only.catalog.sync().await.unwrap();
                assert_eq!(bits(&read(&only, func).await), bits(&before), "{func:?}");
                assert_eq!(made.account.kept(), made.meta.stats.num_samples);
                crate::bucket::delete_block(&fixture.bucket, made.meta.ulid).await.unwrap();
            }
        });
    }
}
