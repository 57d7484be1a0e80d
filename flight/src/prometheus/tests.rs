//! The services over a Prometheus that answers as the real one prints.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::model::Labels;
use engine::{Error, Result};
use futures::TryStreamExt as _;
use proto::thanos::exemplars_server::Exemplars as _;
use proto::thanos::metadata_server::Metadata as _;
use proto::thanos::rules_server::Rules as _;
use proto::thanos::status_server::Status as _;
use proto::thanos::targets_server::Targets as _;
use proto::thanos::*;
use serde_json::{Value, json};
use tonic::{Code, Request, Response};

use super::{Messages, PrometheusServices, Upstream};

/// One answer, and what was asked.
#[derive(Debug)]
struct Canned {
    answer: Result<Value>,
    asked: Mutex<String>,
}

#[async_trait]
impl Upstream for Canned {
    async fn data(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value> {
        let asked: Vec<String> = parameters.iter().map(|(n, v)| format!("{n}={v}")).collect();
        *self.asked.lock().unwrap() = format!("{path}?{}", asked.join("&"));
        self.answer.clone()
    }

    fn external_labels(&self) -> Labels {
        Labels::new([("cluster", "eu"), ("replica", "a")]).unwrap()
    }
}

fn services(answer: Result<Value>) -> (PrometheusServices, Arc<Canned>) {
    let canned = Arc::new(Canned { answer, asked: Mutex::default() });
    (PrometheusServices::new(Arc::clone(&canned) as Arc<dyn Upstream>), canned)
}

async fn all<T>(response: Response<Messages<T>>) -> Vec<T> {
    response.into_inner().try_collect().await.unwrap()
}

fn text(labels: &Option<ZLabelSet>) -> String {
    let labels = labels.as_ref().unwrap().labels.iter();
    labels.map(|label| format!("{}={}", label.name, label.value)).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn rules_get_external_labels() {
    let (services, canned) = services(Ok(json!({"groups": [{
    "name": "g", "file": "/r.yaml", "interval": 15, "limit": 3, "evaluationTime": 0.5,
    "lastEvaluation": "2026-10-02T00:00:00.25Z",
    "rules": [
        {"type": "recording", "name": "r", "query": "up", "labels": {"replica": "own"},
         "health": "ok", "evaluationTime": 0.1, "lastEvaluation": "0001-01-01T00:00:00Z"},
        {"type": "alerting", "name": "A", "query": "up == 0", "duration": 60, "state": "firing",
         "keepFiringFor": 30, "labels": {"severity": "page"}, "annotations": {"summary": ""},
         "health": "err", "lastError": "no", "alerts": [
            {"labels": {"alertname": "A"}, "annotations": {}, "state": "pending",
             "activeAt": "2026-10-02T00:00:00Z", "value": "1e+00"}]}
    ]}]})));
    let request = RulesRequest { r#type: rules_request::Type::Alert.into(), ..Default::default() };
    let answers = all(services.rules(Request::new(request)).await.unwrap()).await;
    assert_eq!(*canned.asked.lock().unwrap(), "api/v1/rules?type=alert");
    let Some(rules_response::Result::Group(group)) = &answers[0].result else { panic!("a group") };
    assert_eq!((group.name.as_str(), group.interval, group.limit), ("g", 15.0, 3));
    assert_eq!(group.last_evaluation.unwrap().nanos, 250_000_000);
    assert_eq!(group.partial_response_strategy(), PartialResponseStrategy::Abort);
    let Some(rule::Result::Recording(recording)) = &group.rules[0].result else { panic!("r") };
    assert_eq!(text(&recording.labels), "cluster=eu,replica=a", "external labels win");
    assert_eq!(recording.last_evaluation.unwrap().seconds, -62_135_596_800);
    let Some(rule::Result::Alert(alert)) = &group.rules[1].result else { panic!("an alert") };
    assert_eq!(text(&alert.labels), "cluster=eu,replica=a,severity=page");
    assert_eq!(text(&alert.annotations), "summary=");
    assert_eq!((alert.state(), alert.keep_firing_for_seconds), (AlertState::Firing, 30.0));
    assert_eq!((alert.health.as_str(), alert.last_error.as_str()), ("err", "no"));
    let instance = &alert.alerts[0];
    assert_eq!((instance.state(), instance.value.as_str()), (AlertState::Pending, "1e+00"));
    assert_eq!(text(&instance.labels), "alertname=A");
}

#[tokio::test]
async fn targets_get_external_labels() {
    let (services, canned) = services(Ok(json!({
        "activeTargets": [{"discoveredLabels": {"__address__": "x:1"}, "labels": {"job": "j"},
            "scrapePool": "j", "scrapeUrl": "http://x:1/metrics", "globalUrl": "http://h:1/metrics",
            "lastError": "", "lastScrape": "2026-10-02T00:00:00Z", "lastScrapeDuration": 0.25,
            "health": "up", "scrapeInterval": "15s", "scrapeTimeout": "10s"}],
        "droppedTargets": [{"discoveredLabels": {"a": "b"}, "scrapePool": "j"}],
        "droppedTargetCounts": {"j": 1}})));
    let request =
        TargetsRequest { state: targets_request::State::Dropped.into(), ..Default::default() };
    let answers = all(services.targets(Request::new(request)).await.unwrap()).await;
    assert_eq!(*canned.asked.lock().unwrap(), "api/v1/targets?state=dropped");
    let Some(targets_response::Result::Targets(found)) = &answers[0].result else { panic!("t") };
    let active = &found.active_targets[0];
    assert_eq!(text(&active.discovered_labels), "__address__=x:1,cluster=eu,replica=a");
    assert_eq!(text(&active.labels), "cluster=eu,job=j,replica=a");
    assert_eq!((active.health(), active.last_scrape_duration), (TargetHealth::Up, 0.25));
    let dropped = &found.dropped_targets[0];
    assert_eq!(text(&dropped.discovered_labels), "a=b,cluster=eu,replica=a");
}

#[tokio::test]
async fn metadata_is_passed_on() {
    let (services, canned) = services(Ok(json!({
        "up": [{"type": "gauge", "help": "h", "unit": ""}, {"type": "counter", "help": "", "unit": "s"}]})));
    let request = MetricMetadataRequest { metric: "up".into(), limit: 0, ..Default::default() };
    let answers = all(services.metric_metadata(Request::new(request)).await.unwrap()).await;
    assert_eq!(*canned.asked.lock().unwrap(), "api/v1/metadata?metric=up&limit=0");
    let Some(metric_metadata_response::Result::Metadata(found)) = &answers[0].result else {
        panic!("metadata")
    };
    let metas = &found.metadata["up"].metas;
    assert_eq!((metas[0].r#type.as_str(), metas[0].help.as_str()), ("gauge", "h"));
    assert_eq!((metas[1].r#type.as_str(), metas[1].unit.as_str()), ("counter", "s"));
}

#[tokio::test]
async fn exemplars_get_external_labels() {
    let (services, canned) =
        services(Ok(json!([{"seriesLabels": {"__name__": "m"}, "exemplars": [
        {"labels": {"trace_id": "x"}, "value": "6.5", "timestamp": 1790899200.123}]}])));
    let request =
        ExemplarsRequest { query: "m".into(), start: -500, end: 1_500, ..Default::default() };
    let answers = all(services.exemplars(Request::new(request)).await.unwrap()).await;
    let asked = "api/v1/query_exemplars?query=m&start=-0.500&end=1.500";
    assert_eq!(*canned.asked.lock().unwrap(), asked);
    let Some(exemplars_response::Result::Data(data)) = &answers[0].result else { panic!("data") };
    assert_eq!(text(&data.series_labels), "__name__=m,cluster=eu,replica=a");
    assert_eq!((data.exemplars[0].value, data.exemplars[0].ts), (6.5, 1_790_899_200_123));
    assert_eq!(text(&data.exemplars[0].labels), "trace_id=x");
}

#[tokio::test]
async fn statistics_are_of_this_prometheus_or_of_none() {
    let answer = json!({
        "headStats": {"numSeries": 7, "numLabelPairs": 8, "chunkCount": 9, "minTime": 1, "maxTime": 2},
        "seriesCountByMetricName": [{"name": "up", "value": 5}], "labelValueCountByLabelName": null});
    let (services, canned) = services(Ok(answer));
    let matcher = |value: &str| LabelMatcher {
        r#type: label_matcher::Type::Re.into(),
        name: "replica".into(),
        value: value.into(),
    };
    let statistics = async |request: TsdbStatisticsRequest| {
        let answers = all(services.tsdb_statistics(Request::new(request)).await.unwrap()).await;
        match &answers[0].result {
            Some(tsdb_statistics_response::Result::Statistics(found)) => found.statistics.clone(),
            other => panic!("{other:?}"),
        }
    };
    let request =
        TsdbStatisticsRequest { limit: 3, matchers: vec![matcher("a|b")], ..Default::default() };
    let found = statistics(request).await;
    assert_eq!(*canned.asked.lock().unwrap(), "api/v1/status/tsdb?limit=3");
    let head = found[""].head_statistics.unwrap();
    assert_eq!((head.num_series, head.chunk_count, head.max_time), (7, 9, 2));
    assert_eq!(found[""].series_count_by_metric_name[0].value, 5);
    let other = TsdbStatisticsRequest { matchers: vec![matcher("b")], ..Default::default() };
    assert!(statistics(other).await.is_empty());
    let tenant = TsdbStatisticsRequest { tenant: "t".into(), ..Default::default() };
    assert!(statistics(tenant).await.is_empty());
}

#[tokio::test]
async fn refusals_keep_their_meaning() {
    let (bad, _) = services(Err(Error::invalid("parse error")));
    let refused = bad.exemplars(Request::new(ExemplarsRequest::default())).await;
    let status = refused.map(drop).unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "parse error"));
    let (odd, _) = services(Ok(json!({"groups": [{"name": 1}]})));
    let refused = odd.rules(Request::new(RulesRequest::default())).await;
    let status = refused.map(drop).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("/api/v1/rules of Prometheus is not understood"));
}
