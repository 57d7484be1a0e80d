//! Remote read: Prometheus' own client reads from Stoa what it reads from a Prometheus over the same
//! blocks, and wrong requests are told the same.

use prost::Message as _;
use proto::prometheus::label_matcher::Type;
use proto::prometheus::{LabelMatcher, Query, ReadRequest};
use serde_json::{Value, json};

use super::peers::Peers;
use crate::support::{DATA_START, go_answer};

const HOUR: i64 = 3_600_000;

/// Selectors of one request, from, to, hints.
fn questions() -> Vec<Value> {
    let (start, end) = (DATA_START, DATA_START + 2 * HOUR);
    let (odd_start, odd_end) = (start + 1_234_567, start + 4_321_001);
    let ask = |selectors: &[&str], start: i64, end: i64| json!({"selectors": selectors, "start": start, "end": end});
    let mut all = vec![
        ask(&["{__name__=~\".+\"}"], start, end),
        ask(&["{__name__=~\".+\"}"], odd_start, odd_end),
        ask(&["head_total{n=~\"1|2|3.\"}", "natives", "nothing"], odd_start, odd_end),
        ask(&["{cluster=\"bench\", n!~\"1.\", n!=\"7\"}"], start, odd_end),
        ask(&["{__name__=~\".+\"}"], end + HOUR, end + 2 * HOUR),
        ask(&["{__name__=~\".+\"}"], odd_end, odd_start),
    ];
    let hints = json!({"Start": odd_start, "End": odd_end, "Func": "rate", "Range": 300_000});
    all.push(json!({"selectors": ["head_total"], "start": start, "end": end, "hints": hints}));
    let hints = json!({"Start": start, "End": end, "Func": "series"});
    all.push(json!({"selectors": ["{n=\"1\"}"], "start": start, "end": end, "hints": hints}));
    all
}

/// What Prometheus' client reads at `url`: an answer a question, a line a series or sample.
fn read(url: &str, chunked: bool, questions: &[Value]) -> Vec<Vec<String>> {
    let input = questions.iter().map(|question| format!("{question}\n")).collect();
    let args = ["read", "-url", url, &format!("-chunked={chunked}")];
    let output = go_answer("prometheus", &args, input);
    let (mut answers, mut answer) = (Vec::<Vec<String>>::new(), Vec::new());
    for line in output.lines() {
        assert!(!line.starts_with("error"), "{url}, chunked={chunked}, {}: {line}", answers.len());
        match line {
            "end" => answers.push(std::mem::take(&mut answer)),
            _ => answer.push(comparable(line)),
        }
    }
    answers
}

/// A line of a dump (`tests/peers/prometheus/dump.go`) without what depends on where chunks begin: of a
/// histogram, empty buckets and whether the counter was reset.
fn comparable(line: &str) -> String {
    let fields: Vec<&str> = line.split(' ').collect();
    let &[kind @ ("i" | "h"), start, ts, hint, schema, zero, sum, count, zeros, ref rest @ ..] =
        fields.as_slice()
    else {
        return line.to_owned();
    };
    if sum == "7ff0000000000002" {
        return format!("{ts} stale");
    }
    let &[spans, negative_spans, custom, counts, negative_counts] = rest else {
        panic!("no histogram: {line}");
    };
    let (positive, negative) = (side(spans, counts), side(negative_spans, negative_counts));
    let gauge = hint == "3";
    format!(
        "{kind} {start} {ts} {gauge} {schema} {zero} {sum} {count} {zeros} {custom} {positive:?} \
         {negative:?}"
    )
}

