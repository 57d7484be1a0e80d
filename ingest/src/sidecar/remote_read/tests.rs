//! Matchers and external labels, and what must not be asked for.

use std::sync::Arc;

use engine::ErrorKind;
use engine::model::{Aggregates, Labels, MatchOp, Matcher, TimeRange};
use engine::source::{Columns, Select, SelectOptions, SeriesSource};
use prost::Message as _;
use proto::prometheus::ReadRequest;

use super::{RemoteRead, request};
use crate::sidecar::{HttpConfig, Peer, Prometheus};

/// A source whose Prometheus does not exist: whatever would ask it fails.
fn source(min_time: i64) -> RemoteRead {
    let prometheus = Prometheus::new("http://127.0.0.1:1", HttpConfig::default()).unwrap();
    let peer = Peer::default();
    peer.set(Labels::new([("cluster", "eu"), ("replica", "a")]).unwrap(), min_time);
    RemoteRead::new(prometheus, Arc::new(peer))
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).unwrap()
}

fn select(matchers: &[Matcher], range: TimeRange) -> Select {
    Select {
        matchers: matchers.to_vec(),
        range,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    }
}

#[tokio::test]
async fn matchers_on_external_labels_are_answered_here() {
    let source = source(0);
    let up = matcher("__name__", MatchOp::Equal, "up");
    let options = SelectOptions::default();
    for other in [
        matcher("cluster", MatchOp::Equal, "us"),
        matcher("cluster", MatchOp::NotEqual, "eu"),
        matcher("replica", MatchOp::Regex, "b|c"),
        matcher("replica", MatchOp::Equal, ""),
    ] {
        let matchers = [up.clone(), other];
        let resolved = source.resolve(&select(&matchers, TimeRange::ALL), &options).await.unwrap();
        assert!(resolved.roster.is_empty());
        let series = source.series(&matchers, TimeRange::ALL, &options, 0).await.unwrap();
        assert!(series.items.is_empty());
        let names = source.label_names(&matchers, TimeRange::ALL, &options, 0).await.unwrap();
        assert!(names.items.is_empty());
    }
    let fitting = [up, matcher("cluster", MatchOp::Regex, "e.")];
    let error = source.resolve(&select(&fitting, TimeRange::ALL), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "Prometheus is asked");
    let only = &fitting[1..];
    let error = source.resolve(&select(only, TimeRange::ALL), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "no matchers specified (excluding external labels)");
    let error = source.series(only, TimeRange::ALL, &options, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn values_of_external_labels_are_known_here() {
    let source = source(0);
    let plain = SelectOptions { dedup: false, ..SelectOptions::default() };
    let values = |options: SelectOptions| {
        let source = source.clone();
        async move { source.label_values("replica", &[], TimeRange::ALL, &options, 0).await }
    };
    assert_eq!(values(plain).await.unwrap().items, ["a"]);
    let replica_labels = vec!["replica".to_owned()];
    let without = SelectOptions { replica_labels, ..SelectOptions::default() };
    assert!(values(without).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_lies_before_the_least_time_is_not_asked_for() {
    let source = source(1_000);
    let matchers = [matcher("__name__", MatchOp::Equal, "up")];
    let before = TimeRange::new(0, 999);
    let options = SelectOptions::default();
    let resolved = source.resolve(&select(&matchers, before), &options).await.unwrap();
    assert!(resolved.roster.is_empty());
    assert_eq!(source.extents()[0].range, TimeRange::new(1_000, i64::MAX));
    assert_eq!(source.extents()[0].labels.get("cluster"), "eu");
    let error = source.resolve(&select(&matchers, TimeRange::new(0, 1_000)), &options).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn requests_are_snappy_blocks_that_prefer_chunks() {
    let matchers = [matcher("a", MatchOp::NotRegex, "x|y")];
    let body = request::encode(&matchers, TimeRange::new(-5, 7)).unwrap();
    let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    let request = ReadRequest::decode(message.as_slice()).unwrap();
    let query = &request.queries[0];
    assert_eq!((query.start_timestamp_ms, query.end_timestamp_ms), (-5, 7));
    let sent = &query.matchers[0];
    assert_eq!((sent.r#type, sent.name.as_str(), sent.value.as_str()), (3, "a", "x|y"));
    assert_eq!(request.accepted_response_types, [1, 0]);
}
