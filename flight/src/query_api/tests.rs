//! Query over samples in memory: what a request may say, frames, refusals.

use std::sync::Arc;
use std::time::Duration;

use engine::model::Labels;
use engine::source::MemorySource;
use futures::StreamExt;
use prometheus_client::registry::Registry;
use promql::Engine;
use promql::query::Evaluation;
use proto::prometheus_copy::TimeSeries;
use proto::thanos::query_range_response::Result as RangeFrame;
use proto::thanos::query_response::Result as Frame;
use proto::thanos::query_server::Query;
use proto::thanos::{LabelMatcher, QueryRangeRequest, QueryRequest, ShardInfo, StoreMatchers};
use tokio::runtime::Handle;
use tonic::{Code, Request, Status};

use super::{QueryService, request};
use crate::http::{Querier, Readiness, Settings};

/// `m` of four instances, a sample a minute for five hours.
fn service() -> QueryService {
    let series = (0..4).map(|at| {
        let labels = Labels::new([("__name__", "m".to_owned()), ("instance", at.to_string())]);
        let samples = (0..300).map(|n| (n * 60_000, n as f64 + f64::from(at))).collect();
        (labels.unwrap(), samples)
    });
    let source = Arc::new(MemorySource::new(series.collect()));
    let readiness = Readiness::default();
    readiness.ready();
    let settings = Settings::new("test");
    let (engine, registry) = (Engine::default(), &mut Registry::default());
    let querier = Querier::new(settings, engine, source, readiness, Handle::current(), registry);
    QueryService::new(Arc::new(querier))
}

async fn ask(service: &QueryService, request: QueryRequest) -> Result<Vec<Frame>, Status> {
    let mut stream = service.query(Request::new(request)).await?.into_inner();
    let mut frames = Vec::new();
    while let Some(frame) = stream.next().await {
        frames.extend(frame?.result);
    }
    Ok(frames)
}

async fn ask_range(
    service: &QueryService,
    request: QueryRangeRequest,
) -> Result<Vec<RangeFrame>, Status> {
    let mut stream = service.query_range(Request::new(request)).await?.into_inner();
    let mut frames = Vec::new();
    while let Some(frame) = stream.next().await {
        frames.extend(frame?.result);
    }
    Ok(frames)
}

fn at(query: &str, time_seconds: i64) -> QueryRequest {
    QueryRequest { query: query.to_owned(), time_seconds, ..QueryRequest::default() }
}

fn from_to(query: &str, start: i64, end: i64, interval_seconds: i64) -> QueryRangeRequest {
    QueryRangeRequest {
        query: query.to_owned(),
        start_time_seconds: start,
        end_time_seconds: end,
        interval_seconds,
        ..QueryRangeRequest::default()
    }
}

fn points(series: &TimeSeries) -> Vec<(i64, f64)> {
    series.samples.iter().map(|sample| (sample.timestamp, sample.value)).collect()
}

#[tokio::test]
async fn a_vector_is_a_frame_a_series_and_statistics_end_it() {
    let service = service();
    let frames = ask(&service, at("m", 600)).await.expect("an answer");
    assert_eq!(frames.len(), 5, "{frames:?}");
    for (n, frame) in frames[..4].iter().enumerate() {
        let Frame::Timeseries(series) = frame else { panic!("{frame:?}") };
        let labels: Vec<&str> = series.labels.iter().map(|l| l.value.as_str()).collect();
        assert_eq!(labels, ["m", &n.to_string()]);
        assert_eq!(points(series), [(600_000, 10.0 + n as f64)]);
    }
    assert!(matches!(frames[4], Frame::Stats(_)));
    for (batch, sizes) in [(1, vec![1; 4]), (3, vec![3, 1]), (4, vec![4]), (64, vec![4])] {
        let request = QueryRequest { response_batch_size: batch, ..at("m", 600) };
        let frames = ask(&service, request).await.expect("an answer");
        let sizes_of = frames.iter().filter_map(|frame| match frame {
            Frame::Timeseries(_) => Some(1),
            Frame::TimeseriesBatch(batch) => Some(batch.series.len()),
            _ => None,
        });
        assert_eq!(sizes_of.collect::<Vec<_>>(), sizes, "batches of {batch}");
    }
}

#[tokio::test]
async fn values_of_all_types_are_series() {
    let service = service();
    let frames = ask(&service, at("1 + 1", 600)).await.expect("an answer");
    let Frame::Timeseries(scalar) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!((scalar.labels.len(), points(scalar)), (0, vec![(600_000, 2.0)]));
    let frames = ask(&service, at("\"text\"", 600)).await.expect("an answer");
    assert!(matches!(frames[..], [Frame::Stats(_)]), "{frames:?}");
    let frames = ask(&service, at("m{instance=\"1\"}[2m]", 600)).await.expect("an answer");
    let Frame::Timeseries(matrix) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!(points(matrix), [(540_000, 10.0), (600_000, 11.0)]);
    let range = from_to("m{instance=\"2\"}", 60, 180, 60);
    let frames = ask_range(&service, range).await.expect("an answer");
    let RangeFrame::Timeseries(series) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!(points(series), [(60_000, 3.0), (120_000, 4.0), (180_000, 5.0)]);
    let frames = ask(&service, at("quantile(2, m)", 600)).await.expect("an answer");
    let Frame::Warnings(text) = &frames[0] else { panic!("{frames:?}") };
    assert!(text.contains("quantile value should be between 0 and 1"), "{text}");
    assert!(matches!(frames[1], Frame::Timeseries(_)), "{frames:?}");
}

