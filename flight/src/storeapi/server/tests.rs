//! The service over samples in memory: order, frames, limits, refusals.

use std::sync::Arc;

use engine::chunk::{Encoding, Floats};
use engine::model::{Labels, TimeRange};
use engine::source::MemorySource;
use futures::StreamExt;
use prost_types::Any;
use proto::thanos::series_response::Result as Frame;
use proto::thanos::store_server::Store;
use proto::thanos::{
    LabelMatcher, LabelNamesRequest, LabelValuesRequest, Series, SeriesRequest, ShardInfo,
};
use tokio::runtime::Handle;
use tonic::{Code, Request, Status};

use super::{StoreService, StoreSettings};
use crate::http::Readiness;

const MINUTE: i64 = 60_000;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).unwrap()
}

fn every(count: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    (0..count).map(|n| (n * MINUTE, value(n))).collect()
}

/// Three metrics whose order by labels is none of their own, each from replicas `a` and `b`.
fn source() -> MemorySource {
    let mut series = Vec::new();
    for name in ["up", "Up", "down"] {
        for replica in ["b", "a"] {
            for zone in ["z", "10", "9"] {
                let own =
                    [("__name__", name), ("Zone", zone), ("replica", replica), ("job", "node")];
                series.push((labels(&own), every(300, |n| n as f64)));
            }
        }
    }
    MemorySource::new(series)
}

fn service(source: MemorySource, settings: StoreSettings) -> StoreService {
    let readiness = Readiness::default();
    readiness.ready();
    StoreService::new(Arc::new(source), settings, readiness, Arc::default(), Handle::current())
}

