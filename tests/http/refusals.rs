//! Bad requests: each has its code and its words, and none takes long.

use std::time::{Duration, Instant};

use reqwest::Method;

use super::place::{Place, get, post, read, send};

/// Much more than any of them needs on a loaded machine, much less than a runaway would.
const SOON: Duration = Duration::from_secs(10);

/// Path below `/api/v1`, parameters, code, `errorType`, `error`.
type Case =
    (&'static str, &'static [(&'static str, &'static str)], u16, &'static str, &'static str);

const T: &str = "1790899800";

const CASES: &[Case] = &[
    // PromQL that is none.
    (
        "query",
        &[],
        400,
        "bad_data",
        r#"invalid parameter "query": unknown position: parse error: no expression found in input"#,
    ),
    (
        "query",
        &[("query", "sum(")],
        400,
        "bad_data",
        r#"invalid parameter "query": 1:5: parse error: unclosed left parenthesis"#,
    ),
    (
        "format_query",
        &[("query", "sum(")],
        400,
        "bad_data",
        r#"invalid parameter "query": 1:5: parse error: unclosed left parenthesis"#,
    ),
    (
        "parse_query",
        &[],
        400,
        "bad_data",
        r#"invalid parameter "query": unknown position: parse error: no expression found in input"#,
    ),
    (
        "query",
        &[("query", "rate(up)")],
        400,
        "bad_data",
        r#"invalid parameter "query": 1:6: parse error: expected type range vector in call to function "rate", got instant vector"#,
    ),
    (
        "query_range",
        &[("query", "up[5m]"), ("start", "0"), ("end", "1"), ("step", "1")],
        400,
        "bad_data",
        r#"invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector"#,
    ),
    (
        "query",
        &[("query", "up{job=~\"(\"}")],
        400,
        "bad_data",
        r#"invalid parameter "query": 1:4: parse error: error parsing regexp: missing closing ): `(`"#,
    ),
    // A regular expression that would be compiled to a million states.
    (
        "query",
        &[("query", "up{job=~\"((a{100}){100}){100}\"}")],
        400,
        "bad_data",
        r#"invalid parameter "query": 1:4: parse error: error parsing regexp: invalid repeat count: `{100}`"#,
    ),
    (
        "query",
        &[("query", "{job=~\".*\"}")],
        400,
        "bad_data",
        r#"invalid parameter "query": 1:1: parse error: vector selector must contain at least one non-empty matcher"#,
    ),
    // What fails while it runs.
    ("query", &[("query", "up + on(job) up"), ("time", T)], 422, "execution", "many-to-many"),
    (
        "query",
        &[("query", "max_over_time(up[10000d:1ms])"), ("time", T)],
        422,
        "execution",
        "steps are more than",
    ),
    (
        "query",
        &[("query", "sum(rate(requests_total[5m]))"), ("time", T), ("timeout", "0.000000001")],
        503,
        "timeout",
        "query timed out in expression evaluation",
    ),
    // Times, steps, durations.
    (
        "query",
        &[("query", "1"), ("time", "abc")],
        400,
        "bad_data",
        r#"invalid parameter "time": invalid time value for 'time': cannot parse "abc" to a valid timestamp"#,
    ),
    (
        "query",
        &[("query", "1"), ("time", "1e300")],
        400,
        "bad_data",
        r#"invalid parameter "time": invalid time value for 'time': cannot parse "1e300" to a valid timestamp"#,
    ),
    (
        "query",
        &[("query", "1"), ("timeout", "soon")],
        400,
        "bad_data",
        r#"invalid parameter "timeout": cannot parse "soon" to a valid duration"#,
    ),
    (
        "query",
        &[("query", "1"), ("lookback_delta", "-")],
        400,
        "bad_data",
        r#"error parsing lookback delta duration: cannot parse "-" to a valid duration"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("end", "1"), ("step", "1")],
        400,
        "bad_data",
        r#"invalid parameter "start": cannot parse "" to a valid timestamp"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "0"), ("end", "2026-13-01T00:00:00Z"), ("step", "1")],
        400,
        "bad_data",
        r#"invalid parameter "end": cannot parse "2026-13-01T00:00:00Z" to a valid timestamp"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "2"), ("end", "1"), ("step", "1")],
        400,
        "bad_data",
        r#"invalid parameter "end": end timestamp must not be before start time"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "0"), ("end", "1"), ("step", "often")],
        400,
        "bad_data",
        r#"invalid parameter "step": cannot parse "often" to a valid duration"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "0"), ("end", "1"), ("step", "0")],
        400,
        "bad_data",
        r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "0"), ("end", "1"), ("step", "-5")],
        400,
        "bad_data",
        r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "0"), ("end", "11001"), ("step", "1")],
        400,
        "bad_data",
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    ),
    (
        "query_range",
        &[
            ("query", "1"),
            ("start", "-292273086-05-16T16:47:06Z"),
            ("end", "292277025-08-18T07:12:54.999999999Z"),
            ("step", "1"),
        ],
        400,
        "bad_data",
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    ),
    // Thanos' parameters, in Thanos' words.
    (
        "query",
        &[("query", "1"), ("dedup", "maybe")],
        400,
        "bad_data",
        r#"'dedup' parameter: strconv.ParseBool: parsing "maybe": invalid syntax"#,
    ),
    (
        "query",
        &[("query", "1"), ("partial_response", "2")],
        400,
        "bad_data",
        r#"'partial_response' parameter: strconv.ParseBool: parsing "2": invalid syntax"#,
    ),
    (
        "query",
        &[("query", "1"), ("max_source_resolution", "coarse")],
        400,
        "bad_data",
        r#"'max_source_resolution' parameter: cannot parse "coarse" to a valid duration"#,
    ),
    (
        "query",
        &[("query", "1"), ("max_source_resolution", "-1")],
        400,
        "bad_data",
        "negative 'max_source_resolution' is not accepted. Try a positive integer",
    ),
    ("query", &[("query", "1"), ("engine", "steam")], 400, "bad_data", "'steam' bad engine"),
    (
        "query",
        &[("query", "1"), ("limit", "few")],
        400,
        "bad_data",
        r#"invalid parameter "limit": strconv.Atoi: parsing "few": invalid syntax"#,
    ),
    (
        "query",
        &[("query", "1"), ("limit", "-1")],
        400,
        "bad_data",
        r#"invalid parameter "limit": limit must be non-negative"#,
    ),
    // Selectors.
    ("series", &[], 400, "bad_data", "no match[] parameter provided"),
    (
        "series",
        &[("match[]", "{job=~\".*\"}")],
        400,
        "bad_data",
        r#"invalid parameter "match[]": match[] must contain at least one non-empty matcher"#,
    ),
    ("labels", &[("match[]", "up + 1")], 400, "bad_data", "1:4: parse error: unexpected <op:+>"),
    (
        "labels",
        &[("start", "2"), ("end", "1")],
        400,
        "bad_data",
        r#"invalid parameter "end": end timestamp must not be before start time"#,
    ),
    (
        "labels",
        &[("start", "yesterday")],
        400,
        "bad_data",
        r#"invalid parameter "start": invalid time value for 'start': cannot parse "yesterday" to a valid timestamp"#,
    ),
];

