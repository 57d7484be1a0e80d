//! `stoa query` as a process: gRPC health, logs, and how it ends.

use std::net::SocketAddr;
use std::process::Command;

use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{self, Server, free_address, scratch};

/// `stoa query` over an empty bucket, and its gRPC address.
async fn serve(folder: &tempfile::TempDir, flags: &[&str]) -> (Server, SocketAddr) {
    let (http, grpc) = (free_address(), free_address());
    let mut command = Command::new(support::stoa());
    command.arg("query").args(flags);
    command.arg(format!("--http-address={http}")).arg(format!("--grpc-address={grpc}"));
    let bucket = folder.path().display();
    command
        .arg(format!("--objstore.config={{type: FILESYSTEM, config: {{directory: '{bucket}'}}}}"));
    (Server::start(&mut command, http, "/-/ready").await, grpc)
}

async fn health(grpc: SocketAddr) -> HealthClient<Channel> {
    let endpoint = Endpoint::try_from(format!("http://{grpc}")).expect("an address");
    HealthClient::new(endpoint.connect().await.expect("a connection"))
}

#[tokio::test]
async fn grpc_health_answers() {
    let folder = scratch();
    let (_server, grpc) = serve(&folder, &[]).await;
    let mut client = health(grpc).await;
    let check = HealthCheckRequest { service: String::new() };
    let answer = client.check(check).await.expect("an answer").into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let check = HealthCheckRequest { service: "nothing".to_owned() };
    let error = client.check(check).await.expect_err("no such service");
    assert_eq!(error.code(), tonic::Code::NotFound);
}

/// SIGTERM ends it with code 0, also while somebody holds a connection open.
#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let folder = scratch();
    let (mut server, grpc) =
        serve(&folder, &["--http-grace-period=1s", "--grpc-grace-period=1s"]).await;
    let client = reqwest::Client::new();
    let answer = client.get(server.url("/api/v1/query?query=1")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let _open = health(grpc).await;
    let killed = Command::new("kill").args(["-TERM", &server.pid().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    let code = server.ended();
    assert_eq!(code, Some(0), "{}", server.output());
    assert!(server.output().contains("signal=SIGTERM"), "{}", server.output());
}

#[tokio::test]
async fn log_lines_are_those_of_thanos() {
    let folder = scratch();
    let (server, _) = serve(&folder, &[]).await;
    let output = server.output();
    let line = output.lines().find(|line| line.contains("listening")).expect("it says where");
    let (ts, rest) = line.strip_prefix("ts=").and_then(|l| l.split_once(' ')).expect("a time");
    chrono::DateTime::parse_from_rfc3339(ts).expect("RFC 3339");
    assert!(rest.starts_with("caller=serving.rs:"), "{line}");
    let end = format!(
        " level=info msg=\"listening for requests\" protocol=http address={}",
        server.address
    );
    assert!(output.lines().any(|line| line.ends_with(&end)), "{output}");
}
