//! Three days of two replicas: the first day downsampled to 5 minutes and an hour, the second to 5
//! minutes, the third raw. Days are as long as one likes.

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use engine::block::{BlockId, BlockMeta, BlockSettings, COMPACTOR, id};
use engine::bucket::{Bucket, commit};
use engine::catalog::{Catalog, CatalogSettings};
use engine::compact::rewrite::{RewriteOptions, rewrite};
use engine::model::Labels;
use engine::scan::BlockCache;

use crate::storeapi::conformance::random;
use crate::storeapi::endpoint::{Blocks, Written, label_set};
use crate::support::{DATA_START, scratch};

pub(crate) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const SHORT_DAY: i64 = 11 * HOUR;

/// Thanos' blocks of days of 24 hours.
pub(super) fn three_days() -> Blocks {
    let blocks = Blocks::new();
    for (number, name) in REPLICAS {
        for day in 0..3 {
            let series = replica(number, day);
            let raw = blocks.add_native(&external(name), &series);
            thanos_downsamples(&blocks, raw, day);
        }
    }
    blocks
}

const REPLICAS: [(u64, &str); 2] = [(0, "a"), (1, "b")];

fn external(replica: &str) -> [(&str, &str); 2] {
    [("cluster", "c1"), ("replica", replica)]
}

fn thanos_downsamples(blocks: &Blocks, raw: String, day: i64) {
    if day < 2 {
        let fine = blocks.downsample(&raw, 5 * MINUTE);
        if day == 0 {
            blocks.downsample(&fine, HOUR);
        }
    }
}

/// Blocks of three days of 11 hours, Thanos' and Stoa's: these have few enough windows to be one chunk a
/// series. Thanos lets a chunk's last window end with its last sample; where chunks are the same, all is.
/// Gauges stay above zero: in hours of counters, Thanos takes a total that falls for one that was reset.
pub(super) async fn three_short_days() -> Blocks {
    let blocks = Blocks::new();
    for (number, name) in REPLICAS {
        for day in 0..3 {
            let raw = blocks.add(&external(name), &replica_of(number, day, SHORT_DAY, 0.0)).await;
            thanos_downsamples(&blocks, raw, day);
        }
    }
    stoa_downsamples(&blocks).await;
    blocks
}

/// Downsamples Stoa's raw blocks of the first two days, and the first one's windows.
async fn stoa_downsamples(blocks: &Blocks) {
    let bucket = blocks.of_stoa();
    for (from, resolution, days) in [(0, 5 * MINUTE, 2), (5 * MINUTE, HOUR, 1)] {
        let catalog = listed(&bucket).await;
        for source in &catalog.snapshot().blocks {
            let day = (source.min_time - DATA_START).div_euclid(SHORT_DAY);
            if source.thanos.downsample.resolution == from && day < days {
                let dir = scratch();
                let meta = rewritten(&bucket, &catalog, source, resolution, dir.path()).await;
                commit(&bucket, dir.path(), &meta).await.expect("the block is committed");
            }
        }
    }
}

/// The blocks of a bucket.
pub(crate) async fn listed(bucket: &Bucket) -> Arc<Catalog> {
    let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
    catalog.sync().await.expect("the blocks are listed");
    catalog
}

/// Writes windows of `resolution` ms of one block of `bucket` into the folder `dir`.
pub(crate) async fn rewritten(
    bucket: &Bucket,
    catalog: &Arc<Catalog>,
    source: &Arc<BlockMeta>,
    resolution: i64,
    dir: &Path,
) -> BlockMeta {
    let mut settings = BlockSettings {
        ulid: BlockId::default(),
        external_labels: source.external_labels().expect("labels"),
        source: COMPACTOR.to_owned(),
        resolution_ms: resolution,
        min_time: source.min_time,
        max_time: source.max_time,
        bucket_ms: 1 << 52,
        compaction: source.compaction.clone(),
    };
    settings.ulid = id(&[source.ulid], &settings);
    let options = RewriteOptions { settings, dedup: None, pick_bytes: 1 << 20 };
    let (cache, context) = (BlockCache::new(bucket.clone(), 64 << 20), TaskContext::default());
    let sources = [Arc::clone(source)];
    let made = rewrite(catalog, &cache, &sources, options, dir, &Arc::new(context)).await;
    made.expect("windows are made").meta
}

/// The series of one replica and day, each minute with jitter: counters with resets, gauges, one that
/// never changes, one with a hole that a stale marker begins, and one that ends on the second day. Both
/// replicas miss some scrapes, and one is down for some hours.
pub(super) fn replica(number: u64, day: i64) -> Vec<Written> {
    replica_of(number, day, DAY, -5_000.0)
}

/// The same with days of another length, and gauges from `least` on.
fn replica_of(number: u64, day: i64, length: i64, least: f64) -> Vec<Written> {
    const SETS: [&str; 6] = [
        "__name__=up,job=node,instance=i1",
        "__name__=requests_total,job=api,instance=i1",
        "__name__=requests_total,job=api,instance=i2",
        "__name__=temperature,job=node,instance=i1",
        "__name__=temperature,job=node,instance=i2",
        "__name__=ends_total,job=api,instance=i1",
    ];
    SETS.into_iter()
        .enumerate()
        .map(|(at, set)| (label_set(set), samples(number, day, length, least, at)))
        .collect()
}

fn samples(number: u64, day: i64, length: i64, least: f64, at: usize) -> Vec<(i64, f64)> {
    let minutes = length / MINUTE;
    let seed = |minute: i64| at as u64 * 1_000_003 + number * 7_919 + minute as u64;
    let mut samples = Vec::new();
    for minute in day * minutes..(day + 1) * minutes {
        let hour = minute / 60;
        let down = number == 1 && (20..23).contains(&hour);
        let ended = at == 5 && hour >= 31;
        let hole = at == 4 && (10..13).contains(&hour);
        if down || ended || random(seed(minute) ^ 0xff) < 0.02 {
            continue;
        }
        if hole {
            if minute % 180 == 60 * 10 % 180 {
                let t = DATA_START + minute * MINUTE + number as i64 * 20_000;
                samples.push((t, f64::NAN));
            }
            continue;
        }
        let jitter = (random(seed(minute)) * 900.0) as i64 + number as i64 * 20_000;
        let value = match at {
            0 => 1.0,
            // What was counted since the last reset, not the same in both replicas.
            1 | 2 | 5 => ((minute * (at as i64 + 3) + number as i64 * 2) % 4_000) as f64,
            _ => (random(seed(minute) ^ 0x77) * 1e6).floor() / 64.0 + least,
        };
        samples.push((DATA_START + minute * MINUTE + jitter, value));
    }
    samples
}

/// The labels of a series in an answer of the HTTP API, as Go prints them.
pub(super) fn labels(metric: &serde_json::Value) -> String {
    let pairs = metric.as_object().expect("a label set").iter();
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str().expect("text")));
    Labels::new(pairs).expect("a label set").to_string()
}