#[tokio::test]
async fn a_query_that_fails_aborts_or_warns() {
    let service = service();
    let failing = "m * on() m";
    let error = ask(&service, at(failing, 600)).await.expect_err("many to many");
    assert_eq!(error.code(), Code::Aborted, "{error}");
    let partial = QueryRequest { enable_partial_response: true, ..at(failing, 600) };
    let frames = ask(&service, partial).await.expect("a warning");
    assert!(matches!(&frames[..], [Frame::Warnings(text)] if text.contains("many-to-many")));
    let range = QueryRangeRequest { enable_partial_response: true, ..from_to(failing, 0, 600, 60) };
    let error = ask_range(&service, range).await.expect_err("ranges have no such way");
    assert_eq!(error.code(), Code::Aborted, "{error}");
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let service = service();
    let backwards = ShardInfo { total_shards: -2, ..ShardInfo::default() };
    for (what, request) in [
        ("no query", at("", 1)),
        ("no PromQL", at("sum(", 1)),
        ("a time beyond all times", at("m", i64::MAX)),
        ("an engine", QueryRequest { engine: 9, ..at("m", 1) }),
        ("a resolution", QueryRequest { max_resolution_seconds: -1, ..at("m", 1) }),
        ("a timeout", QueryRequest { timeout_seconds: -1, ..at("m", 1) }),
        ("a batch", QueryRequest { response_batch_size: -1, ..at("m", 1) }),
        ("a shard", QueryRequest { shard_info: Some(backwards), ..at("m", 1) }),
        ("a lookback", QueryRequest { lookback_delta_seconds: i64::MAX, ..at("m", 1) }),
    ] {
        let request = QueryRequest { enable_partial_response: true, ..request };
        let error = ask(&service, request).await.expect_err(what);
        assert_eq!(error.code(), Code::InvalidArgument, "{what}: {error}");
    }
    for (what, request) in [
        ("an end before its start", from_to("m", 2, 1, 1)),
        ("no step", from_to("m", 1, 2, 0)),
        ("a step backwards", from_to("m", 1, 2, -1)),
        ("a step beyond all times", from_to("m", 1, 2, i64::MAX)),
        ("all seconds of a day", from_to("m", 0, 86_400, 1)),
        ("a matrix", from_to("m[5m]", 0, 60, 60)),
    ] {
        let error = ask_range(&service, request).await.expect_err(what);
        assert_eq!(error.code(), Code::InvalidArgument, "{what}: {error}");
    }
}

#[tokio::test]
async fn each_series_is_in_one_shard() {
    let service = service();
    let whole = ask(&service, at("m", 600)).await.expect("an answer");
    let mut parts = Vec::new();
    for shard_index in 0..3 {
        let labels = vec!["instance".to_owned()];
        let info = ShardInfo { shard_index, total_shards: 3, by: true, labels };
        let request = QueryRequest { shard_info: Some(info), ..at("m", 600) };
        let frames = ask(&service, request).await.expect("an answer");
        assert!(frames.len() < whole.len(), "shard {shard_index} has all");
        parts.extend(frames.into_iter().filter(|frame| matches!(frame, Frame::Timeseries(_))));
    }
    let name = |frame: &Frame| match frame {
        Frame::Timeseries(series) => series.labels[1].value.clone(),
        other => panic!("{other:?}"),
    };
    parts.sort_by_key(name);
    assert_eq!(parts, whole[..4]);
}

#[test]
fn a_request_says_what_the_flags_do_not() {
    let mut settings = Settings::new("test");
    settings.select.replica_labels = vec!["replica".to_owned()];
    let matcher = LabelMatcher { r#type: 0, name: "__address__".into(), value: "a:1".into() };
    let asked = request::instant(&settings, QueryRequest::default(), 7_654).expect("a request");
    assert_eq!(asked.query.evaluation, Evaluation::Instant { time: 7_654 });
    assert_eq!((asked.query.timeout, asked.query.lookback), (settings.timeout, settings.lookback));
    let select = asked.query.select;
    assert_eq!((select.dedup, select.partial_response), (false, false));
    assert_eq!(select.replica_labels, ["replica"]);
    let full = QueryRequest {
        query: "up".to_owned(),
        time_seconds: 9,
        timeout_seconds: 5,
        replica_labels: vec!["a".to_owned(), "b".to_owned()],
        store_matchers: vec![StoreMatchers { label_matchers: vec![matcher] }],
        enable_dedup: true,
        enable_partial_response: true,
        lookback_delta_seconds: 60,
        engine: 2,
        response_batch_size: 64,
        ..QueryRequest::default()
    };
    let asked = request::instant(&settings, full, 7_654).expect("a request");
    let query = asked.query;
    assert_eq!((query.query.as_str(), asked.batch), ("up", 64));
    assert_eq!(query.evaluation, Evaluation::Instant { time: 9_000 });
    assert_eq!((query.timeout, query.lookback), (Duration::from_secs(5), Duration::from_secs(60)));
    let select = query.select;
    assert_eq!((select.dedup, select.partial_response), (true, true));
    assert_eq!(select.replica_labels, ["a", "b"]);
    assert_eq!(select.source_matchers.len(), 1);
    assert!(select.source_matchers[0][0].matches("a:1"));
    // Nobody gets more time than the flags give.
    let patient = QueryRequest { timeout_seconds: 100_000, ..QueryRequest::default() };
    let asked = request::instant(&settings, patient, 0).expect("a request");
    assert_eq!(asked.query.timeout, settings.timeout);
}
