//! Raw answers to queries, byte for byte those of a real Prometheus over the same blocks: status, content
//! type and body.

use serde_json::Value;

use super::peers::Peers;
use crate::support::DATA_START;

/// A time at which all series have samples, in Unix seconds.
const T: i64 = DATA_START / 1000 + 3600;

/// Expressions whose answer is one number.
const NUMBERS: [&str; 20] = [
    "NaN",
    "Inf",
    "-Inf",
    "-0",
    "0.1+0.2",
    "1e21",
    "1e20",
    "123456789012345680000",
    "1e-7",
    "0.000001",
    "5e-324",
    "1.7976931348623157e308",
    "1/3",
    "100000",
    "1234567.125",
    "-1.5e-9",
    "0x1F",
    "1e6",
    "0/0",
    "-1/0",
];

/// Expressions that are asked at an instant and as a range.
const EXPRESSIONS: &[&str] = &[
    "head_total",
    "head_total{n=\"3\"} > 1e300",
    "nothing",
    "sum(nothing)",
    "absent(nothing{a=\"b\",c=~\"d\"})",
    "sum by (n) (head_total)",
    "count(head_total)",
    "sort(head_total{n=~\"1.\"})",
    "sort_desc(head_total{n=~\"1.\"})",
    "sort_by_label(head_total, \"n\")",
    "topk(3, head_total{n=~\"1.\"})",
    "bottomk(2, head_total{n=~\"1[0-3]\"})",
    "limitk(2, head_total)",
    "count_values(\"v\", head_total{n=~\"1|6|11\"} * 0)",
    "label_replace(head_total{n=\"1\"}, \"x\", \"<a href='&'>\u{2028}\\\"\\\\é\", \"\", \"\")",
    "head_total{n=\"1\"} * on (n) group_left head_total{n=\"1\"}",
    "head_total{n=\"1\"} or head_total{n=\"2\"}",
    "scalar(head_total{n=\"1\"})",
    "timestamp(head_total{n=\"1\"})",
    "time()",
    "vector(time())",
    "natives",
    "head_histogram",
    "rate(head_histogram[5m])",
    "sum(rate(natives[5m]))",
    "histogram_quantile(0.9, head_histogram)",
    "histogram_quantile(0.9, head_total)",
    "rate(head_total{n=\"1\"}[5m])",
    "increase(natives[5m])",
    "max_over_time(head_total{n=~\"1.\"}[10m:1m])",
    "quantile_over_time(2, head_total{n=\"1\"}[5m])",
    "quantile(-1, head_total)",
    "head_total{n=\"1\"} + on () natives",
    "sum({__name__=~\"head_total|head_histogram\"})",
    // What is refused or fails.
    "",
    "sum(",
    "head_total{",
    "{}",
    "head_total + on (n) group_left () {__name__=~\"head_total|natives\"}",
    "nosuchfunction(1)",
    "\"text\"",
    "head_total[5m]",
    "head_total{n=\"1\"}[2m:1m]",
    "rate(head_total)",
    "head_total{n=~\"(\"}",
    "label_replace(head_total, \"x\", \"$1\", \"n\", \"(\")",
];

/// A path below `/api/v1` and its parameters.
type Case = (&'static str, Vec<(&'static str, String)>);

fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let t = T.to_string();
    let mut instant = |query: &str, more: &[(&'static str, &str)]| {
        let mut parameters = vec![("query", query.to_owned())];
        if !more.iter().any(|(name, _)| *name == "time") {
            parameters.push(("time", t.clone()));
        }
        parameters.extend(more.iter().map(|&(name, value)| (name, value.to_owned())));
        all.push(("query", parameters));
    };
    for number in NUMBERS {
        instant(number, &[]);
        instant(&format!("vector({number})"), &[]);
    }
    for expression in EXPRESSIONS {
        instant(expression, &[]);
    }
    for text in ["\"<a>&'\u{2028}é\\n\\\"\"", "'\u{1F600}'", "`\\n`", "\"\\xff\""] {
        instant(text, &[]);
    }
    let fraction = |digits: &str| format!("{t}.{digits}");
    for time in [
        &fraction("5"),
        &fraction("123"),
        &fraction("0004"),
        &fraction("0006"),
        &fraction("9996"),
        "0",
        "-1.5",
        "1.7908992e9",
        "2026-10-01T20:00:00Z",
        "2026-10-01T20:00:00.123456789Z",
        "2026-10-01T22:00:00.5+02:00",
        "abc",
        "2026-13-01T00:00:00Z",
        "2026-10-01",
    ] {
        instant("vector(time())", &[("time", time)]);
        instant("time()", &[("time", time)]);
    }
    for limit in ["0", "1", "3", "1000", "-1", "x", "1.5", "99999999999999999999", ""] {
        instant("head_total", &[("limit", limit)]);
        instant("1", &[("limit", limit)]);
        instant("head_total[1m]", &[("limit", limit)]);
    }
    for lookback in ["1m", "15", "14.999", "1ms", "0", "-1m", "x", "NaN", "1e300", ""] {
        instant("count(head_total)", &[("lookback_delta", lookback)]);
    }
    for timeout in ["10s", "10", "x", "NaN", "1e300", ""] {
        instant("count(head_total)", &[("timeout", timeout)]);
    }
    for parameters in [
        &[("query", "2"), ("time", "5")][..],
        &[("time", "x"), ("limit", "x"), ("timeout", "x")],
        &[("unknown", "1"), ("dedup", "")],
    ] {
        instant("1", parameters);
    }
    all.push(("query", vec![]));
    let (from, to) = (T.to_string(), (T + 120).to_string());
    let mut range = |query: &str, more: &[(&'static str, &str)]| {
        let mut parameters = vec![("query", query.to_owned())];
        for (name, value) in [("start", from.as_str()), ("end", &to), ("step", "30")] {
            let given = more.iter().find(|(other, _)| *other == name);
            parameters.push((name, given.map_or(value, |(_, value)| value).to_owned()));
        }
        let others = more.iter().filter(|(name, _)| !["start", "end", "step"].contains(name));
        parameters.extend(others.map(|&(name, value)| (name, value.to_owned())));
        // A parameter without a value is one that is missing.
        parameters.retain(|(_, value)| value != "missing");
        all.push(("query_range", parameters));
    };
    for number in NUMBERS {
        range(number, &[]);
    }
    for expression in EXPRESSIONS {
        range(expression, &[]);
    }
    for more in [
        &[("start", "missing")][..],
        &[("end", "missing")],
        &[("start", "")],
        &[("end", "x")],
        &[("end", &t)],
        &[("start", &to), ("end", &from)],
        &[("start", &to), ("end", &from), ("step", "0")],
        &[("step", "0")],
        &[("step", "0s")],
        &[("step", "-30")],
        &[("step", "NaN")],
        &[("step", "x")],
        &[("step", "1m")],
        &[("step", "1e300")],
        &[("step", "0.5")],
        &[("step", "0.0004")],
        &[("step", "0.001")],
        &[("step", "7.25")],
        &[("step", "1d")],
        &[("start", "0"), ("end", "11000"), ("step", "1")],
        &[("start", "0"), ("end", "11001"), ("step", "1")],
        &[("start", "0"), ("end", "11000.9"), ("step", "1")],
        &[("start", &fraction("5")), ("end", &fraction("9996")), ("step", "0.1")],
        &[("start", "2026-10-01T20:00:00.5Z"), ("end", "2026-10-01T20:01:00Z")],
        &[("limit", "2")],
        &[("limit", "-2")],
        &[("lookback_delta", "1ms")],
        &[("timeout", "x")],
        &[("query", "2")],
        &[("start", "x"), ("end", "x"), ("step", "x"), ("limit", "x"), ("timeout", "x")],
    ] {
        range("time()", more);
        range("head_total{n=~\"1.\"}", more);
    }
    all.push(("query_range", vec![]));
    all
}

/// Status, content type and body.
async fn answer(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.expect("an answer");
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().expect("text"));
    let (status, kind) = (answer.status().as_u16(), kind.unwrap_or_default().to_owned());
    (status, kind, with_sorted_annotations(answer.text().await.expect("a body")))
}

