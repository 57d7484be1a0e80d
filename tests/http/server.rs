//! Probes, metrics, the page, headers, and how a server begins and ends.

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, ORIGIN};

use super::place::{Place, get, read, send};
use crate::support::{Server, free_address};

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn probes_metrics_and_page_are_there() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    get(&server, "/api/v1/query", &[("query", "up")]).await;
    assert_eq!(get(&server, "/-/healthy", &[]).await, (200, "OK".to_owned()));
    assert_eq!(get(&server, "/-/ready", &[]).await, (200, "OK".to_owned()));
    let page = send(&server, Method::GET, "/", &[]).await;
    assert_eq!(header(page.headers(), "content-type"), "text/html; charset=utf-8");
    let (status, page) = read(page).await;
    assert!(status == 200 && page.contains("<form id=\"form\">"), "{status} {page}");
    for file in page.split('"').filter(|part| part.starts_with("static/")) {
        assert_eq!(get(&server, &format!("/{file}"), &[]).await.0, 200, "{file}");
    }
    let metrics = send(&server, Method::GET, "/metrics", &[]).await;
    assert!(header(metrics.headers(), "content-type").starts_with("application/openmetrics-text"));
    let (_, metrics) = read(metrics).await;
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    for line in [
        "http_requests_total{code=\"200\",handler=\"query\",method=\"get\"} 1",
        "thanos_query_concurrent_gate_queries_max 20",
        "thanos_query_concurrent_gate_queries_in_flight 0",
        "thanos_query_concurrent_gate_queries_total 1",
        "thanos_blocks_meta_synced{state=\"loaded\"} 2",
        "thanos_bucket_store_blocks_loaded 2",
        "thanos_bucket_store_block_load_failures_total 0",
    ] {
        assert!(metrics.lines().any(|have| have == line), "{line} is not in\n{metrics}");
    }
    for name in ["thanos_objstore_bucket_operations_total{", "process_resident_memory_bytes "] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_can_read_it() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let url = server.url("/api/v1/query?query=up&time=1790899800");
    let sent = async |encodings: &str| {
        let request = reqwest::Client::new().get(&url).header(ACCEPT_ENCODING, encodings);
        let response = request.send().await.expect("an answer");
        let encoding = header(response.headers(), CONTENT_ENCODING.as_str()).to_owned();
        (encoding, response.bytes().await.expect("a body"))
    };
    let (encoding, plain) = sent("identity").await;
    assert_eq!(encoding, "");
    let (encoding, packed) = sent("gzip, deflate, br").await;
    assert_eq!(encoding, "gzip");
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len());
}

#[tokio::test]
async fn other_origins_may_read_unless_it_is_switched_off() {
    let place = Place::with_replicas().await;
    for (flags, allowed) in [(&[][..], "*"), (&["--web.disable-cors"], "")] {
        let server = place.serve(flags).await;
        for method in [Method::GET, Method::OPTIONS] {
            let path = server.url("/api/v1/query?query=1");
            let request = reqwest::Client::new().request(method.clone(), path);
            let response =
                request.header(ORIGIN, "http://elsewhere").send().await.expect("an answer");
            let expected = if method == Method::GET { 200 } else { 204 };
            assert_eq!(response.status(), expected, "{method} {flags:?}");
            let name = "access-control-allow-origin";
            assert_eq!(header(response.headers(), name), allowed, "{method} {flags:?}");
        }
    }
}

#[tokio::test]
async fn under_a_prefix_the_page_and_the_api_are_found() {
    let place = Place::with_replicas().await;
    let server = place.serve(&["--web.route-prefix=/metrics-of/stoa"]).await;
    let (status, body) = get(&server, "/metrics-of/stoa/api/v1/query", &[("query", "1")]).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(get(&server, "/api/v1/query", &[("query", "1")]).await.0, 404);
    // The client follows the redirect.
    let page = send(&server, Method::GET, "/", &[]).await;
    assert!(page.url().path() == "/metrics-of/stoa/" && page.status() == 200, "{page:?}");
    assert_eq!(header(page.headers(), CONTENT_TYPE.as_str()), "text/html; charset=utf-8");
}

/// Without a bucket it cannot know what it does not know, so it answers nothing until it has read it.
#[tokio::test]
async fn it_is_ready_after_the_first_complete_sync() {
    let place = Place::new();
    let folder = place.folder();
    std::fs::remove_dir(&folder).expect("the folder goes");
    let address = free_address();
    let mut command = place.command(address, &["--sync-block-duration=20ms"]);
    let server = Server::start(&mut command, address, "/-/healthy").await;
    assert_eq!(get(&server, "/-/ready", &[]).await, (503, "NOT OK\n".to_owned()));
    let (status, body) = get(&server, "/api/v1/query", &[("query", "1")]).await;
    assert_eq!((status, body.as_str()), (503, "Service Unavailable\n"));
    assert_eq!(get(&server, "/", &[]).await.0, 200);
    std::fs::create_dir(&folder).expect("a folder");
    while get(&server, "/-/ready", &[]).await.0 != 200 {}
    assert_eq!(get(&server, "/api/v1/query", &[("query", "1")]).await.0, 200);
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let output = place.command(server.address, &[]).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    let words = format!("--http-address: listen on {}: Address already in use", server.address);
    assert!(errors.contains(&words), "{errors}");
}
