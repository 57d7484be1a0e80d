//! Requests that no store can answer, and limits.

use engine::model::Labels;
use prost_types::Any;
use proto::thanos::{
    LabelMatcher, LabelNamesRequest, LabelValuesRequest, SeriesRequest, ShardInfo,
};
use tonic::Code;

use super::conformance::two_replicas;
use super::endpoint::{Endpoint, KINDS, Kind, all_time, labels_of, matchers};

fn with(change: impl FnOnce(&mut SeriesRequest)) -> SeriesRequest {
    let mut request = all_time(&["job=api"]);
    change(&mut request);
    request
}

fn hints(name: &str, value: &[u8]) -> Option<Any> {
    Some(Any { type_url: format!("type.googleapis.com/{name}"), value: value.to_vec() })
}

async fn code(at: &Endpoint, request: SeriesRequest) -> Code {
    match at.frames(request).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_an_invalid_argument() {
    let blocks = two_replicas().await;
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        let unknown = LabelMatcher { r#type: 7, name: "job".to_owned(), value: "a".to_owned() };
        for (what, request) in [
            ("matcher type", with(|r| r.matchers = vec![unknown.clone()])),
            ("pattern", with(|r| r.matchers = matchers(&["job=~("]))),
            ("hints", with(|r| r.hints = hints("hintspb.SeriesRequestHints", &[0xff, 0xff]))),
            ("hints of another type", with(|r| r.hints = hints("thanos.Label", &[]))),
        ] {
            assert_eq!(code(&at, request).await, Code::InvalidArgument, "{kind:?}: {what}");
        }
        // It goes on.
        assert_eq!(code(&at, all_time(&["job=api"])).await, Code::Ok, "{kind:?}");
    }
}

/// Thanos' bucket store takes these for what they are not: all series, no limit, the other strategy.
#[tokio::test]
async fn what_thanos_lets_pass_is_refused_too() {
    let blocks = two_replicas().await;
    let at = blocks.serve(Kind::Stoa, &[]).await;
    let shard = ShardInfo { shard_index: -1, total_shards: 2, by: true, labels: vec![] };
    for (what, request) in [
        ("no matchers", with(|r| r.matchers.clear())),
        ("limit", with(|r| r.limit = -1)),
        ("batch size", with(|r| r.response_batch_size = i64::MIN)),
        ("strategy", with(|r| r.partial_response_strategy = 9)),
        ("aggregate", with(|r| r.aggregates = vec![17])),
        ("shard", with(|r| r.shard_info = Some(shard.clone()))),
    ] {
        assert_eq!(code(&at, request).await, Code::InvalidArgument, "{what}");
    }
    let no_label = LabelValuesRequest::default();
    let refused = at.store().await.label_values(no_label).await.expect_err("no label");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "label name parameter cannot be empty");
    let names = LabelNamesRequest { limit: -1, ..LabelNamesRequest::default() };
    let refused = at.store().await.label_names(names).await.expect_err("a negative limit");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn limits_exhaust_and_partitions_cut() {
    let blocks = two_replicas().await;
    let series = blocks.serve(Kind::Stoa, &["--store.limits.request-series=3"]).await;
    assert_eq!(code(&series, all_time(&["job=~.+"])).await, Code::ResourceExhausted);
    assert_eq!(code(&series, all_time(&["job=node", "instance=i1"])).await, Code::Ok);
    let samples = blocks.serve(Kind::Stoa, &["--store.limits.request-samples=1000"]).await;
    assert_eq!(code(&samples, all_time(&["job=~.+"])).await, Code::ResourceExhausted);
    let only_a = "[{action: keep, source_labels: [replica], regex: a}]";
    let flags = ["--selector.relabel-config", only_a, "--max-time=2026-10-02T01:00:00Z"];
    let part = blocks.serve(Kind::Stoa, &flags).await;
    let mut request = all_time(&["__name__=Caps"]);
    request.without_replica_labels.clear();
    let got = part.series(request).await.expect("series");
    let labels: Vec<Labels> = got.iter().map(labels_of).collect();
    assert_eq!(labels.len(), 1);
    assert_eq!(labels[0].get("replica"), "a");
    let last = got[0].chunks.iter().map(|chunk| chunk.min_time).max().expect("chunks");
    assert!(last <= 1_790_899_200_000 + 3_600_000, "{last}");
    let info = part.info().await;
    let store = info.store.expect("a store");
    assert_eq!((info.label_sets.len(), store.max_time), (1, 1_790_902_800_000));
}