#[tokio::test]
async fn bad_requests_have_their_code_and_their_words() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let mut wrong = Vec::new();
    for &(path, parameters, code, kind, error) in CASES {
        let path = format!("/api/v1/{path}");
        let begin = Instant::now();
        for (status, body) in
            [get(&server, &path, parameters).await, post(&server, &path, parameters).await]
        {
            let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            let said = json["error"].as_str().unwrap_or_default();
            // Where Prometheus defines the text it is compared as a whole.
            let fits = if code == 400 { said == error } else { said.contains(error) };
            let fits = fits && json["status"] == "error" && json["errorType"] == kind;
            if status != code || !fits {
                wrong.push(format!("{path} {parameters:?}: {status} {body}\n  {code} {error:?}"));
            }
        }
        assert!(begin.elapsed() < SOON, "{path} {parameters:?}: {:?}", begin.elapsed());
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    let (status, body) =
        get(&server, "/api/v1/query", &[("query", "count(up)"), ("time", T)]).await;
    assert_eq!(status, 200, "it answers on: {body}");
}

/// Queries that are short to write and long to parse, plan or match.
#[tokio::test]
async fn deep_and_long_queries_are_refused_soon() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let nest =
        |open: &str, close: &str| format!("{}up{}", open.repeat(10_000), close.repeat(10_000));
    let names = |n: usize| (0..n).map(|at| format!("l{at}!=\"x\"")).collect::<Vec<_>>().join(",");
    for (query, code, words) in [
        (nest("(", ")"), 400, "nested deeper than"),
        (nest("-", ""), 400, "nested deeper than"),
        (nest("abs(", ")"), 400, "nested deeper than"),
        (nest("{", "}"), 400, "parse error"),
        (nest("[", "]"), 400, "parse error"),
        ("up+".repeat(10_000) + "up", 400, "nested deeper than"),
        ("a".repeat(70_000), 400, "bytes of PromQL"),
        (format!("up{{job=~\"{}\"}}", "(a*)*".repeat(5_000)), 200, "success"),
        (format!("up{{job=~\"{}\"}}", "(".repeat(20_000)), 400, "regexp"),
        (format!("up{{job=~\"{}\"}}", ".{1000}".repeat(1_000)), 400, "regexp"),
        (format!("up{{{}}}", names(4_000)), 200, "success"),
        ("\0\u{1}\u{fffd}{{{".to_owned(), 400, "parse error"),
    ] {
        let shown = &query[..query.len().min(12)];
        let begin = Instant::now();
        let (status, body) =
            post(&server, "/api/v1/query", &[("query", &query), ("time", T)]).await;
        let took = begin.elapsed();
        assert_eq!(status, code, "{shown}…: {}", &body[..body.len().min(300)]);
        assert!(body.contains(words), "{shown}…: {}", &body[..body.len().min(300)]);
        assert!(took < SOON, "{shown}…: {took:?}");
        if code == 400 {
            let selector = [("match[]", query.as_str())];
            let (status, body) = post(&server, "/api/v1/series", &selector).await;
            assert_eq!(status, 400, "match[]={shown}…: {}", &body[..body.len().min(300)]);
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_form_are_refused() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let url = server.url("/api/v1/query");
    let sent = async |kind: &str, body: Vec<u8>| {
        let request = reqwest::Client::new().post(&url).header("content-type", kind).body(body);
        read(request.send().await.expect("an answer")).await
    };
    let form = "application/x-www-form-urlencoded";
    let (status, body) = sent(form, format!("query={}", "1+".repeat(1 << 20)).into_bytes()).await;
    let too_large = "the body of the request is larger than 1048576 bytes";
    let refused = |kind, error| {
        format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":\"{error}\"}}")
    };
    assert_eq!((status, body), (413, refused("bad_data", too_large)));
    let (status, body) = sent(form, b"query=%zz".to_vec()).await;
    let error = "error parsing form values: invalid URL escape \\\"%zz\\\"";
    assert_eq!((status, body), (400, refused("bad_data", error)));
    let (status, body) = sent(form, b"query=\xff".to_vec()).await;
    assert!(status == 400 && body.contains("error parsing form values"), "{status} {body}");
    // As in Go, a body of another kind is no form: there is no query.
    let (status, body) = sent("application/json", b"{\"query\":\"1\"}".to_vec()).await;
    assert!(status == 400 && body.contains("no expression found"), "{status} {body}");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    for (method, path, code, body) in [
        (Method::GET, "/api/v1/nothing", 404, "404 page not found\n"),
        (Method::GET, "/api/v2/query", 404, "404 page not found\n"),
        (Method::GET, "/static/../Cargo.toml", 404, "404 page not found\n"),
        (Method::GET, "/static/nothing.js", 404, "404 page not found\n"),
        (
            Method::GET,
            "/api/v1/label//values",
            400,
            r#"{"status":"error","errorType":"bad_data","error":"invalid label name: \"\""}"#,
        ),
        (Method::PUT, "/api/v1/query", 405, "Method Not Allowed\n"),
        (Method::DELETE, "/api/v1/series", 405, "Method Not Allowed\n"),
        (Method::POST, "/api/v1/label/job/values", 405, "Method Not Allowed\n"),
        (Method::POST, "/metrics", 405, "Method Not Allowed\n"),
    ] {
        let answer = read(send(&server, method.clone(), path, &[]).await).await;
        assert_eq!(answer, (code, body.to_owned()), "{method} {path}");
    }
}
