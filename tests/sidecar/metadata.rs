//! What a Prometheus says of its metrics is shipped with its blocks, and answered from them.

use std::process::Command;

use serde_json::{Value, json};

use super::place::{Sidecar, shipping};
use crate::support::prometheus::{Prometheus, link_tree};
use crate::support::{Server, data_set_kills, free_address, http, scratch, stoa};

/// The answer of `/api/v1/metadata`.
async fn metadata(server: &Server, parameters: &str) -> Value {
    let answer = http::get(&server.url(&format!("/api/v1/metadata{parameters}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_the_prometheus() {
    let address = free_address();
    let config = format!(
        "global:\n  external_labels: {{cluster: eu, replica: a}}\n  scrape_interval: 100ms\n\
         scrape_configs:\n- job_name: self\n  static_configs: [{{targets: ['{address}']}}]\n"
    );
    let prometheus = Prometheus::start_at(address, &config, &[], &[]).await;
    let (blocks, bucket) = (data_set_kills(), scratch());
    let block = std::fs::read_dir(&blocks)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.join("meta.json").is_file())
        .expect("a block");
    let known = [("metric", "go_goroutines")];
    while prometheus.api("/api/v1/metadata", &known).await.get("go_goroutines").is_none() {}
    let expected = prometheus.api("/api/v1/metadata", &[]).await;
    link_tree(&block, &prometheus.data().join(block.file_name().expect("a name")));
    let sidecar = Sidecar::start(&prometheus.url(), |command| {
        shipping(command, &prometheus.data(), bucket.path());
    })
    .await;
    sidecar
        .until("a block is shipped", async || {
            sidecar.metric("thanos_shipper_uploads_total").await == Some(1.0)
        })
        .await;
    drop((sidecar, prometheus));
    let yaml = format!("{{type: FILESYSTEM, config: {{directory: {}}}}}", bucket.path().display());
    let http = free_address();
    let mut command = Command::new(stoa());
    command.args(["query", "--grpc-address=127.0.0.1:0"]);
    command.arg(format!("--objstore.config={yaml}")).arg(format!("--http-address={http}"));
    let querier = Server::start(&mut command, http, "/-/ready").await;
    let all = metadata(&querier, "").await;
    let (got, expected) = (&all["data"], expected.as_object().expect("metrics"));
    for (metric, said) in expected {
        assert_eq!(&got[metric], said, "{metric}");
    }
    assert_eq!(got["go_goroutines"][0]["type"], "gauge");
    let one = metadata(&querier, "?metric=go_goroutines").await;
    assert_eq!(one["data"].as_object().map(|metrics| metrics.len()), Some(1), "{one}");
    let two = metadata(&querier, "?limit=2").await;
    assert_eq!(two["data"].as_object().map(|metrics| metrics.len()), Some(2), "{two}");
    assert_eq!(metadata(&querier, "?metric=nothing").await["data"], json!({}));
}
