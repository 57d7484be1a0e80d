//! Series with samples: order, chunks, replicas, frames, shards, limits, and what Info says.

use std::collections::{BTreeMap, BTreeSet};

use engine::chunk::{Encoding, Floats};
use engine::model::Labels;
use proto::thanos::info::TsdbInfo;
use proto::thanos::series_response::Result as Frame;
use proto::thanos::{Series, SeriesRequest, ShardInfo};
use xxhash_rust::xxh64::xxh64;

use super::endpoint::{
    Blocks, Endpoint, KINDS, Kind, STORES, Written, all_time, label_set, labels_of,
};
use crate::support::DATA_START;

const HOURS_2: i64 = 7_200_000;

/// A number between 0 and 1 that depends on nothing but `seed`.
pub(crate) fn random(seed: u64) -> f64 {
    (xxh64(&seed.to_le_bytes(), 7) >> 11) as f64 / (1u64 << 53) as f64
}

/// The series of one replica in one block of two hours: counters and gauges each 15 s with jitter,
/// some with gaps. Their order by labels is not that of a block.
pub(super) fn replica(number: u64, block: i64) -> Vec<Written> {
    let mut all = Vec::new();
    for (at, set) in [
        "__name__=up,job=node,instance=i1",
        "__name__=up,job=node,instance=i2",
        "__name__=up,Az=9,job=api,instance=i1",
        "__name__=up,Az=10,job=api,instance=i1",
        "__name__=http_requests_total,code=200,job=api,instance=i1,path=/a b\"\\",
        "__name__=http_requests_total,code=500,job=api,instance=i1,zone=é",
        "__name__=Caps,job=api",
        "aaa=no metric,job=api",
    ]
    .into_iter()
    .enumerate()
    {
        let start = DATA_START + block * HOURS_2;
        let seed = |n: i64| at as u64 * 1_000_003 + number * 7_919 + (block * 480 + n) as u64;
        let mut samples = Vec::new();
        for n in 0..480 {
            // Every replica misses some scrapes, and one all of a quarter of an hour.
            let missed = random(seed(n) ^ 0xff) < 0.02
                || (at == 1 && number == 1 && (100..160).contains(&n));
            if missed {
                continue;
            }
            let jitter = (random(seed(n)) * 900.0) as i64 + number as i64 * 3_000;
            let scrape = block * 480 + n;
            let value = match at {
                0 | 1 => 1.0,
                4 | 5 => ((scrape * (at as i64 + 3)) % 3_000) as f64,
                _ => (random(seed(n) ^ 0x77) * 1e6).floor() / 64.0,
            };
            samples.push((start + n * 15_000 + jitter, value));
        }
        all.push((label_set(set), samples));
    }
    all
}

/// Two replicas over two blocks.
pub(super) async fn two_replicas() -> Blocks {
    let blocks = Blocks::new();
    for block in 0..2 {
        for (number, name) in [(0, "a"), (1, "b")] {
            let external = [("cluster", "c1"), ("replica", name)];
            blocks.add(&external, &replica(number, block)).await;
        }
    }
    blocks
}

type Samples = BTreeMap<i64, u64>;

/// What the replicas wrote that `kind` has, by the labels of the answer.
fn written(kind: Kind, keep_replica: bool, range: (i64, i64)) -> BTreeMap<Labels, Vec<Samples>> {
    let mut all: BTreeMap<Labels, Vec<Samples>> = BTreeMap::new();
    let replicas: &[(u64, &str)] = match kind {
        Kind::Sidecar => &[(0, "a")],
        _ => &[(0, "a"), (1, "b")],
    };
    for &(number, name) in replicas {
        let mut own: BTreeMap<Labels, Samples> = BTreeMap::new();
        for (labels, samples) in (0..2).flat_map(|block| replica(number, block)) {
            let external = if keep_replica {
                label_set(&format!("cluster=c1,replica={name}"))
            } else {
                label_set("cluster=c1")
            };
            let inside = samples.into_iter().filter(|(t, _)| (range.0..=range.1).contains(t));
            own.entry(labels.overlay(&external))
                .or_default()
                .extend(inside.map(|(t, v)| (t, v.to_bits())));
        }
        for (labels, samples) in own {
            all.entry(labels).or_default().push(samples);
        }
    }
    all
}

