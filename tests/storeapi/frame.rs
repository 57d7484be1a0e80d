//! The gRPC server itself: TLS with certificates that change, metrics, and how it ends.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::conformance::two_replicas;
use super::endpoint::{Endpoint, Kind, all_time, go_storeapi};
use super::querier::ask;
use crate::support::{Server, free_address, http, scratch, stoa};

/// Makes a certificate authority, and a server's and a client's certificate by it.
fn certificates(folder: &Path) {
    let status = Command::new(go_storeapi()).arg("certs").arg(folder).status();
    assert!(status.expect("the Go program runs").success());
}

fn client(at: &Endpoint, folder: &Path, with_certificate: bool) -> Result<Vec<String>, String> {
    let mut flags =
        vec![format!("-endpoints={}", at.grpc), format!("-ca={}", folder.join("ca.pem").display())];
    if with_certificate {
        flags.push(format!("-cert={}", folder.join("client.pem").display()));
        flags.push(format!("-key={}", folder.join("client.key").display()));
    }
    let query = r#"{"query":"up","start":1790902800000,"end":1790902800000,"step":0}"#;
    ask(&flags, &[query.to_owned()])
}

#[tokio::test]
async fn tls_asks_for_certificates_and_reads_them_anew() {
    let blocks = two_replicas().await;
    let (used, other) = (scratch(), scratch());
    certificates(used.path());
    certificates(other.path());
    let file = |name: &str| used.path().join(name).display().to_string();
    let flags = [
        format!("--grpc-server-tls-cert={}", file("server.pem")),
        format!("--grpc-server-tls-key={}", file("server.key")),
        format!("--grpc-server-tls-client-ca={}", file("ca.pem")),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let at = blocks.serve(Kind::Stoa, &flags).await;
    let answers = client(&at, used.path(), true).expect("the right certificate");
    assert!(answers[0].contains("1790902800000 3ff0000000000000"), "{}", answers[0]);
    client(&at, used.path(), false).expect_err("no certificate");
    client(&at, other.path(), true).expect_err("a certificate of somebody else");
    for name in ["server.pem", "server.key", "ca.pem"] {
        std::fs::copy(other.path().join(name), used.path().join(name)).expect("a copy");
    }
    client(&at, other.path(), true).expect("the new certificates");
    // Half a change leaves the server as it is.
    std::fs::write(used.path().join("server.key"), "no key").expect("a wrong key");
    client(&at, other.path(), true).expect("the certificates before");
}

/// A querier's own files: a certificate that changes is used without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_querier_reads_its_certificates_anew() {
    let blocks = two_replicas().await;
    let (right, used) = (scratch(), scratch());
    certificates(right.path());
    certificates(used.path());
    let file = |folder: &Path, name: &str| folder.join(name).display().to_string();
    let flags = [
        format!("--grpc-server-tls-cert={}", file(right.path(), "server.pem")),
        format!("--grpc-server-tls-key={}", file(right.path(), "server.key")),
        format!("--grpc-server-tls-client-ca={}", file(right.path(), "ca.pem")),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let at = blocks.serve(Kind::Stoa, &flags).await;
    let http = free_address();
    let mut command = Command::new(stoa());
    command.args(["query", "--grpc-address=127.0.0.1:0", "--grpc-client-tls-secure"]);
    command.arg("--grpc-client-server-name=localhost").arg(format!("--http-address={http}"));
    command.arg(format!("--endpoint={}", at.grpc));
    for (flag, name) in [("cert", "client.pem"), ("key", "client.key"), ("ca", "ca.pem")] {
        command.arg(format!("--grpc-client-tls-{flag}={}", file(used.path(), name)));
    }
    let querier = Server::start(&mut command, http, "/-/ready").await;
    let ask = async || {
        let url = querier.url("/api/v1/query?query=up&time=1790902800");
        let answer = http::get(&url).await;
        let json: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        (json["data"]["result"].as_array().map_or(0, Vec::len), json)
    };
    let (series, json) = ask().await;
    assert_eq!((series, json["warnings"].as_array().map(Vec::len)), (0, Some(1)), "{json}");
    for name in ["client.pem", "client.key", "ca.pem"] {
        std::fs::copy(right.path().join(name), used.path().join(name)).expect("a copy");
    }
    let began = Instant::now();
    while ask().await.0 == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", querier.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn calls_are_counted_under_the_names_of_go() {
    let blocks = two_replicas().await;
    let at = blocks.serve(Kind::Stoa, &[]).await;
    at.series(all_time(&["job=api"])).await.expect("series");
    at.frames(all_time(&[])).await.expect_err("no matchers");
    at.info().await;
    let metrics = http::get(&at.server.url("/metrics")).await.body;
    for line in [
        r#"grpc_server_started_total{grpc_method="Series",grpc_service="thanos.Store",grpc_type="server_stream"} 2"#,
        r#"grpc_server_handled_total{grpc_code="OK",grpc_method="Series",grpc_service="thanos.Store",grpc_type="server_stream"} 1"#,
        r#"grpc_server_handled_total{grpc_code="InvalidArgument",grpc_method="Series",grpc_service="thanos.Store",grpc_type="server_stream"} 1"#,
        r#"grpc_server_handled_total{grpc_code="OK",grpc_method="Info",grpc_service="thanos.info.Info",grpc_type="unary"} 1"#,
        "thanos_bucket_store_blocks_loaded 4",
    ] {
        assert!(metrics.lines().any(|got| got == line), "{line} is not in\n{metrics}");
    }
    let blocks = http::get(&at.server.url("/api/v1/blocks")).await.body;
    let listed: serde_json::Value = serde_json::from_str(&blocks).expect("JSON");
    assert_eq!(listed["data"]["blocks"].as_array().map(Vec::len), Some(4), "{blocks}");
    let build = http::get(&at.server.url("/api/v1/status/buildinfo")).await.body;
    assert!(build.contains("\"version\""), "{build}");
}
