//! `stoa demo` beside a set-up of real processes: two Prometheus replicas that scrape themselves and
//! have a block each, sidecars, a store and a querier. `make demo` is the same with live blocks.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::command::{Said, json, stoa};
use crate::block::samples::START;
use crate::ingest::dump::write_block;
use crate::support::prometheus::Prometheus;
use crate::support::{self, Server, free_address, scratch};

/// The set-up.
struct Place {
    // Processes end before the folder is removed.
    servers: Vec<Server>,
    _replicas: Vec<Prometheus>,
    _bucket: TempDir,
    query: SocketAddr,
    store: SocketAddr,
}

impl Place {
    /// Replicas `a` and `b`, of which those in `with_block` have a block.
    async fn new(with_block: &[&str]) -> Self {
        let bucket = scratch();
        let objstore =
            format!("{{type: FILESYSTEM, config: {{directory: '{}'}}}}", bucket.path().display());
        let (mut servers, mut replicas, mut endpoints) = (Vec::new(), Vec::new(), Vec::new());
        for name in ["a", "b"] {
            let address = free_address();
            let config = format!(
                "global: {{scrape_interval: 1s, external_labels: {{cluster: test, replica: {name}}}}}\n\
                 scrape_configs:\n\
                 - job_name: node\n  \
                   static_configs: [{{targets: ['{address}'], labels: {{instance: this-machine}}}}]\n"
            );
            let folder = scratch();
            let blocks = with_block.contains(&name).then(|| block(&folder));
            let blocks: Vec<PathBuf> = blocks.into_iter().collect();
            let replica = Prometheus::start_at(address, &config, &blocks, &[]).await;
            let (http, grpc) = (free_address(), free_address());
            let mut sidecar = role("sidecar", http, grpc);
            sidecar.arg(format!("--prometheus.url={}", replica.url()));
            sidecar.arg(format!("--tsdb.path={}", replica.data().display()));
            sidecar.arg(format!("--objstore.config={objstore}"));
            servers.push(Server::start(&mut sidecar, http, "/-/ready").await);
            replicas.push(replica);
            endpoints.push(grpc);
        }
        let (store, grpc) = (free_address(), free_address());
        let mut command = role("store", store, grpc);
        command.arg(format!("--objstore.config={objstore}")).arg("--sync-block-duration=50ms");
        servers.push(Server::start(&mut command, store, "/-/ready").await);
        endpoints.push(grpc);
        let query = free_address();
        let mut command = role("query", query, free_address());
        command.arg("--query.replica-label=replica");
        command.args(endpoints.iter().map(|endpoint| format!("--endpoint={endpoint}")));
        servers.push(Server::start(&mut command, query, "/-/ready").await);
        Self { servers, _replicas: replicas, _bucket: bucket, query, store }
    }

    /// `stoa demo` that has begun when the blocks do.
    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(support::stoa());
        command.args(["demo", "--replica=a", "--replica=b"]);
        command.arg(format!("--query.url=http://{}", self.query));
        command.arg(format!("--store.url=http://{}", self.store)).args(flags);
        command
    }

    fn run(&self, flags: &[&str]) -> Said {
        let output = self.command(flags).output().expect("stoa runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }
}

fn role(name: &str, http: SocketAddr, grpc: SocketAddr) -> Command {
    let mut command = Command::new(support::stoa());
    command.arg(name).arg(format!("--http-address={http}")).arg(format!("--grpc-address={grpc}"));
    command
}

/// A block, named as Prometheus names them.
fn block(folder: &TempDir) -> PathBuf {
    let dir = write_block(folder.path(), "node");
    let id = json(&dir.join("meta.json"))["ulid"].as_str().expect("an id").to_owned();
    let named = folder.path().join(id);
    fs::rename(dir, &named).expect("the block moves");
    named
}

fn since(seconds: i64) -> String {
    format!("--since={}", START / 1000 + seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_well_when_both_replicas_answer_from_this_run() {
    let mut place = Place::new(&["a", "b"]).await;
    let out = place.run(&[&since(0), "--duration=1s"]).well();
    for words in [
        "The endpoints of the querier",
        r#"answers  {cluster="test", replica="a"}"#,
        "24 samples of 3 series",
        r#"{cluster="test", instance="this-machine", job="node", replica="a"}  4"#,
        r#"{cluster="test", instance="this-machine", job="node", replica="b"}  4"#,
        r#"{cluster="test", instance="this-machine", job="node"}  4"#,
        r#"{mode="user"}"#,
        "Asked of all, now",
        "Ready: http://127.0.0.1:",
        "The demo ends in 1 s",
        "The time is over.",
    ] {
        assert!(out.contains(words), "{words:?} is not in:\n{out}");
    }
    // Blocks that were begun before a run are no proof of it.
    let said = place.run(&[&since(1), "--duration=1s", "--wait=1s"]);
    let out = said.badly(&["no answer from blocks of this run within 1 s", "the first blocks"]);
    assert!(!out.contains("Ready"), "{out}");

    for (flags, code) in [(&[][..], 0), (&["--duration=1h"], 130)] {
        let mut command = place.command(&[&since(0)]);
        let mut demo = Server::spawn(command.args(flags), place.query);
        while !demo.output().contains("or at ctrl-c") && !demo.output().contains("Ctrl-c ends") {
            support::http::get(&demo.url("/-/healthy")).await;
            assert!(demo.runs(), "{}", demo.output());
        }
        let killed = Command::new("kill").args(["-INT", &demo.pid().to_string()]).status();
        assert!(killed.expect("kill runs").success());
        assert_eq!(demo.ended(), Some(code), "{}", demo.output());
    }

    // Without its store the set-up proves nothing.
    let store = place.servers.remove(2);
    drop(store);
    place.run(&[&since(0), "--duration=1s", "--wait=1s"]).badly(&["no answer"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_block_of_each_replica_it_fails() {
    let place = Place::new(&["a"]).await;
    let said = place.run(&[&since(0), "--duration=1s", "--wait=1s"]);
    let out = said.badly(&["waiting for the first block of replica b"]);
    assert!(out.contains("  a: ") && !out.contains("Ready"), "{out}");
    let said = place.run(&["--replica=c", "--wait=1s"]);
    said.badly(&["waiting for the sidecar of replica c"]);
}

#[test]
fn what_does_not_fit_is_one_clear_line() {
    let nobody = format!("http://{}", free_address());
    let urls = [format!("--query.url={nobody}"), format!("--store.url={nobody}")];
    let demo = |flags: &[&str]| {
        stoa(&[&["demo", &urls[0], &urls[1], "--replica=a", "--wait=1s"], flags].concat())
    };
    demo(&["--replica=a"]).badly(&["a is given twice"]);
    demo(&[]).badly(&["no answer from blocks of this run within 1 s", "/api/v1/stores"]);
}
