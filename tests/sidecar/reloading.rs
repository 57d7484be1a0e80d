//! A template in a ConfigMap becomes the configuration of a real Prometheus, and changes reach it.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::place::Sidecar;
use crate::support::prometheus::Prometheus;
use crate::support::{free_address, scratch};

/// Puts a version of the template where Kubernetes would: beside the old one, then in its place.
fn mount(volume: &Path, version: &str, template: &str) {
    let data = volume.join(version);
    std::fs::create_dir_all(&data).expect("a folder");
    std::fs::write(data.join("prometheus.yaml.tmpl"), template).expect("a file");
    let file = volume.join("prometheus.yaml.tmpl");
    if !file.is_symlink() {
        symlink("..data/prometheus.yaml.tmpl", file).expect("a link");
    }
    symlink(version, volume.join("..data_tmp")).expect("a link");
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).expect("a swap");
}

fn template(cluster: &str) -> String {
    format!(
        "global:\n  external_labels: {{cluster: {cluster}, replica: $(POD_NAME)}}\n\
         rule_files: [rules/*.yaml]\n"
    )
}

const RULES: &str = "groups:\n- name: g\n  rules:\n  - {record: r, expr: vector(1)}\n";

async fn change_and_follow(method: &str) {
    let (config, volume, address) = (scratch(), scratch(), free_address());
    let folder = config.path().to_owned();
    std::fs::create_dir_all(folder.join("rules")).expect("a folder");
    mount(volume.path(), "..1", &template("one"));
    let sidecar = Sidecar::start(&format!("http://{address}"), |command| {
        command
            .env("POD_NAME", "prometheus-0")
            .arg("--reloader.config-file")
            .arg(volume.path().join("prometheus.yaml.tmpl"))
            .arg("--reloader.config-envsubst-file")
            .arg(folder.join("prometheus.yml"))
            .arg("--reloader.rule-dir")
            .arg(folder.join("rules"))
            .args(["--reloader.retry-interval=50ms", "--reloader.process-name=prometheus-server"])
            .arg(format!("--reloader.method={method}"));
    })
    .await;
    // Prometheus starts on what the sidecar wrote.
    let written = folder.join("prometheus.yml");
    sidecar.until("a configuration", async || written.exists()).await;
    let prometheus = Prometheus::in_folder(address, config, "prometheus.yml", &[]).await;
    sidecar.becomes(200).await;
    let labels = "cluster=one,replica=prometheus-0";
    sidecar.until(labels, async || sidecar.labels().await == labels).await;

    mount(volume.path(), "..2", &template("two"));
    let labels = "cluster=two,replica=prometheus-0";
    sidecar.until(labels, async || sidecar.labels().await == labels).await;

    // A template that cannot be filled in is named, and what runs goes on.
    mount(volume.path(), "..3", "global: {external_labels: {a: $(NO_SUCH_VARIABLE)}}\n");
    let failed = "thanos_sidecar_reloader_config_apply_operations_failed_total";
    sidecar
        .until(failed, async || sidecar.metric(failed).await.is_some_and(|count| count > 0.0))
        .await;
    let output = sidecar.server.output();
    assert!(output.contains("found reference to unset environment variable"), "{output}");
    assert_eq!(sidecar.status("/-/ready").await, 200);
    assert_eq!(sidecar.labels().await, labels);
    mount(volume.path(), "..4", &template("two"));

    std::fs::write(folder.join("rules/new.yaml"), RULES).expect("a file");
    let groups = async || {
        let rules: Value = prometheus.api("/api/v1/rules", &[]).await;
        rules["groups"].as_array().map_or(0, Vec::len)
    };
    sidecar.until("the rule", async || groups().await == 1).await;
    let successful = "thanos_sidecar_reloader_last_reload_successful";
    sidecar.until(successful, async || sidecar.metric(successful).await == Some(1.0)).await;
}

#[tokio::test]
async fn a_template_reaches_prometheus_over_http() {
    change_and_follow("http").await;
}
