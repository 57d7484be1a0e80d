//! Thanos' querier over Stoa's store answers as over its own, whoever wrote the blocks.

use std::io::Write;
use std::process::{Command, Stdio};

use super::conformance::{random, two_replicas};
use super::endpoint::{Kind, STORES, go_storeapi};
use crate::support::DATA_START;

/// Asks Thanos' querier over the endpoints; one line of JSON a question.
pub(crate) fn ask(flags: &[String], questions: &[String]) -> Result<Vec<String>, String> {
    ask_go("query", flags, questions)
}

/// Asks a command of the Go program; one line of JSON a question.
pub(super) fn ask_go(
    command: &str,
    flags: &[String],
    questions: &[String],
) -> Result<Vec<String>, String> {
    let mut querier = Command::new(go_storeapi())
        .arg(command)
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the Go program runs");
    let mut input = querier.stdin.take().expect("stdin is piped");
    let lines = questions.join("\n");
    // One that refuses its endpoints reads nothing, which is no error here.
    let writing = std::thread::spawn(move || drop(input.write_all(lines.as_bytes())));
    let output = querier.wait_with_output().expect("the Go program ends");
    writing.join().expect("the questions are written");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).expect("JSON");
    Ok(text.lines().map(str::to_owned).collect())
}

const SELECTORS: [&str; 6] = [
    "up",
    "http_requests_total",
    "{job=\"api\"}",
    "{__name__=~\"up|Caps\",job!=\"node\"}",
    "Caps",
    "{aaa=~\".+\"}",
];

const FUNCTIONS: [&str; 8] = [
    "SEL",
    "rate(SEL[2m])",
    "increase(SEL[5m])",
    "sum by (job) (SEL)",
    "max_over_time(SEL[3m])",
    "count_over_time(SEL[10m])",
    "resets(SEL[30m])",
    "avg without (instance) (irate(SEL[1m]))",
];

/// Instant and range queries at times of all kinds, with dedup and without.
pub(super) fn questions(count: u64) -> Vec<String> {
    let question = |n: u64| {
        let pick = |salt: u64, of: usize| (random(n * 31 + salt) * of as f64) as usize;
        let selector = SELECTORS[pick(1, SELECTORS.len())];
        let query = FUNCTIONS[pick(2, FUNCTIONS.len())].replace("SEL", selector);
        let start = DATA_START + (random(n * 31 + 3) * 13_000_000.0) as i64;
        let step = [0, 15_000, 30_000, 61_000][pick(4, 4)];
        let end = if step == 0 { start } else { start + step * (1 + pick(5, 120) as i64) };
        serde_json::json!({
            "query": query, "start": start, "end": end, "step": step,
            "dedup": pick(6, 2) == 0, "replica_labels": ["replica"],
        })
        .to_string()
    };
    let mut all: Vec<String> = (0..count).map(question).collect();
    // Every sample of a series, as the querier has it after dedup by penalty.
    for selector in SELECTORS {
        for dedup in [true, false] {
            let end = DATA_START + 4 * 3_600_000;
            let query = format!("{selector}[4h]");
            let line = serde_json::json!({
                "query": query, "start": end, "end": end, "step": 0,
                "dedup": dedup, "replica_labels": ["replica"],
            });
            all.push(line.to_string());
        }
    }
    all
}

#[tokio::test]
async fn thanos_querier_answers_alike_over_all_stores() {
    let blocks = two_replicas().await;
    let [thanos, stoa, in_place, beside] = STORES.map(|kind| blocks.serve(kind, &[]));
    let (thanos, stoa) = (thanos.await, stoa.await);
    let (in_place, beside) = (in_place.await, beside.await);
    let questions = questions(400);
    let endpoints = |all: &[String]| vec![format!("-endpoints={}", all.join(","))];
    let own = endpoints(&[thanos.grpc.to_string()]);
    let expected = ask(&own, &questions).expect("Thanos over Thanos");
    let answered = expected.iter().filter(|line| line.contains(' ')).count();
    assert!(answered > questions.len() / 2, "{answered} answers have samples");
    let over_stoa = endpoints(&[stoa.grpc.to_string()]);
    let mut packed = over_stoa.clone();
    packed.push("-compression=snappy".to_owned());
    let native = endpoints(&[in_place.grpc.to_string()]);
    let beside = endpoints(&[beside.grpc.to_string()]);
    let both = endpoints(&[thanos.grpc.to_string(), stoa.grpc.to_string()]);
    for (what, flags) in [
        ("Stoa", over_stoa),
        ("Stoa, packed", packed),
        ("Stoa, native blocks", native),
        ("Stoa, both kinds of blocks", beside),
        ("both", both),
    ] {
        let got = ask(&flags, &questions).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(got.len(), expected.len(), "{what}");
        let pairs = expected.iter().zip(&got).zip(&questions);
        let other: Vec<&String> =
            pairs.filter(|((expected, got), _)| expected != got).map(|(_, asked)| asked).collect();
        assert!(other.is_empty(), "Thanos over {what}: {} differ: {other:#?}", other.len());
    }
    assert_eq!(stoa.kind, Kind::Stoa);
}