/// The samples of a series' chunks inside `range`, one map a chunk; checks each chunk by itself.
fn chunks(series: &Series, range: (i64, i64)) -> Vec<Samples> {
    assert!(series.chunks.is_sorted_by_key(|chunk| chunk.min_time), "chunks by time");
    let mut all = Vec::new();
    for chunk in &series.chunks {
        let raw = chunk.raw.as_ref().expect("raw data is asked for");
        assert_eq!(raw.r#type, 0, "XOR");
        assert!(raw.hash == 0 || raw.hash == xxh64(&raw.data, 0), "the hash of the data");
        let mut floats = Floats::default();
        floats.decode(Encoding::Xor, &raw.data).expect("a chunk of Prometheus");
        let (first, last) = (floats.ts()[0], floats.ts()[floats.len() - 1]);
        assert!(chunk.min_time <= first && last <= chunk.max_time);
        assert!(floats.len() <= 240, "{} samples in a chunk", floats.len());
        let samples = floats.ts().iter().copied().zip(floats.values().iter().map(|v| v.to_bits()));
        all.push(samples.filter(|(t, _)| (range.0..=range.1).contains(t)).collect());
    }
    all
}

/// The answer has exactly the samples that were written, series after series in order.
async fn check_samples(at: &Endpoint, keep_replica: bool, range: (i64, i64), batch: i64) {
    let mut request = SeriesRequest {
        min_time: range.0,
        max_time: range.1,
        response_batch_size: batch,
        ..all_time(&["job=~.+"])
    };
    if keep_replica {
        request.without_replica_labels.clear();
    }
    let mut got: Vec<(Labels, Vec<Samples>)> = Vec::new();
    for series in at.series(request).await.expect("series") {
        let labels = labels_of(&series);
        let chunks = chunks(&series, range);
        match got.last_mut() {
            Some((last, all)) if *last == labels => all.extend(chunks),
            last => {
                assert!(last.is_none_or(|(last, _)| *last < labels), "{labels} is out of order");
                got.push((labels, chunks));
            }
        }
    }
    let mut expected = written(at.kind, keep_replica, range);
    expected.retain(|_, replicas| replicas.iter().any(|samples| !samples.is_empty()));
    let got_labels: Vec<&Labels> = got.iter().map(|(labels, _)| labels).collect();
    assert_eq!(got_labels, expected.keys().collect::<Vec<_>>(), "{:?}", at.kind);
    for ((labels, chunks), replicas) in got.iter().zip(expected.values()) {
        // No chunk mixes replicas, and together they are all samples, each once.
        let mut left = replicas.clone();
        for chunk in chunks {
            let owner =
                left.iter_mut().find(|own| chunk.iter().all(|(t, v)| own.get(t) == Some(v)));
            let owner =
                owner.unwrap_or_else(|| panic!("{:?} {labels}: a chunk of nobody", at.kind));
            for t in chunk.keys() {
                owner.remove(t);
            }
        }
        assert!(left.iter().all(BTreeMap::is_empty), "{:?} {labels}: samples are missing", at.kind);
    }
}

#[tokio::test]
async fn every_sample_comes_once_and_in_order() {
    let blocks = two_replicas().await;
    let whole = (DATA_START, DATA_START + 2 * HOURS_2);
    let middle = (DATA_START + HOURS_2 - 600_000, DATA_START + HOURS_2 + 123_456);
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        for range in [whole, middle] {
            for keep_replica in [true, false] {
                for batch in [0, 1, 3] {
                    check_samples(&at, keep_replica, range, batch).await;
                }
            }
        }
        let after = (whole.1 + HOURS_2, whole.1 + 2 * HOURS_2);
        check_samples(&at, false, after, 0).await;
    }
}

