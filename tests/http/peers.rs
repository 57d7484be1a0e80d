//! A real Prometheus and `stoa query` over the same blocks: two replicas of them in a bucket.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::prometheus::Prometheus;
use crate::support::{Server, UploadedBucket, free_address, go_program, scratch, stoa};

const PER_STEP_STATS: &str = "--enable-feature=promql-per-step-stats";

/// Both servers. Series have the external label `cluster="bench"` where a server shows external labels.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) prometheus: Prometheus,
    pub(super) stoa: Server,
    _bucket: UploadedBucket,
    _blocks: tempfile::TempDir,
}

impl Peers {
    /// Starts both over blocks of the `kinds` that `tests/peers/prometheus write` knows. Labels `hidden`
    /// are taken off what Stoa answers, as if they were replica labels too. Both have
    /// the feature that counts the samples of each step.
    pub(super) async fn over(kinds: &[&str], hidden: &[&str]) -> Self {
        let blocks = scratch();
        let mut folders = Vec::new();
        for kind in kinds {
            let written = Command::new(go_program("prometheus"))
                .args(["write", "-kind", kind, "-out"])
                .arg(blocks.path())
                .status();
            assert!(written.expect("the Go program runs").success(), "write {kind}");
            // A data folder has blocks under their ids.
            let folder = blocks.path().join(kind);
            let meta = fs::read(folder.join("meta.json")).expect("meta.json");
            let meta: Value = serde_json::from_slice(&meta).expect("JSON");
            let named = blocks.path().join(meta["ulid"].as_str().expect("an id"));
            fs::rename(folder, &named).expect("a free name");
            folders.push(named);
        }
        let bucket = UploadedBucket::of_replicas(blocks.path(), &["a", "b"]);
        let config = "global: {external_labels: {cluster: bench}}";
        let prometheus = Prometheus::start(config, &folders, &[PER_STEP_STATS]).await;
        let http = free_address();
        let mut command = Command::new(stoa());
        command.arg("query").arg(format!("--objstore.config={}", bucket.objstore()));
        command.arg(format!("--http-address={http}")).arg("--grpc-address=127.0.0.1:0");
        command.args(["--query.replica-label=replica", PER_STEP_STATS]);
        command.args(hidden.iter().map(|label| format!("--query.replica-label={label}")));
        let stoa = Server::start(&mut command, http, "/-/ready").await;
        Self { prometheus, stoa, _bucket: bucket, _blocks: blocks }
    }

    /// The URL of `path` at each, Prometheus first.
    pub(super) fn urls(&self, path: &str) -> [String; 2] {
        [format!("{}{path}", self.prometheus.url()), self.stoa.url(path)]
    }
}
