//! Requests and the exact text of their answers.

use super::place::{Place, at, get, post};

/// Path below `/api/v1`, parameters, and what stands after `{"status":"success","data":`.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Ten minutes after the start of the samples: 2026-10-02T00:10:00Z.
const T: &str = "1790899800";

const QUERIES: &[Case] = &[
    (
        "query",
        &[("query", "up{instance=\"i1\"}"), ("time", T)],
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","cluster":"c","instance":"i1","job":"node"},"value":[1790899800,"1"]}]}}"#,
    ),
    (
        "query",
        &[("query", "up{instance=\"i1\"}"), ("time", "2026-10-02T00:10:00.25Z"), ("dedup", "0")],
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","cluster":"c","instance":"i1","job":"node","replica":"a"},"value":[1790899800.250,"1"]},{"metric":{"__name__":"up","cluster":"c","instance":"i1","job":"node","replica":"b"},"value":[1790899800.250,"1"]}]}}"#,
    ),
    (
        "query",
        &[
            ("query", "up{instance=\"i2\"}"),
            ("time", T),
            ("replicaLabels[]", "replica"),
            ("replicaLabels[]", "cluster"),
        ],
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"i2","job":"node"},"value":[1790899800,"0"]}]}}"#,
    ),
    // A replica label that is another one leaves both replicas.
    (
        "query",
        &[("query", "count(up)"), ("time", T), ("replicaLabels[]", "prometheus")],
        r#"{"resultType":"vector","result":[{"metric":{},"value":[1790899800,"4"]}]}}"#,
    ),
    (
        "query",
        &[("query", "sum by (code) (rate(requests_total[5m]))"), ("time", T)],
        r#"{"resultType":"vector","result":[{"metric":{"code":"200"},"value":[1790899800,"0.9999999999999999"]},{"metric":{"code":"500"},"value":[1790899800,"0.19999999999999998"]}]}}"#,
    ),
    (
        "query",
        &[("query", "sort(odd{kind!=\"nan\"})"), ("time", T)],
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"odd","cluster":"c","kind":"less"},"value":[1790899800,"-Inf"]},{"metric":{"__name__":"odd","cluster":"c","kind":"zero"},"value":[1790899800,"-0"]},{"metric":{"__name__":"odd","cluster":"c","kind":"small"},"value":[1790899800,"1e-07"]},{"metric":{"__name__":"odd","cluster":"c","kind":"third"},"value":[1790899800,"0.3333333333333333"]},{"metric":{"__name__":"odd","cluster":"c","kind":"large"},"value":[1790899800,"1e+21"]},{"metric":{"__name__":"odd","cluster":"c","kind":"inf"},"value":[1790899800,"+Inf"]}]}}"#,
    ),
    (
        "query",
        &[("query", "odd{kind=\"nan\"}"), ("time", T)],
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"odd","cluster":"c","kind":"nan"},"value":[1790899800,"NaN"]}]}}"#,
    ),
    // Labels are written without the escapes for HTML that other strings have (web/api/v1:
    // json_codec.go, marshalLabelsJSON).
    (
        "query",
        &[("query", "text"), ("time", T)],
        concat!(
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"text","a.b":"<a href=\"x\">&é"#,
            "\u{2028}",
            r#"\n","cluster":"c"},"value":[1790899800,"1"]}]}}"#
        ),
    ),
    ("format_query", &[("query", "sum(a)by(b)<1")], r#""sum by (b) (a) \u003c 1"}"#),
    ("parse_query", &[("query", "1")], r#"{"type":"numberLiteral","val":"1"}}"#),
    ("query", &[("query", "nothing"), ("time", T)], r#"{"resultType":"vector","result":[]}}"#),
    (
        "query",
        &[("query", "up{instance=\"i1\"}[30s]"), ("time", T)],
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","cluster":"c","instance":"i1","job":"node"},"values":[[1790899785,"1"],[1790899800,"1"]]}]}}"#,
    ),
    (
        "query",
        &[("query", "1e22"), ("time", "1790899800.5")],
        r#"{"resultType":"scalar","result":[1790899800.5,"10000000000000000000000"]}}"#,
    ),
    (
        "query",
        &[("query", "vector(1e22)"), ("time", "1790899800.5")],
        r#"{"resultType":"vector","result":[{"metric":{},"value":[1790899800.500,"1e+22"]}]}}"#,
    ),
    (
        "query",
        &[("query", "\"<a>\""), ("time", T)],
        r#"{"resultType":"string","result":[1790899800,"\u003ca\u003e"]}}"#,
    ),
    // The limit counts series; what is cut is told.
    (
        "query",
        &[("query", "requests_total"), ("time", T), ("limit", "1")],
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"requests_total","cluster":"c","code":"200"},"value":[1790899800,"600"]}]},"warnings":["results truncated due to limit"]}"#,
    ),
    // Thanos' parameters that change nothing here are read all the same.
    (
        "query",
        &[
            ("query", "count(up)"),
            ("time", T),
            ("engine", "thanos"),
            ("partial_response", "true"),
            ("max_source_resolution", "auto"),
            ("storeMatch[]", "{__address__=~\".*:10901\"}"),
            ("lookback_delta", "1m"),
            ("timeout", "30"),
        ],
        r#"{"resultType":"vector","result":[{"metric":{},"value":[1790899800,"2"]}]}}"#,
    ),
    // The last sample is 61 s old: with a lookback of a minute there is nothing.
    (
        "query",
        &[("query", "count(up)"), ("time", "1790899861"), ("lookback_delta", "1m")],
        r#"{"resultType":"vector","result":[]}}"#,
    ),
    (
        "query_range",
        &[
            ("query", "requests_total{code=\"200\"}"),
            ("start", "1790899770"),
            ("end", "1790899815"),
            ("step", "15s"),
        ],
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"requests_total","cluster":"c","code":"200"},"values":[[1790899770,"570"],[1790899785,"585"],[1790899800,"600"],[1790899815,"600"]]}]}}"#,
    ),
    // Without a step it is a 250th of the range, at least a second.
    (
        "query_range",
        &[("query", "vector(time())"), ("start", "1790899800"), ("end", "1790899802")],
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1790899800,"1790899800"],[1790899801,"1790899801"],[1790899802,"1790899802"]]}]}}"#,
    ),
    (
        "query_range",
        &[("query", "1"), ("start", "1790899800"), ("end", "1790899800"), ("step", "0.5")],
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1790899800,"1"]]}]}}"#,
    ),
    (
        "series",
        &[("match[]", "up"), ("start", "1790899200"), ("end", T)],
        r#"[{"__name__":"up","cluster":"c","instance":"i1","job":"node"},{"__name__":"up","cluster":"c","instance":"i2","job":"node"}]}"#,
    ),
    (
        "series",
        &[
            ("match[]", "up{instance=\"i1\"}"),
            ("match[]", "text"),
            ("dedup", "false"),
            ("limit", "1"),
        ],
        concat!(
            r#"[{"__name__":"text","a.b":"<a href=\"x\">&é"#,
            "\u{2028}",
            r#"\n","cluster":"c","replica":"a"}],"warnings":["results truncated due to limit"]}"#
        ),
    ),
    // Before all samples.
    ("series", &[("match[]", "up"), ("start", "0"), ("end", "1")], "[]}"),
    // Deduplicated, there is no replica label.
    ("labels", &[("match[]", "up")], r#"["__name__","cluster","instance","job"]}"#),
    ("labels", &[], r#"["__name__","a.b","cluster","code","instance","job","kind"]}"#),
    (
        "labels",
        &[("match[]", "up"), ("dedup", "false")],
        r#"["__name__","cluster","instance","job","replica"]}"#,
    ),
    ("query_exemplars", &[("query", "up"), ("start", "0"), ("end", "1")], "[]}"),
];

const ONLY_GET: &[Case] = &[
    ("label/instance/values", &[], r#"["i1","i2"]}"#),
    ("label/__name__/values", &[("match[]", "{job=\"node\"}")], r#"["up"]}"#),
    (
        "label/code/values",
        &[("limit", "1")],
        r#"["200"],"warnings":["results truncated due to limit"]}"#,
    ),
    ("label/U__a_2e_b/values", &[], r#"["\u003ca href=\"x\"\u003e\u0026é\u2028\n"]}"#),
    ("label/replica/values", &[], "[]}"),
    ("label/replica/values", &[("dedup", "false")], r#"["a","b"]}"#),
    ("label/unknown/values", &[], "[]}"),
    ("metadata", &[], "{}}"),
    (
        "status/buildinfo",
        &[],
        concat!(
            r#"{"version":""#,
            env!("CARGO_PKG_VERSION"),
            r#"","revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""}}"#
        ),
    ),
];

#[tokio::test]
async fn answers_are_those_of_prometheus_to_the_byte() {
    assert_eq!(at(600).to_string(), T);
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let mut wrong = Vec::new();
    for (cases, with_post) in [(QUERIES, true), (ONLY_GET, false)] {
        for &(path, parameters, data) in cases {
            let path = format!("/api/v1/{path}");
            let expected = (200, format!("{{\"status\":\"success\",\"data\":{data}"));
            let mut answers = vec![("GET", get(&server, &path, parameters).await)];
            if with_post {
                answers.push(("POST", post(&server, &path, parameters).await));
            }
            for (method, answer) in answers {
                if answer != expected {
                    wrong.push(format!(
                        "{method} {path} {parameters:?}\n  {answer:?}\n  {expected:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A form in the body comes before the URL.
#[tokio::test]
async fn body_and_url_are_one_form() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let path = "/api/v1/query?query=2&time=1";
    let (status, body) = post(&server, path, &[("query", "1")]).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""result":[1,"1"]"#), "{body}");
}

#[tokio::test]
async fn stats_and_plan_come_when_asked_for() {
    let place = Place::with_replicas().await;
    let server = place.serve(&[]).await;
    let ask = [("query", "sum(rate(requests_total[5m]))"), ("time", T)];
    let json = async |extra: &[(&str, &str)]| -> serde_json::Value {
        let (status, body) = get(&server, "/api/v1/query", &[&ask[..], extra].concat()).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    };
    let plain = json(&[]).await;
    assert!(plain["data"].get("stats").is_none() && plain["data"].get("analysis").is_none());
    let stats = json(&[("stats", "all")]).await;
    let total = &stats["data"]["stats"]["timings"]["execTotalTime"];
    assert!(total.as_f64().is_some_and(|seconds| seconds > 0.0), "{stats}");
    assert!(stats.get("warnings").is_none(), "{stats}");
    let analyzed = json(&[("analyze", "1")]).await;
    let operators = chain(&analyzed["data"]["analysis"]);
    for (name, node) in &operators {
        assert!(
            node["metrics"]["elapsed_compute"].is_string() || name == "CooperativeExec",
            "{node}"
        );
    }
    let time = &operators[0].1["executionTime"];
    assert!(time.as_str().is_some_and(|time| time.ends_with('s')), "{analyzed}");
    // The same operators without a question for samples, and without what they measured.
    let (status, body) = get(&server, "/api/v1/query_explain", &ask).await;
    assert_eq!(status, 200, "{body}");
    let explained: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let planned = chain(&explained["data"]);
    let names = |operators: &[(String, serde_json::Value)]| -> Vec<String> {
        operators.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&planned), names(&operators));
    for operator in ["RangeFunctionExec", "DedupExec", "MergeExec", "ScanExec"] {
        assert!(names(&planned).iter().any(|name| name == operator), "{operator}: {body}");
    }
    assert!(planned.iter().all(|(_, node)| node.get("metrics").is_none()), "{body}");
}

/// The operators of a plan from the root down the first inputs, each with its name.
fn chain(root: &serde_json::Value) -> Vec<(String, serde_json::Value)> {
    let (mut operators, mut node) = (Vec::new(), root);
    while let Some(name) = node["name"].as_str() {
        let name = name.split(':').next().unwrap_or_default().trim();
        operators.push((name.to_owned(), node.clone()));
        node = &node["children"][0];
    }
    operators
}

#[tokio::test]
async fn what_is_experimental_is_there_where_it_is_enabled() {
    let place = Place::with_replicas().await;
    let increase = [("query", "xincrease(requests_total{code=\"200\"}[1m])"), ("time", T)];
    let flags = ["--enable-feature=promql-experimental-functions", "--query.enable-x-functions"];
    for (flags, enabled) in [(&flags[..0], false), (&flags[..], true)] {
        let server = place.serve(flags).await;
        let (status, body) = get(&server, "/api/v1/features", &[]).await;
        assert_eq!(status, 200, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let functions = &body["data"]["promql_functions"];
        assert_eq!(functions["info"], enabled, "{body}");
        assert_eq!(functions["rate"], true, "{body}");
        assert_eq!(functions.get("xrate").is_some(), enabled, "{body}");
        assert_eq!(body["data"]["api"]["query_stats"], true, "{body}");
        let (status, body) = get(&server, "/api/v1/query", &increase).await;
        let expected = if enabled { "\"60\"" } else { "unknown function" };
        assert!(status == if enabled { 200 } else { 400 } && body.contains(expected), "{body}");
    }
}