fn side<'a>(spans: &str, counts: &'a str) -> Vec<(i32, &'a str)> {
    let mut end = 0;
    let spans = spans.split(',').filter_map(|span| span.split_once(':'));
    let indices = spans.flat_map(|(offset, length)| {
        let start = end + offset.parse::<i32>().expect("an offset");
        end = start + length.parse::<i32>().expect("a length");
        start..end
    });
    let indices: Vec<i32> = indices.collect();
    let buckets = indices.into_iter().zip(counts.split(','));
    buckets.filter(|(_, count)| count.bytes().any(|digit| digit != b'0')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_prometheus_reads_the_same() {
    let peers = Peers::over(&["natives", "head"], &[]).await;
    let [theirs, ours] = peers.urls("/api/v1/read");
    let questions = questions();
    let expected = read(&theirs, false, &questions);
    let kinds = |first: &str| expected[0].iter().filter(|line| line.starts_with(first)).count();
    assert!(kinds("f ") > 10_000, "{} floats", kinds("f "));
    assert!(kinds("i ") > 1_000 && kinds("h ") > 1_000, "{} {}", kinds("i "), kinds("h "));
    let answered = expected.iter().filter(|lines| !lines.is_empty()).count();
    assert_eq!(answered, questions.len() - 2, "of no time there is nothing");
    for chunked in [false, true] {
        let got = read(&ours, chunked, &questions);
        for ((question, expected), got) in questions.iter().zip(&expected).zip(&got) {
            // A series without chunks is in no frame.
            let without_samples = question["hints"]["Func"] == "series";
            let expected = if without_samples && chunked { &Vec::new() } else { expected };
            equal(question, expected, &got.iter().map(|line| unsigned(line)).collect::<Vec<_>>());
        }
    }
    // Of a part of the time Prometheus 3.16 breaks off where it streams histograms.
    let whole = &questions[..1];
    equal(&whole[0], &read(&theirs, true, whole)[0], &read(&ours, true, whole)[0]);
}

fn equal(question: &Value, expected: &[String], got: &[String]) {
    let other = expected.iter().zip(got).find(|(expected, got)| expected != got);
    assert!(other.is_none(), "{question}: {other:#?}");
    assert_eq!(expected.len(), got.len(), "{question}");
}

/// The line as a message of samples has it: 0 and -0 are both left out of that.
fn unsigned(line: &str) -> String {
    line.replace("8000000000000000", "0000000000000000")
}

fn packed(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).expect("a short message")
}

fn request(kind: i32, name: &str, value: &str, types: &[i32]) -> Vec<u8> {
    let matcher = LabelMatcher { r#type: kind, name: name.into(), value: value.into() };
    let query = Query {
        start_timestamp_ms: DATA_START,
        end_timestamp_ms: DATA_START + HOUR,
        matchers: vec![matcher],
        hints: None,
    };
    let request = ReadRequest { queries: vec![query], accepted_response_types: types.to_vec() };
    packed(&request.encode_to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_told_as_prometheus_tells_them() {
    let peers = Peers::over(&["node"], &[]).await;
    let re = Type::Re as i32;
    let many = ReadRequest { queries: vec![Query::default(); 3], accepted_response_types: vec![] };
    let bodies: [(&str, Vec<u8>); 18] = [
        ("nothing", Vec::new()),
        ("no snappy", b"no snappy at all".to_vec()),
        ("a bomb", vec![0x80, 0xf2, 0x8b, 0xa8, 0x09, 0x00]),
        ("just too long", vec![0x81, 0x80, 0x80, 0x10, 0x00]),
        ("cut off", request(0, "a", "b", &[])[..9].to_vec()),
        ("garbage", packed(b"garbage that is no message")),
        ("other garbage", packed(&[0xff; 40])),
        ("half a message", packed(&[0x0a, 0x40, 0x08])),
        ("a wrong wire type", packed(&[0x0a, 0x02, 0x0a, 0x00])),
        ("an unsupported type", request(0, "a", "b", &[5, 7])),
        ("a type of the future, then chunks", request(0, "a", "b", &[5, 1])),
        ("a wrong matcher", request(9, "a", "b", &[])),
        ("a wrong matcher, streamed", request(9, "a", "b", &[1])),
        ("a wrong expression", request(re, "a", "(", &[0])),
        ("a wrong expression, streamed", request(re, "a", "a{2000}", &[1, 0])),
        ("no query", packed(&[])),
        ("no query, streamed", packed(&[0x12, 0x01, 0x01])),
        ("queries without anything", packed(&many.encode_to_vec())),
    ];
    let client = reqwest::Client::new();
    let mut wrong = Vec::new();
    for (what, body) in &bodies {
        let mut answers = Vec::new();
        for url in peers.urls("/api/v1/read") {
            let answer = client.post(url).body(body.clone()).send().await.expect("an answer");
            let header = |name: &str| {
                let value = answer.headers().get(name);
                value.map_or("", |value| value.to_str().expect("text")).to_owned()
            };
            let status = answer.status().as_u16();
            // Prometheus says of some errors that they are snappy, which they are not.
            let encoding = if status == 200 { "content-encoding" } else { "no such header" };
            let headers = ["content-type", encoding, "x-content-type-options"].map(header);
            let body = answer.bytes().await.expect("a body");
            answers.push((status, headers, String::from_utf8_lossy(&body).into_owned()));
        }
        if answers[0] != answers[1] {
            wrong.push(format!("{what}: {:?}\n  {:?}", answers[1], answers[0]));
        }
    }
    assert!(wrong.is_empty(), "Stoa's, then Prometheus':\n{}", wrong.join("\n"));
    for url in peers.urls("/api/v1/read") {
        assert_eq!(client.get(&url).send().await.expect("an answer").status(), 405, "{url}");
    }
}

/// More than the limit is not held, however it comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_is_cut_off() {
    let peers = Peers::over(&["node"], &[]).await;
    let mut body = vec![0x80, 0x80, 0x80, 0x10];
    body.resize((32 << 20) + 1, 0xff);
    let [_, url] = peers.urls("/api/v1/read");
    let answer = reqwest::Client::new().post(url).body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.text().await.expect("a body"), "snappy: corrupt input\n");
}