fn matcher(r#type: i32, name: &str, value: &str) -> LabelMatcher {
    LabelMatcher { r#type, name: name.to_owned(), value: value.to_owned() }
}

fn everything() -> SeriesRequest {
    SeriesRequest {
        min_time: i64::MIN,
        max_time: i64::MAX,
        matchers: vec![matcher(2, "__name__", ".+")],
        ..SeriesRequest::default()
    }
}

async fn frames(service: &StoreService, request: SeriesRequest) -> Result<Vec<Frame>, Status> {
    let mut stream = service.series(Request::new(request)).await?.into_inner();
    let mut frames = Vec::new();
    while let Some(frame) = stream.next().await {
        frames.extend(frame?.result);
    }
    Ok(frames)
}

async fn series(service: &StoreService, request: SeriesRequest) -> Result<Vec<Series>, Status> {
    let mut all = Vec::new();
    for frame in frames(service, request).await? {
        match frame {
            Frame::Series(series) => all.push(series),
            Frame::Batch(batch) => all.extend(batch.series),
            other => panic!("no series: {other:?}"),
        }
    }
    Ok(all)
}

fn own(series: &Series) -> Labels {
    Labels::new(series.labels.iter().map(|label| (label.name.as_str(), label.value.as_str())))
        .unwrap()
}

/// The samples of a series, chunk by chunk; each chunk's times and hash are checked.
fn samples(series: &Series) -> Vec<Vec<(i64, f64)>> {
    let chunk = |chunk: &proto::thanos::AggrChunk| {
        let raw = chunk.raw.as_ref().expect("raw");
        assert_eq!(raw.hash, xxhash_rust::xxh64::xxh64(&raw.data, 0));
        let mut floats = Floats::default();
        floats.decode(Encoding::Xor, &raw.data).unwrap();
        assert_eq!(floats.ts().first(), Some(&chunk.min_time));
        assert_eq!(floats.ts().last(), Some(&chunk.max_time));
        floats.ts().iter().copied().zip(floats.values().iter().copied()).collect()
    };
    series.chunks.iter().map(chunk).collect()
}

#[tokio::test]
async fn series_ascend_by_names_then_values() {
    let service = service(source(), StoreSettings::default());
    let all = series(&service, everything()).await.unwrap();
    assert_eq!(all.len(), 18);
    assert!(all.windows(2).all(|pair| own(&pair[0]) < own(&pair[1])));
    for series in &all {
        let chunks = samples(series);
        assert_eq!(chunks.concat(), every(300, |n| n as f64));
        // Two hours at one a minute are 120 samples.
        let lengths: Vec<usize> = chunks.iter().map(Vec::len).collect();
        assert_eq!(lengths, [120, 120, 60]);
    }
    let labels_only = SeriesRequest { skip_chunks: true, ..everything() };
    let labels_only = super_labels(&series(&service, labels_only).await.unwrap());
    assert_eq!(labels_only, super_labels(&all));
}

fn super_labels(series: &[Series]) -> Vec<Labels> {
    series.iter().map(own).collect()
}

#[tokio::test]
async fn replicas_become_one_series_and_their_equal_chunks_one() {
    let service = service(source(), StoreSettings::default());
    let request =
        SeriesRequest { without_replica_labels: vec!["replica".to_owned()], ..everything() };
    let all = series(&service, request.clone()).await.unwrap();
    assert_eq!(all.len(), 9);
    assert!(all.windows(2).all(|pair| own(&pair[0]) < own(&pair[1])));
    for series in &all {
        assert_eq!(own(series).get("replica"), "");
        let starts: Vec<i64> = series.chunks.iter().map(|chunk| chunk.min_time).collect();
        assert!(starts.is_sorted() && starts.len() == 3, "{starts:?}");
    }
    let limited = SeriesRequest { limit: 4, ..request };
    assert_eq!(super_labels(&series(&service, limited).await.unwrap()), super_labels(&all[..4]));
}

#[tokio::test]
async fn batches_hold_what_single_frames_hold() {
    let service = service(source(), StoreSettings::default());
    let single = series(&service, everything()).await.unwrap();
    let request = SeriesRequest { response_batch_size: 4, ..everything() };
    let batches = frames(&service, request.clone()).await.unwrap();
    let sizes = batches.iter().map(|frame| match frame {
        Frame::Batch(batch) => batch.series.len(),
        other => panic!("no batch: {other:?}"),
    });
    assert_eq!(sizes.collect::<Vec<usize>>(), [4, 4, 4, 4, 2]);
    assert_eq!(series(&service, request).await.unwrap(), single);
}

/// Only chunks that overlap the range come, whole, the first and the last of them too.
#[tokio::test]
async fn chunks_are_those_of_the_range() {
    let service = service(source(), StoreSettings::default());
    for (from, to, expected) in
        [(0, 0, 0..120), (119, 120, 0..240), (120, 239, 120..240), (250, 1_000, 240..300)]
    {
        let range =
            SeriesRequest { min_time: from * MINUTE, max_time: to * MINUTE, ..everything() };
        for series in series(&service, range).await.unwrap() {
            let expected = &every(300, |n| n as f64)[expected.clone()];
            assert_eq!(samples(&series).concat(), expected, "{from} to {to}");
        }
    }
    let after = SeriesRequest { min_time: 300 * MINUTE, ..everything() };
    assert!(series(&service, after).await.unwrap().is_empty());
}

/// A series of 3 MB of chunks goes over several frames that follow each other.
#[tokio::test]
async fn long_series_are_spread() {
    let mut random = 1u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        f64::from_bits(random >> 2)
    };
    let long: Vec<(i64, f64)> = (0..300_000).map(|n| (n * 1_000, next())).collect();
    let source = MemorySource::new(vec![
        (labels(&[("__name__", "a")]), every(3, |_| 1.0)),
        (labels(&[("__name__", "b")]), long.clone()),
        (labels(&[("__name__", "c")]), every(3, |_| 1.0)),
    ]);
    let service = service(source, StoreSettings::default());
    for response_batch_size in [0, 64] {
        let request = SeriesRequest { response_batch_size, ..everything() };
        let all = series(&service, request).await.unwrap();
        assert!(all.len() >= 4, "{}", all.len());
        let of_b: Vec<&Series> = all.iter().filter(|s| own(s).metric() == "b").collect();
        assert_eq!(of_b.len(), all.len() - 2);
        let bytes = |s: &Series| {
            s.chunks.iter().flat_map(|c| &c.raw).map(|raw| raw.data.len()).sum::<usize>()
        };
        assert!(of_b.iter().all(|s| bytes(s) < 1_100_000));
        let got: Vec<(i64, u64)> = of_b
            .iter()
            .flat_map(|s| samples(s).concat())
            .map(|(t, v): (i64, f64)| (t, v.to_bits()))
            .collect();
        let expected: Vec<(i64, u64)> = long.iter().map(|&(t, v)| (t, v.to_bits())).collect();
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn shards_are_parts_of_the_whole() {
    let service = service(source(), StoreSettings::default());
    let whole = super_labels(&series(&service, everything()).await.unwrap());
    for (by, names) in [(true, vec!["Zone"]), (false, vec!["Zone"]), (true, vec![])] {
        let mut found = Vec::new();
        for shard_index in 0..3 {
            let info = ShardInfo {
                shard_index,
                total_shards: 3,
                by,
                labels: names.iter().map(|&name| name.to_owned()).collect(),
            };
            for skip_chunks in [false, true] {
                let request =
                    SeriesRequest { shard_info: Some(info.clone()), skip_chunks, ..everything() };
                let part = super_labels(&series(&service, request).await.unwrap());
                if skip_chunks {
                    found.extend(part);
                } else {
                    // By the zone alone, all series of a zone are together.
                    let zones: std::collections::BTreeSet<&str> =
                        part.iter().map(|labels| labels.get("Zone")).collect();
                    let of_zones = whole.iter().filter(|l| zones.contains(l.get("Zone"))).count();
                    assert!(!by || names.is_empty() || of_zones == part.len());
                }
            }
        }
        found.sort();
        assert_eq!(found, whole);
    }
}

async fn refusal(service: &StoreService, request: SeriesRequest) -> Code {
    frames(service, request).await.expect_err("the request is wrong").code()
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let service = service(source(), StoreSettings::default());
    let any = |type_url: &str, value: &[u8]| {
        Some(Any { type_url: type_url.to_owned(), value: value.to_vec() })
    };
    let shard = |shard_index, total_shards| {
        Some(ShardInfo { shard_index, total_shards, by: true, labels: vec![] })
    };
    let url = "type.googleapis.com/hintspb.SeriesRequestHints";
    for (what, request) in [
        ("no matchers", SeriesRequest { matchers: vec![], ..everything() }),
        ("type", SeriesRequest { matchers: vec![matcher(4, "a", "b")], ..everything() }),
        ("type", SeriesRequest { matchers: vec![matcher(-1, "a", "b")], ..everything() }),
        ("pattern", SeriesRequest { matchers: vec![matcher(2, "a", "(")], ..everything() }),
        ("limit", SeriesRequest { limit: -1, ..everything() }),
        ("batch size", SeriesRequest { response_batch_size: -1, ..everything() }),
        ("strategy", SeriesRequest { partial_response_strategy: 2, ..everything() }),
        ("aggregate", SeriesRequest { aggregates: vec![0, 6], ..everything() }),
        ("shard", SeriesRequest { shard_info: shard(-1, 3), ..everything() }),
        ("shards", SeriesRequest { shard_info: shard(0, -3), ..everything() }),
        ("hints", SeriesRequest { hints: any(url, &[0xff; 3]), ..everything() }),
        ("hints", SeriesRequest { hints: any("type.googleapis.com/x.Y", &[]), ..everything() }),
    ] {
        assert_eq!(refusal(&service, request).await, Code::InvalidArgument, "{what}");
    }
    let hints = SeriesRequest { hints: any(url, &[]), ..everything() };
    assert_eq!(series(&service, hints).await.unwrap().len(), 18);
    let names = LabelNamesRequest { limit: -5, ..LabelNamesRequest::default() };
    let refused = service.label_names(Request::new(names)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let values = LabelValuesRequest::default();
    let refused = service.label_values(Request::new(values)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "label name parameter cannot be empty");
}

#[tokio::test]
async fn limits_and_times_of_the_store_hold() {
    let served = TimeRange::new(10 * MINUTE, 20 * MINUTE);
    let service =
        service(source(), StoreSettings { served: served.into(), ..StoreSettings::default() });
    for series in series(&service, everything()).await.unwrap() {
        // Chunks are whole, as in native blocks: the client trims.
        assert_eq!(samples(&series).concat(), every(300, |n| n as f64)[..120]);
    }
    let request = SeriesRequest { min_time: 21 * MINUTE, ..everything() };
    assert!(series(&service, request).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_answered_before_the_source_is_read() {
    let store = StoreService::new(
        Arc::new(source()),
        StoreSettings::default(),
        Readiness::default(),
        Arc::default(),
        Handle::current(),
    );
    assert_eq!(refusal(&store, everything()).await, Code::Unavailable);
    let names = store.label_names(Request::new(LabelNamesRequest::default())).await;
    assert_eq!(names.unwrap_err().code(), Code::Unavailable);
}

/// A client that goes away frees its place.
#[tokio::test]
async fn a_dropped_answer_gives_its_place_back() {
    let service = service(source(), StoreSettings { max_concurrent: 1, ..Default::default() });
    for _ in 0..5 {
        let mut stream = service.series(Request::new(everything())).await.unwrap().into_inner();
        assert!(stream.next().await.is_some());
        drop(stream);
    }
    assert_eq!(series(&service, everything()).await.unwrap().len(), 18);
}