/// Prometheus keeps annotations in a map: they stand in no order.
fn with_sorted_annotations(body: String) -> String {
    let found =
        [",\"warnings\":[", ",\"infos\":["].iter().filter_map(|field| body.find(field)).min();
    let Some(at) = found else { return body };
    let mut tail: Value =
        serde_json::from_str(&format!("{{{}", &body[at + 1..])).expect("the end of an object");
    for texts in tail.as_object_mut().expect("an object").values_mut() {
        texts.as_array_mut().expect("an array").sort_by_key(Value::to_string);
    }
    format!("{},{}", &body[..at], &tail.to_string()[1..])
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_prometheus_byte_for_byte() {
    let peers = Peers::over(&["natives", "head"], &["cluster"]).await;
    let client = reqwest::Client::new();
    let (mut wrong, cases) = (Vec::new(), cases());
    for (path, parameters) in &cases {
        let [theirs, ours] = peers.urls(&format!("/api/v1/{path}"));
        let expected = answer(client.get(&theirs).query(parameters)).await;
        let of_form = answer(client.post(&theirs).form(parameters)).await;
        assert_eq!(expected, of_form, "{path} {parameters:?}");
        for (method, request) in [
            ("GET", client.get(&ours).query(parameters)),
            ("POST", client.post(&ours).form(parameters)),
        ] {
            let got = answer(request).await;
            if got != expected {
                let shown = |(status, kind, body): &(u16, String, String)| {
                    format!("{status} {kind} {}", body.chars().take(700).collect::<String>())
                };
                let (got, expected) = (shown(&got), shown(&expected));
                wrong.push(format!("{method} {path} {parameters:?}\n  {got}\n  {expected}"));
            }
        }
    }
    let shown = wrong.join("\n");
    assert!(wrong.is_empty(), "{} of {} differ, Stoa's first:\n{shown}", wrong.len(), cases.len());
}

/// Queries whose samples are counted, at an instant and as a range.
const COUNTED: &[&str] = &[
    "1",
    "\"text\"",
    "time()",
    "nothing",
    "head_total",
    "head_total{n=\"1\"}",
    "head_total{n=\"1\"} offset 10m",
    "head_total{n=\"1\"} @ 1790902000",
    "sum(head_total) + count(head_total{n=~\"1.\"})",
    "count(head_total)",
    "head_histogram",
    "sum(head_histogram)",
    "natives",
    "histogram_count(head_histogram)",
    "histogram_sum(rate(head_histogram[5m]))",
    "rate(head_total[1m])",
    "rate(head_total[5m])",
    "sum(rate(head_total{n=\"1\"}[10s]))",
    "count_over_time(head_total[5m] offset 1m)",
    "rate(head_total[5m] @ 1790902000)",
    "rate(head_histogram[5m])",
    "sum_over_time(natives[3m])",
    "absent_over_time(head_total[5m])",
    "timestamp(head_total)",
    "max_over_time(head_total[5m:1m])",
    "max_over_time(head_total[20s:7s])",
    "max_over_time(rate(head_total[1m])[5m:30s] offset 1m)",
    "max_over_time(rate(head_total[1m])[5m:30s] @ 1790902000)",
    "max_over_time(max_over_time(head_total[1m])[5m:30s])",
    "sum_over_time((count_over_time(head_total[1m])[4m:30s] @ end())[2m:1m])",
    "head_total > scalar(max(head_total @ end()))",
    "topk(3, head_total)",
    "count_values(\"v\", head_total)",
    "quantile_over_time(scalar(head_total{n=\"1\"}) * 0, head_total[1m])",
    "head_total and head_total{n=\"1\"}",
];

/// What is measured is not compared, but is there.
fn counted(body: &str) -> Value {
    let mut body: Value = serde_json::from_str(body).expect("JSON");
    let stats = &mut body["data"]["stats"];
    let timings = stats["timings"].take();
    let names: Vec<&String> = timings.as_object().expect("timings").keys().collect();
    let expected = [
        "evalTotalTime",
        "resultSortTime",
        "queryPreparationTime",
        "innerEvalTime",
        "execQueueTime",
        "execTotalTime",
    ];
    assert_eq!(names, expected, "{timings}");
    let samples = stats["samples"].as_object_mut().expect("samples");
    assert!(samples.remove("peakSamples").expect("a peak").is_u64());
    body["data"]["stats"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_counted_as_prometheus_counts_them() {
    let peers = Peers::over(&["natives", "head"], &["cluster"]).await;
    let client = reqwest::Client::new();
    let mut wrong = Vec::new();
    for query in COUNTED {
        for stats in ["true", "all"] {
            let at = [("query", *query), ("stats", stats), ("time", "1790902800.5")];
            let range = [
                ("query", *query),
                ("stats", stats),
                ("start", "1790902800.5"),
                ("end", "1790903400"),
                ("step", "40"),
            ];
            for (path, parameters) in [("query", &at[..]), ("query_range", &range)] {
                let [theirs, ours] = peers.urls(&format!("/api/v1/{path}"));
                let expected = answer(client.get(&theirs).query(parameters)).await;
                let got = answer(client.get(&ours).query(parameters)).await;
                if expected.0 != 200 {
                    assert_eq!(got, expected, "{path} {query}");
                    continue;
                }
                let (got, expected) = (counted(&got.2), counted(&expected.2));
                if got != expected {
                    wrong.push(format!("{path} {query}\n  {got}\n  {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ, Stoa's first:\n{}", wrong.len(), wrong.join("\n"));
}
