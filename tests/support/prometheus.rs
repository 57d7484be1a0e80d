//! A real Prometheus 3.16 on loopback, fed by remote write.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message as _;
use proto::prometheus_copy::{Sample, TimeSeries};
use proto::thanos::{Label, WriteRequest};
use serde_json::Value;

use super::{Server, free_address, programs, scratch};

/// A Prometheus and its folder.
#[derive(Debug)]
pub(crate) struct Prometheus {
    server: Server,
    folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one with the given configuration and more flags than the usual: blocks of 2 h, never
    /// compacted, kept for ten years. `blocks` are folders of blocks that it finds in its data folder.
    pub(crate) async fn start(config: &str, blocks: &[PathBuf], flags: &[&str]) -> Self {
        Self::start_at(free_address(), config, blocks, flags).await
    }

    /// The same at an address that was chosen before.
    pub(crate) async fn start_at(
        address: SocketAddr,
        config: &str,
        blocks: &[PathBuf],
        flags: &[&str],
    ) -> Self {
        let folder = scratch();
        let data = folder.path().join("data");
        std::fs::create_dir_all(&data).expect("a folder");
        for block in blocks {
            link_tree(block, &data.join(block.file_name().expect("a block has a name")));
        }
        std::fs::write(folder.path().join("prometheus.yml"), config).expect("a file");
        Self::in_folder(address, folder, "prometheus.yml", flags).await
    }

    /// Starts one in a folder that has its configuration and data.
    pub(crate) async fn in_folder(
        address: SocketAddr,
        folder: tempfile::TempDir,
        config: &str,
        flags: &[&str],
    ) -> Self {
        let mut command = command(address, folder.path(), config, flags);
        let server = Server::start(&mut command, address, "/-/ready").await;
        Self { server, folder }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.server.url("")
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes samples, each series' in order of time.
    pub(crate) async fn write(&self, series: &[(&[(&str, &str)], Vec<(i64, f64)>)]) {
        let series = series.iter().map(|(labels, samples)| {
            let mut labels: Vec<Label> = labels
                .iter()
                .map(|&(name, value)| Label { name: name.into(), value: value.into() })
                .collect();
            labels.sort_by(|a, b| a.name.cmp(&b.name));
            let sample = |&(timestamp, value): &(i64, f64)| Sample { value, timestamp };
            let samples = samples.iter().map(sample).collect();
            TimeSeries { labels, samples, ..TimeSeries::default() }
        });
        let request = WriteRequest { timeseries: series.collect(), ..WriteRequest::default() };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
        let answer = reqwest::Client::new()
            .post(self.server.url("/api/v1/write"))
            .header("content-encoding", "snappy")
            .header("content-type", "application/x-protobuf")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body.expect("a short message"))
            .send()
            .await
            .expect("Prometheus answers");
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap_or_default());
    }

    /// `data` of an answer of its API.
    pub(crate) async fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let request = reqwest::Client::new().get(self.server.url(path)).query(parameters);
        let answer = request.send().await.expect("Prometheus answers");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }
}

/// The command line of a Prometheus in `folder`, which has its configuration, and its data below.
pub(crate) fn command(address: SocketAddr, folder: &Path, config: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(programs::prometheus_server());
    command
        .arg(format!("--config.file={}", folder.join(config).display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .args(["--web.enable-lifecycle", "--web.enable-remote-write-receiver"])
        .arg("--storage.tsdb.retention.time=10y");
    if !flags.iter().any(|flag| flag.contains("max-block-duration")) {
        command
            .args(["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"]);
    }
    command.args(flags);
    command
}

/// The same files under another folder, as hard links where that can be.
pub(crate) fn link_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let path = entry.expect("a folder entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            link_tree(&path, &to);
        } else if std::fs::hard_link(&path, &to).is_err() {
            std::fs::copy(&path, &to).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
    }
}
