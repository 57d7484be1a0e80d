//! What a query may take of the querier: series, samples, bytes, memory and time.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::place::{Place, at, get, send};
use crate::support::{DATA_START, Server, UploadedBucket, data_set_s, free_address, stoa};

/// How many queries run, as the querier's metrics say.
async fn running(server: &Server) -> String {
    let (status, metrics) = get(server, "/metrics", &[]).await;
    assert_eq!(status, 200);
    let name = "thanos_query_concurrent_gate_queries_in_flight ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.expect("the gate has metrics").to_owned()
}

/// Waits until so many queries run; fails if that takes long.
async fn until_running(server: &Server, count: &str, most: Duration) {
    let began = Instant::now();
    while running(server).await != count {
        assert!(began.elapsed() < most, "not {count} queries after {most:?}: {}", server.output());
    }
}

#[tokio::test]
async fn each_limit_says_what_is_too_much() {
    let place = Place::with_replicas().await;
    let (start, end) = (at(0).to_string(), at(600).to_string());
    let range = [("query", "requests_total"), ("start", &start), ("end", &end), ("step", "15")];
    for (flag, text) in [
        ("--query.max-series=1", "the query selects more than 1 series"),
        ("--query.max-samples=81", "the query reads more than 81 samples"),
        ("--store.limits.request-samples=81", "the query reads more than 81 samples"),
        ("--query.max-fetched-bytes=10", "the query reads more than 10 bytes"),
        ("--query.memory-limit=1KiB", "query needs more than its 1024 bytes of memory"),
        ("--memory-limit=2KiB", "query needs more than its 1024 bytes of memory"),
    ] {
        let server = place.serve(&[flag]).await;
        let (status, body) = get(&server, "/api/v1/query_range", &range).await;
        assert_eq!(status, 422, "{flag}: {body}");
        let error: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(error["errorType"], "execution", "{flag}");
        let said = error["error"].as_str().expect("text");
        assert!(said.contains(text), "{flag}: {said}");
        let one = [("query", "1"), ("time", &start)];
        assert_eq!(get(&server, "/api/v1/query", &one).await.0, 200, "{flag}");
    }
}

/// A minute of work at least: six hundred medians of 600,000 samples.
#[tokio::test]
async fn a_query_ends_when_its_client_goes_away_or_its_time_is_over() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let (start, end) = (at(0).to_string(), at(600).to_string());
    let query = "quantile_over_time(0.5, requests_total[10m:1ms])";
    let long = [("query", query), ("start", &start), ("end", &end), ("step", "1")];
    let mut asked = Box::pin(send(&server, Method::GET, "/api/v1/query_range", &long));
    let seen = until_running(&server, "1", Duration::from_secs(20));
    tokio::select! {
        _ = &mut asked => panic!("the query takes longer than that"),
        () = seen => {}
    }
    drop(asked);
    // It takes a second at most; the tests around this one take their part of the machine.
    until_running(&server, "0", Duration::from_secs(5)).await;
    let timed: Vec<_> = long.into_iter().chain([("timeout", "200ms")]).collect();
    let began = Instant::now();
    let (status, body) = get(&server, "/api/v1/query_range", &timed).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("query timed out in expression evaluation"), "{body}");
    until_running(&server, "0", Duration::from_secs(5)).await;
}

/// The most memory that the server had at any time, in bytes.
fn peak(server: &Server) -> u64 {
    let status = format!("/proc/{}/status", server.pid());
    let status = std::fs::read_to_string(status).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib << 10
}

/// A thousand series at each second of two hours are 120 MB: too much here, and nobody else notices.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_within_its_limit_and_other_queries_go_on() {
    let bucket = UploadedBucket::of(&data_set_s());
    let address = free_address();
    let mut command = std::process::Command::new(stoa());
    command
        .args(["query", "--grpc-address=127.0.0.1:0", "--memory-limit=64MiB"])
        .arg(format!("--http-address={address}"))
        .arg(format!("--objstore.config={}", bucket.objstore()));
    let server = Server::start(&mut command, address, "/-/ready").await;
    let (start, end) = ((DATA_START / 1000).to_string(), (DATA_START / 1000 + 7_199).to_string());
    let query = "{__name__=~\".+\"}";
    let large = [("query", query), ("start", &start), ("end", &end), ("step", "1")];
    let small = [("query", "count(up)"), ("time", &end)];
    let many = async {
        for _ in 0..5 {
            let (status, body) = get(&server, "/api/v1/query_range", &large).await;
            assert_eq!(status, 422, "{body}");
            assert!(body.contains("bytes of memory"), "{body}");
        }
    };
    let mut many = Box::pin(many);
    let mut answered = 0;
    loop {
        tokio::select! {
            () = &mut many => break,
            (status, body) = get(&server, "/api/v1/query", &small) => {
                assert_eq!(status, 200, "{body}");
                answered += 1;
            }
        }
    }
    assert!(answered > 0, "others are answered meanwhile");
    let peak = peak(&server);
    assert!(peak < (64 + 150) << 20, "{peak} bytes of memory with a limit of 64 MiB");
}
