//! `stoa demo` over blocks that Prometheus' own code has written, beside servers that say of
//! themselves what a Prometheus says. `make demo` is the same with real ones.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use axum::Json;
use axum::Router;
use axum::routing::get;
use tempfile::TempDir;

use super::command::{Said, json};
use crate::block::samples::START;
use crate::ingest::dump::write_block;
use crate::support::{self, Server, free_address, scratch};

/// Two replicas and an empty bucket.
struct Place {
    folder: TempDir,
    urls: Vec<String>,
}

impl Place {
    /// Replicas with these values of the external label `replica`.
    async fn new(replicas: [&str; 2]) -> Self {
        let folder = scratch();
        fs::create_dir(folder.path().join("bucket")).expect("a folder");
        let mut urls = Vec::new();
        for (number, replica) in replicas.iter().enumerate() {
            fs::create_dir(folder.path().join(number.to_string())).expect("a folder");
            let yaml = format!(
                "global:\n  scrape_interval: 15s\n  external_labels:\n    cluster: test\n    replica: {replica}\n"
            );
            urls.push(prometheus(&yaml).await);
        }
        Self { folder, urls }
    }

    fn data(&self, number: usize) -> PathBuf {
        self.folder.path().join(number.to_string())
    }

    /// Gives a replica its block.
    fn add_block(&self, number: usize) {
        let dir = write_block(self.folder.path(), "node");
        let id = json(&dir.join("meta.json"))["ulid"].as_str().expect("an id").to_owned();
        fs::rename(dir, self.data(number).join(id)).expect("the block moves");
    }

    /// `stoa demo` that has begun when the blocks do.
    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(support::stoa());
        command.args(["demo", "--query.replica-label=replica", "--grpc-address=127.0.0.1:0"]);
        command.args(["--sync-block-duration=50ms", "--http-grace-period=1s"]);
        let bucket = self.folder.path().join("bucket");
        let bucket = bucket.display();
        command.arg(format!(
            "--objstore.config={{type: FILESYSTEM, config: {{directory: '{bucket}'}}}}"
        ));
        for (number, url) in self.urls.iter().enumerate() {
            command.arg(format!("--prometheus.url={url}"));
            command.arg(format!("--tsdb.path={}", self.data(number).display()));
        }
        command.args(flags);
        command
    }

    fn run(&self, flags: &[&str]) -> Said {
        let mut command = self.command(flags);
        let output = command.arg("--http-address=127.0.0.1:0").output().expect("stoa runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
    }
}

/// What a Prometheus with this configuration says of it; the URL of the server.
async fn prometheus(yaml: &str) -> String {
    let body = serde_json::json!({"status": "success", "data": {"yaml": yaml}});
    let app = Router::new().route("/api/v1/status/config", get(move || async { Json(body) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

fn since(seconds: i64) -> String {
    format!("--since={}", START / 1000 + seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_well_when_both_replicas_answer_from_this_run() {
    let place = Place::new(["a", "b"]).await;
    place.add_block(0);
    place.add_block(1);
    let out = place.run(&[&since(0), "--duration=1s"]).well();
    for words in [
        "24 samples of 3 series",
        r#"{cluster="test", instance="this-machine", job="node", replica="a"}  4"#,
        r#"{cluster="test", instance="this-machine", job="node", replica="b"}  4"#,
        r#"{cluster="test", instance="this-machine", job="node"}  4"#,
        r#"{mode="user"}"#,
        "Ready: http://127.0.0.1:",
        "The demo ends in 1 s",
        "The time is over.",
    ] {
        assert!(out.contains(words), "{words:?} is not in:\n{out}");
    }
    // Its leftovers do no harm: the blocks are there already, and are no proof of a second run.
    let said = place.run(&[&since(0), "--duration=1s", "--wait=1s"]);
    let out = said.badly(&["no answer from blocks of this run within 1 s"]);
    assert!(!out.contains("Ready"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_block_of_each_replica_it_fails() {
    let place = Place::new(["a", "b"]).await;
    place.add_block(0);
    let out = place.run(&[&since(0), "--duration=1s", "--wait=1s"]).badly(&["replica b"]);
    assert!(out.contains("  a: ") && !out.contains("Ready"), "{out}");
    // Blocks that were begun before this run do not count.
    let place = Place::new(["a", "b"]).await;
    place.add_block(0);
    place.add_block(1);
    let said = place.run(&[&since(1), "--duration=1s", "--wait=1s"]);
    said.badly(&["waiting for the first block of replica a and b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_until_it_is_told_to_end() {
    let place = Place::new(["a", "b"]).await;
    place.add_block(0);
    place.add_block(1);
    for (flags, code) in [(&[][..], 0), (&["--duration=1h"], 130)] {
        fs::remove_file(place.data(0).join("thanos.shipper.json")).ok();
        fs::remove_file(place.data(1).join("thanos.shipper.json")).ok();
        fs::remove_dir_all(place.folder.path().join("bucket/stoa")).ok();
        let address = free_address();
        let mut command = place.command(&[&since(0)]);
        command.arg(format!("--http-address={address}")).args(flags);
        let mut server = Server::start(&mut command, address, "/-/ready").await;
        while !server.output().contains("or at ctrl-c") && !server.output().contains("Ctrl-c ends")
        {
            support::http::get(&server.url("/-/healthy")).await;
        }
        let url = server.url(&format!("/api/v1/query?query=count(up)&time={}", START / 1000 + 60));
        let answer = support::http::get(&url).await;
        assert!(answer.body.contains(",\"1\"]"), "{}", answer.body);
        let killed = Command::new("kill").args(["-INT", &server.pid().to_string()]).status();
        assert!(killed.expect("kill runs").success());
        assert_eq!(server.ended(), Some(code), "{}", server.output());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_one_clear_line() {
    let place = Place::new(["a", "a"]).await;
    place.run(&[]).badly(&["another replica is called a too"]);
    let place = Place::new(["a", "b"]).await;
    place.run(&["--query.replica-label=x"]).badly(&["--query.replica-label"]);
    let said = place.run(&["--prometheus.url=http://127.0.0.1:9", "--tsdb.path=x"]);
    said.badly(&["--prometheus.url: http://127.0.0.1:9"]);
    place.run(&["--tsdb.path=x"]).badly(&["--prometheus.url and --tsdb.path"]);
    let mut other = Place::new(["a", "b"]).await;
    other.urls[1] = prometheus("global:\n  scrape_interval: 15s\n").await;
    other.run(&[]).badly(&["has no external label"]);
}
