//! How a sidecar starts, when it is ready, and what it refuses.

use std::process::Command;

use proto::thanos::rules_client::RulesClient;
use proto::thanos::store_client::StoreClient;
use proto::thanos::{
    LabelMatcher, PartialResponseStrategy, RulesRequest, SeriesRequest, series_response,
};

use super::place::{Sidecar, command, shipping};
use crate::support::prometheus::Prometheus;
use crate::support::{Server, free_address, scratch, stoa};

const LABELS: &str = "global:\n  external_labels: {cluster: eu, replica: a}\n";

/// Nothing listens for gRPC before Prometheus is known; then all is served, under its labels; and a
/// Prometheus that is gone makes the sidecar not ready.
#[tokio::test]
async fn readiness_follows_the_prometheus() {
    let address = free_address();
    let url = format!("http://{address}");
    let sidecar = Sidecar::start(&url, |_| {}).await;
    assert_eq!(sidecar.status("/-/ready").await, 503);
    let closed = std::net::TcpStream::connect(sidecar.grpc);
    assert!(closed.is_err(), "gRPC is not there before Prometheus is");

    let prometheus = Prometheus::start_at(address, LABELS, &[], &[]).await;
    // Prometheus tells its earliest time in whole seconds.
    let now = super::ago(60_000) / 1_000 * 1_000;
    let samples = (0..10).map(|at| (now + at * 1_000, at as f64)).collect();
    prometheus.write(&[(&[("__name__", "m"), ("zone", "z")], samples)]).await;
    sidecar.becomes(200).await;
    assert_eq!(sidecar.metric("thanos_sidecar_prometheus_up").await, Some(1.0));
    sidecar.until("labels", async || sidecar.labels().await == "cluster=eu,replica=a").await;
    let least = || async { sidecar.info().await.ok()?.store.map(|store| store.min_time) };
    sidecar.until("the earliest time", async || least().await == Some(now)).await;
    let info = sidecar.info().await.expect("Info");
    assert_eq!(info.component_type, "sidecar");
    let marks = (info.rules, info.targets, info.metric_metadata, info.exemplars, info.status);
    assert!(
        matches!(marks, (Some(_), Some(_), Some(_), Some(_), Some(_))),
        "all services are announced"
    );

    let grpc = format!("http://{}", sidecar.grpc);
    let mut store = StoreClient::connect(grpc.clone()).await.expect("gRPC");
    let request = SeriesRequest {
        min_time: now,
        max_time: now + 9_000,
        matchers: vec![LabelMatcher { r#type: 0, name: "__name__".into(), value: "m".into() }],
        partial_response_strategy: PartialResponseStrategy::Abort.into(),
        ..SeriesRequest::default()
    };
    let mut frames = store.series(request).await.expect("an answer").into_inner();
    let frame = frames.message().await.expect("a frame").expect("a series");
    let Some(series_response::Result::Series(series)) = frame.result else { panic!("a series") };
    let names: Vec<&str> = series.labels.iter().map(|label| label.name.as_str()).collect();
    assert_eq!(names, ["__name__", "cluster", "replica", "zone"]);
    let mut rules = RulesClient::connect(grpc).await.expect("gRPC");
    let mut groups = rules.rules(RulesRequest::default()).await.expect("an answer").into_inner();
    assert!(groups.message().await.expect("an end").is_none(), "there are no rules");

    drop(prometheus);
    sidecar.becomes(503).await;
    assert_eq!(sidecar.metric("thanos_sidecar_prometheus_up").await, Some(0.0));
    assert_eq!(sidecar.status("/-/healthy").await, 200);
}

#[tokio::test]
async fn without_external_labels_it_ends() {
    let prometheus = Prometheus::start("global: {scrape_interval: 15s}\n", &[], &[]).await;
    let mut command = command(&prometheus.url(), free_address(), free_address());
    let mut server = Server::spawn(&mut command, free_address());
    assert_eq!(server.ended(), Some(1));
    let output = server.output();
    assert!(output.contains("no external labels are configured on the Prometheus"), "{output}");
}

/// A Prometheus that compacts is refused where blocks are shipped, unless it waits for the record.
#[tokio::test]
async fn block_durations_must_be_equal_where_blocks_are_shipped() {
    let unequal = ["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=4h"];
    let bucket = scratch();
    let prometheus = Prometheus::start(LABELS, &[], &unequal).await;
    let start = |extra: &'static [&'static str]| {
        let (url, data, bucket) = (prometheus.url(), prometheus.data(), bucket.path().to_owned());
        async move {
            Sidecar::start(&url, |command| {
                shipping(command, &data, &bucket);
                command.args(extra);
            })
            .await
        }
    };
    let refusing = start(&[]).await;
    refusing
        .until("a refusal", async || {
            refusing.server.output().contains("longest block is 4h and its shortest 2h")
        })
        .await;
    assert_eq!(refusing.status("/-/ready").await, 503);
    assert!(std::net::TcpStream::connect(refusing.grpc).is_err(), "gRPC is not there");
    start(&["--shipper.ignore-unequal-block-size"]).await.becomes(200).await;
    Sidecar::start(&prometheus.url(), |_| {}).await.becomes(200).await;
}

#[tokio::test]
async fn a_record_that_prometheus_waits_for_must_be_ours() {
    let folder = scratch();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::write(folder.path().join("prometheus.yml"), LABELS).expect("a file");
    let record = data.join("thanos.shipper.json");
    let delay = format!("--storage.tsdb.delay-compact-file.path={}", record.display());
    let flags = [
        "--storage.tsdb.min-block-duration=2h",
        "--storage.tsdb.max-block-duration=4h",
        delay.as_str(),
    ];
    let prometheus = Prometheus::in_folder(free_address(), folder, "prometheus.yml", &flags).await;
    let bucket = scratch();
    let start = |name: &'static str| {
        let (url, data, bucket) = (prometheus.url(), prometheus.data(), bucket.path().to_owned());
        async move {
            Sidecar::start(&url, |command| {
                shipping(command, &data, &bucket);
                command.arg(format!("--shipper.meta-file-name={name}"));
            })
            .await
        }
    };
    start("thanos.shipper.json").await.becomes(200).await;
    let refusing = start("other.json").await;
    refusing
        .until("a refusal", async || {
            refusing.server.output().contains("both must be the same path")
        })
        .await;
    assert_eq!(refusing.status("/-/ready").await, 503);
}

#[test]
fn wrong_flags_are_named() {
    for (flag, named) in [
        ("--reloader.method=smoke", "--reloader.method"),
        ("--prometheus.url=localhost:9090", "--prometheus.url"),
        ("--prometheus.http-client={basic_auth: {user: x}}", "unknown key user"),
        ("--min-time=yesterday", "--min-time"),
        ("--objstore.config={type: NOWHERE}", "--objstore.config"),
        ("--no-such-flag", "--no-such-flag"),
    ] {
        let output = Command::new(stoa()).args(["sidecar", flag]).output().expect("stoa runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{flag}");
        assert!(errors.contains(named), "{flag}: {errors}");
    }
}
