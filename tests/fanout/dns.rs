//! Endpoints behind names that a real DNS server knows (`tests/peers/dns`).

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::answers::series;
use super::fake::{Fake, Manner};
use super::{ask, querier, warnings};
use crate::support::{Server, go_program, scratch};

/// The server and its zone.
struct Dns {
    server: Server,
    folder: TempDir,
}

impl Dns {
    fn start(zone: &str) -> Self {
        let folder = scratch();
        let path = folder.path().join("zone");
        std::fs::write(&path, zone).expect("a file");
        let mut command = Command::new(go_program("dns"));
        let server = Server::announced(command.arg("-zone").arg(&path), |line| line.parse().ok());
        Self { server, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("zone")
    }

    /// Another zone, whole at once.
    fn change(&self, zone: &str) {
        let next = self.folder.path().join("next");
        std::fs::write(&next, zone).expect("a file");
        std::fs::rename(next, self.path()).expect("a rename");
    }

    /// Flags of a querier that asks it often.
    fn flags(&self, endpoints: &[String]) -> Vec<String> {
        let mut flags = vec![
            format!("--store.sd-dns-server={}", self.server.address),
            "--store.sd-dns-interval=100ms".to_owned(),
        ];
        flags.extend(endpoints.iter().map(|endpoint| format!("--endpoint={endpoint}")));
        flags
    }
}

fn port(fake: &Fake) -> &str {
    fake.address.rsplit_once(':').expect("a port").1
}

/// The names of the endpoints that answer.
async fn known(server: &Server) -> Vec<String> {
    let (_, json) = ask(server, "/api/v1/stores", &[]).await;
    let all = json["data"]["sidecar"].as_array().cloned().unwrap_or_default();
    let healthy = all.iter().filter(|store| store["lastError"].is_null());
    healthy.filter_map(|store| store["name"].as_str().map(str::to_owned)).collect()
}

/// Waits until the querier says what is expected.
async fn until<T>(what: &str, server: &Server, done: impl AsyncFn() -> Result<(), T>)
where
    T: std::fmt::Debug,
{
    let began = Instant::now();
    while let Err(is) = done().await {
        let output = server.output();
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: {is:?}\n{output}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn endpoints_are(server: &Server, mut expected: Vec<String>) {
    expected.sort();
    until(&format!("{expected:?}"), server, async || {
        let known = known(server).await;
        if known == expected { Ok(()) } else { Err(known) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_looked_up_again_and_again() {
    let fake = |replica| {
        Fake::start(Manner::Honest, &[("replica", replica)], series(replica, 0, 300, 1.0))
    };
    let (one, two, three) = (fake("a"), fake("b"), fake("c"));
    let srv = |name: &str, fake: &Fake, target: &str| {
        format!("_grpc._tcp.{name}. 60 IN SRV 0 0 {} {target}.\n", port(fake))
    };
    let address = "stores.test. 60 IN A 127.0.0.1\n";
    let zone = [
        address.to_owned(),
        srv("stores.test", &two, "stores.test"),
        srv("names.test", &three, "localhost"),
    ];
    let dns = Dns::start(&zone.concat());
    let endpoints = [
        format!("dns+stores.test:{}", port(&one)),
        "dnssrv+_grpc._tcp.stores.test".to_owned(),
        "dnssrvnoa+_grpc._tcp.names.test".to_owned(),
    ];
    let server = querier(&dns.flags(&endpoints)).await;
    let third = format!("localhost:{}", port(&three));
    endpoints_are(&server, vec![one.address.clone(), two.address.clone(), third.clone()]).await;
    let raw = [("query", "count_over_time(m[1m])"), ("time", "300"), ("dedup", "false")];
    let (_, json) = ask(&server, "/api/v1/query", &raw).await;
    assert_eq!(json["data"]["result"].as_array().map(Vec::len), Some(3), "{json}");

    // A target moves: what is behind the name now is asked, and only that.
    dns.change(
        &[&zone[0], &srv("stores.test", &three, "stores.test"), &zone[2]]
            .map(String::as_str)
            .concat(),
    );
    endpoints_are(&server, vec![one.address.clone(), three.address.clone(), third.clone()]).await;

    // A server that fails says nothing: the addresses stay.
    dns.change("this is no zone\n");
    until("a failure", &server, async || {
        let output = server.output();
        if output.contains("its addresses stay") { Ok(()) } else { Err("nothing is said") }
    })
    .await;
    assert_eq!(known(&server).await.len(), 3);

    // Nothing behind a name is an answer, and a name that is gone has nothing behind it.
    dns.change(address);
    endpoints_are(&server, vec![one.address.clone()]).await;
    let output = server.output();
    assert!(output.contains("nothing stands behind a name"), "{output}");

    // Nobody is left: that is no empty answer.
    dns.change("");
    endpoints_are(&server, vec![]).await;
    let (status, json) = ask(&server, "/api/v1/query", &raw).await;
    assert_eq!((status, &json["errorType"]), (500, &Value::from("internal")), "{json}");
    assert_eq!(json["error"], "no endpoint is known");
}

/// Ten thousand addresses behind a name: as many as are taken are asked, which is said, and the answer
/// has the one that is there.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_addresses_are_too_many() {
    let fake = Fake::start(Manner::Honest, &[("replica", "a")], series("a", 0, 300, 1.0));
    // A message has at most 64 KiB, so they are behind three targets.
    let mut zone = String::new();
    for target in 0..3 {
        writeln!(zone, "_grpc._tcp.many.test. 60 IN SRV 0 0 1 t{target}.test.").expect("a string");
        for at in 0..3_400 {
            let (high, low) = (at / 250, at % 250 + 1);
            writeln!(zone, "t{target}.test. 60 IN A 127.{target}.{high}.{low}").expect("a string");
        }
    }
    let dns = Dns::start(&zone);
    let mut flags = dns.flags(&["dnssrv+_grpc._tcp.many.test".to_owned(), fake.address.clone()]);
    flags[1] = "--store.sd-dns-interval=1h".to_owned();
    let server = querier(&flags).await;
    let output = server.output();
    assert!(output.contains("taken=4096 left_out=6104"), "{output}");
    let instant = [("query", "m"), ("time", "300")];
    let (status, json) = ask(&server, "/api/v1/query", &instant).await;
    assert_eq!(status, 200, "{json}");
    // Who has not answered yet is expected back: ten are named, and how many more there are.
    assert_eq!(warnings(&json).last(), Some(&"4086 more warning annotations omitted"), "{json}");
    assert_eq!(json["data"]["result"].as_array().map(Vec::len), Some(1), "{json}");
}
