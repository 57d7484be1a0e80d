//! Whole queries over gRPC: Thanos' generated client and Thanos' distributed engine get from
//! `stoa query` what HTTP gives.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::conformance::{replica, two_replicas};
use super::endpoint::Blocks;
use super::querier::ask_go;
use crate::support::{DATA_START, Server, free_address, http, stoa};

/// A querier with the given flags, and its address for gRPC.
async fn querier(flags: &[String]) -> (Server, SocketAddr) {
    let (http, grpc) = (free_address(), free_address());
    let mut command = Command::new(stoa());
    command.arg("query").arg("--query.replica-label=replica").args(flags);
    command.arg(format!("--http-address={http}")).arg(format!("--grpc-address={grpc}"));
    (Server::start(&mut command, http, "/-/ready").await, grpc)
}

/// A question in whole seconds: instant without a step.
fn question(query: &str, from_minute: i64, minutes: i64, step: i64, dedup: bool) -> Value {
    let start = DATA_START + from_minute * 60_000;
    json!({
        "query": query, "start": start, "end": start + minutes * 60_000, "step": step * 1000,
        "dedup": dedup, "replica_labels": ["replica"],
    })
}

/// The series of an answer as the Go program tells them: labels, samples as times and bits.
type Told = Vec<(String, Vec<String>)>;

/// The answer of HTTP.
async fn over_http(server: &Server, question: &Value) -> Told {
    let seconds = |key: &str| (question[key].as_i64().expect("a number") / 1000).to_string();
    let (path, times) = match question["step"].as_i64() {
        Some(0) => ("/api/v1/query", vec![("time", seconds("end"))]),
        _ => {
            let all = ["start", "end", "step"].map(|key| (key, seconds(key)));
            ("/api/v1/query_range", all.to_vec())
        }
    };
    let mut parameters = vec![
        ("query", question["query"].as_str().expect("text").to_owned()),
        ("dedup", question["dedup"].to_string()),
    ];
    parameters.extend(times);
    let url = reqwest::Url::parse_with_params(&server.url(path), parameters).expect("a URL");
    let answer = http::get(url.as_str()).await;
    assert_eq!(answer.status, 200, "{url}: {}", answer.body);
    let json: Value = serde_json::from_str(&answer.body).expect("JSON");
    let series = json["data"]["result"].as_array().expect("series").iter();
    let mut told: Told = series
        .map(|series| {
            let one = [series["value"].clone()];
            let points = series["values"].as_array().map_or(&one[..], |all| all);
            (labels(&series["metric"]), points.iter().map(point).collect())
        })
        .collect();
    told.sort();
    told
}

/// Labels as Prometheus' `labels.Labels` prints them.
fn labels(metric: &Value) -> String {
    let metric = metric.as_object().expect("labels");
    let mut all: Vec<(&String, &str)> =
        metric.iter().map(|(name, value)| (name, value.as_str().expect("text"))).collect();
    all.sort();
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let pairs: Vec<String> =
        all.into_iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn point(pair: &Value) -> String {
    let ms = (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
    let value: f64 = pair[1].as_str().expect("a value").parse().expect("a number");
    format!("{ms} {:016x}", value.to_bits())
}

/// The answers of the Go program.
fn over_grpc(flags: &[String], questions: &[Value]) -> Vec<Told> {
    let lines: Vec<String> = questions.iter().map(Value::to_string).collect();
    let answers = ask_go("remote", flags, &lines).expect("the Go program answers");
    assert_eq!(answers.len(), questions.len());
    let answers = answers.iter().zip(&lines).map(|(answer, asked)| {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        assert_eq!(answer["error"], "", "{asked}");
        assert_eq!(answer["warnings"], Value::Null, "{asked}");
        let series = answer["series"].as_array().expect("series").iter();
        let mut told: Told = series
            .map(|series| {
                let labels = series["labels"].as_str().expect("text").to_owned();
                let samples = series["samples"].as_array().expect("samples").iter();
                (labels, samples.map(|s| s.as_str().expect("text").to_owned()).collect())
            })
            .collect();
        told.sort();
        told
    });
    answers.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn thanos_client_gets_what_http_gives() {
    let blocks = two_replicas().await;
    let (server, grpc) = querier(&[format!("--objstore.config={}", blocks.objstore())]).await;
    let mut questions = Vec::new();
    for query in [
        "up",
        "{__name__=~\"up|Caps|http_requests_total\"}",
        "rate(http_requests_total[5m])",
        "sum by (job) (max_over_time(up[10m]))",
        "topk(1, Caps)",
        "count({__name__=~\".+\"}) by (__name__)",
        "absent(nothing{a=\"b\"})",
        "nothing",
    ] {
        for dedup in [true, false] {
            questions.push(question(query, 100, 0, 0, dedup));
            questions.push(question(query, 30, 150, 30, dedup));
        }
    }
    let answers = over_grpc(&[format!("-endpoints={grpc}")], &questions);
    let mut samples = 0;
    for (question, got) in questions.iter().zip(answers) {
        assert_eq!(got, over_http(&server, question).await, "{question}");
        samples += got.iter().map(|(_, samples)| samples.len()).sum::<usize>();
    }
    assert!(samples > 10_000, "{samples} samples");
}

/// Two clusters, a querier each; Thanos' distributed engine plans over them.
#[tokio::test(flavor = "multi_thread")]
async fn thanos_distributed_engine_plans_over_queriers() {
    let mut queriers = Vec::new();
    for (number, cluster) in ["c1", "c2"].into_iter().enumerate() {
        let blocks = Blocks::new();
        for block in 0..2 {
            for (replica_number, name) in [(0, "a"), (1, "b")] {
                let external = [("cluster", cluster), ("replica", name)];
                let series = replica(replica_number + 2 * number as u64, block);
                blocks.add(&external, &series).await;
            }
        }
        let flags = [format!("--objstore.config={}", blocks.objstore())];
        let (server, grpc) = querier(&flags).await;
        queriers.push((blocks, server, grpc));
    }
    let addresses: Vec<String> = queriers.iter().map(|(_, _, grpc)| grpc.to_string()).collect();
    let flags: Vec<String> = addresses.iter().map(|a| format!("--endpoint={a}")).collect();
    let (whole, _) = querier(&flags).await;
    let mut questions = Vec::new();
    for query in [
        "sum by (job) (up)",
        "max by (cluster, job) (up)",
        "count(up)",
        "count by (__name__) ({__name__=~\"up|Caps\"})",
        "max by (code) (rate(http_requests_total[5m]))",
        "min(Caps)",
    ] {
        questions.push(question(query, 100, 0, 0, true));
        questions.push(question(query, 60, 60, 60, true));
    }
    let flags = [format!("-endpoints={}", addresses.join(",")), "-distributed".to_owned()];
    for (question, got) in questions.iter().zip(over_grpc(&flags, &questions)) {
        assert!(!got.is_empty(), "{question}");
        assert_eq!(got, over_http(&whole, question).await, "{question}");
    }
    // Each was asked for its part of the query, not for its series.
    for (_, server, _) in &queriers {
        let metrics = http::get(&server.url("/metrics")).await.body;
        let calls = metrics.lines().find(|line| {
            line.starts_with("grpc_server_handled_total{") && line.contains("\"QueryRange\"")
        });
        assert!(calls.is_some(), "{metrics}");
    }
}
