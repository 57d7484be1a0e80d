//! What a Prometheus prints, and how far it is believed.

use engine::ErrorKind;
use engine::model::{MatchOp, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::listing::{escape_name, selector};
use super::status::{external_labels, lowest_timestamp};
use super::{HttpConfig, Prometheus, read};

#[test]
fn external_labels_are_those_of_the_section_global() {
    let yaml = "global:\n  scrape_interval: 15s\n  external_labels:\n    cluster: eu\n    replica: \"0\"\n\
                rule_files:\n- /etc/rules/*.yaml\nscrape_configs:\n- job_name: \"a: b\"\n";
    let labels = external_labels(yaml).unwrap();
    assert_eq!(labels.to_string(), r#"{cluster="eu", replica="0"}"#);
    for none in ["", "global:\n  scrape_interval: 15s\n", "scrape_configs:\n- job_name: global\n"] {
        assert!(external_labels(none).unwrap().is_empty(), "{none:?}");
    }
    assert!(external_labels("global: [").is_err());
}

#[test]
fn the_earliest_sample_is_read_out_of_the_metrics() {
    let of = |line: &str| lowest_timestamp(format!("# HELP x\n{line}\n").as_bytes());
    assert_eq!(
        of("prometheus_tsdb_lowest_timestamp_seconds 1.7908992e+09"),
        Some(1_790_899_200_000)
    );
    assert_eq!(of("prometheus_tsdb_lowest_timestamp_seconds{a=\"}\"} 1.5 99"), Some(1_500));
    assert_eq!(
        of("prometheus_tsdb_lowest_timestamp_seconds 9.223372036854776e+15"),
        Some(i64::MAX)
    );
    assert_eq!(of("prometheus_tsdb_lowest_timestamp_seconds_x 1"), None);
    assert_eq!(of("prometheus_tsdb_lowest_timestamp_seconds NaN"), None);
    assert_eq!(of("prometheus_tsdb_lowest_timestamp_seconds"), None);
}

#[test]
fn matchers_are_written_as_promql() {
    let matcher = |name: &str, op, value: &str| Matcher::new(name, op, value).unwrap();
    let matchers = [
        matcher("__name__", MatchOp::Equal, "up"),
        matcher("a.b", MatchOp::NotEqual, "x\"y\\z\n"),
        matcher("c", MatchOp::Regex, r"\d+"),
        matcher("d", MatchOp::NotRegex, ""),
    ];
    let text = r#"{__name__="up","a.b"!="x\"y\\z\n",c=~"\\d+",d!~""}"#;
    assert_eq!(selector(&matchers), text);
}

#[test]
fn label_names_that_are_no_identifiers_are_escaped() {
    assert_eq!(escape_name("instance_1"), "instance_1");
    assert_eq!(escape_name("service.name"), "U__service_2e_name");
    assert_eq!(escape_name("a/../b_c"), "U__a_2f__2e__2e__2f_b__c");
    assert_eq!(escape_name("U__x"), "U__U____x");
}

#[test]
fn the_configuration_of_the_client_is_thanos() {
    let yaml = "basic_auth: {username: u, password: p}\ntls_config: {insecure_skip_verify: true}\n\
                transport_config: {idle_conn_timeout: 90000000000, max_idle_conns: 3}\n";
    assert!(HttpConfig::from_yaml(yaml).unwrap().into_client().is_ok());
    assert!(HttpConfig::from_yaml(" \n").unwrap().into_client().is_ok());
    let refused = |yaml: &str| {
        let built = HttpConfig::from_yaml(yaml).and_then(|config| config.into_client().map(drop));
        let error = built.unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        error.to_string()
    };
    assert_eq!(refused("basic_auth:\n  user: hunter2"), "line 2, column 3: unknown key user");
    assert!(refused("bearer_token: [hunter2]").contains("a value of another type"));
    assert!(refused("bearer_token: hunter2\nbearer_token: x").contains("occurs twice"));
    assert!(refused("bearer_token: hunter2\nbearer_token_file: /x").starts_with("at most one of"));
    assert!(refused("proxy_url: \"://hunter2\"").contains("proxy_url"));
    assert!(refused("tls_config: {ca_file: /does/not/exist}").contains("tls_config.ca_file"));
    assert!(refused("tls_config: {cert_file: /x}").contains("both cert_file and key_file"));
    let shown = format!("{:?}", HttpConfig::from_yaml("bearer_token: hunter2").unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// A server that gives one answer, whatever is asked; the request that it got.
async fn answering(answer: String) -> (Prometheus, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/prefix/", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let config = HttpConfig::from_yaml("bearer_token: t0ken").unwrap();
    (Prometheus::new(&url, config).unwrap(), served)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn requests_carry_prefix_and_credentials() {
    let body = r#"{"status":"success","data":{"version":"3.16.0"}}"#;
    let (prometheus, served) = answering(http("200 OK", body)).await;
    assert_eq!(prometheus.version().await.unwrap(), "3.16.0");
    let request = served.await.unwrap();
    assert!(request.starts_with("GET /prefix/api/v1/status/buildinfo HTTP/1.1"), "{request}");
    assert!(request.contains("authorization: Bearer t0ken"), "{request}");
}

#[tokio::test]
async fn refusals_say_what_the_server_said() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"no such thing"}"#;
    let (prometheus, _served) = answering(http("400 Bad Request", body)).await;
    let error = prometheus.api::<String>("api/v1/x", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().ends_with("/api/v1/x: 400 Bad Request: no such thing"), "{error}");
    let (prometheus, _served) = answering(http("404 Not Found", "")).await;
    assert_eq!(prometheus.flags().await.unwrap(), None);
    let (prometheus, _served) = answering(http("200 OK", "<html>")).await;
    assert_eq!(prometheus.version().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (prometheus, _served) = answering(http("403 Forbidden", "lifecycle")).await;
    let error = prometheus.reload().await.unwrap_err();
    assert!(error.to_string().ends_with("--web.enable-lifecycle?"), "{error}");
}

#[tokio::test]
async fn a_body_ends_at_its_limit() {
    let (prometheus, _served) = answering(http("200 OK", &"x".repeat(5_000))).await;
    let response = prometheus.post("x", &[], Vec::new()).await.unwrap();
    let error = read(response, 4_999).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
    assert_eq!(error.to_string(), "the answer is longer than 4999 bytes");
}

#[test]
fn a_url_must_be_one() {
    for url in ["", "localhost:9090", "ftp://x", "http://", "unix:/x"] {
        let error = Prometheus::new(url, HttpConfig::default()).unwrap_err();
        assert!(error.to_string().starts_with("URL of Prometheus"), "{error}");
    }
    let with_password = Prometheus::new("http://u:hunter2@x:1", HttpConfig::default()).unwrap();
    assert_eq!(with_password.name(), "http://x:1/");
}