#[tokio::test]
async fn frames_are_single_or_batches_as_asked() {
    let blocks = two_replicas().await;
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        for (batch, expected) in [(0, 8), (1, 8), (3, 3), (100, 1)] {
            let request = SeriesRequest { response_batch_size: batch, ..all_time(&["job=~.+"]) };
            let frames = at.frames(request).await.expect("frames");
            let single = frames.iter().filter(|frame| matches!(frame, Frame::Series(_))).count();
            assert_eq!(frames.len(), expected, "{kind:?} {batch}");
            assert_eq!(single, if batch > 1 { 0 } else { 8 }, "{kind:?} {batch}");
        }
        for (limit, expected) in [(0, 8), (1, 1), (5, 5), (100, 8)] {
            let request = SeriesRequest { limit, skip_chunks: true, ..all_time(&["job=~.+"]) };
            let got = at.series(request).await.expect("series").len();
            // Thanos' store counts before it joins blocks, so it may answer less.
            match kind {
                Kind::Thanos => assert!(got <= expected && got > 0, "{got}"),
                _ => assert_eq!(got, expected, "{kind:?}"),
            }
        }
    }
}

/// The shard of a series is by the hash of the labels considered, as every Thanos computes it.
#[tokio::test]
async fn shards_are_those_of_thanos() {
    let blocks = two_replicas().await;
    let whole: BTreeSet<Labels> =
        written(Kind::Stoa, false, (i64::MIN, i64::MAX)).into_keys().collect();
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        for (by, names) in [(true, &["job", "instance"][..]), (false, &["__name__", "instance"])] {
            for shard_index in 0..3 {
                let info = ShardInfo {
                    shard_index,
                    total_shards: 3,
                    by,
                    labels: names.iter().map(|&name| name.to_owned()).collect(),
                };
                let in_shard = |labels: &&Labels| {
                    let considered = labels.filter(|name| names.contains(&name) == by);
                    considered.hash64() % 3 == shard_index as u64
                };
                let expected: Vec<Labels> = whole.iter().filter(in_shard).cloned().collect();
                for skip_chunks in [false, true] {
                    let request = SeriesRequest {
                        shard_info: Some(info.clone()),
                        skip_chunks,
                        ..all_time(&["job=~.+"])
                    };
                    let got: Vec<Labels> =
                        at.series(request).await.expect("series").iter().map(labels_of).collect();
                    assert_eq!(got, expected, "{kind:?} {names:?} {shard_index}");
                }
            }
        }
    }
}

#[tokio::test]
async fn info_tells_what_there_is() {
    let blocks = two_replicas().await;
    let mut said = Vec::new();
    for kind in STORES {
        let mut info = blocks.serve(kind, &[]).await.info().await;
        assert_eq!(info.component_type, "store");
        // What Stoa says to Stoa, Thanos skips.
        assert_eq!(info.runs.take().is_some(), kind != Kind::Thanos);
        let store = info.store.as_mut().expect("a store");
        assert!(store.supports_sharding && store.supports_without_replica_labels);
        // Thanos names each stretch of blocks that follow each other without a gap; here one jitters.
        let mut whole: BTreeMap<String, TsdbInfo> = BTreeMap::new();
        for info in std::mem::take(&mut store.tsdb_infos) {
            let known = whole.entry(format!("{:?}", info.labels)).or_insert_with(|| info.clone());
            known.min_time = known.min_time.min(info.min_time);
            known.max_time = known.max_time.max(info.max_time);
        }
        store.tsdb_infos = whole.into_values().collect();
        info.label_sets.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
        said.push(info);
    }
    assert_eq!(said[0], said[1]);
}
