//! Small cases of our own, in the promqltest language, over samples in memory. Prometheus' scripts run
//! over blocks in `tests/promql`.

use super::script::run;
use super::*;

async fn passes(script: &str) {
    let outcomes = run(script).await;
    assert!(!outcomes.is_empty());
    for outcome in outcomes {
        if let Some(wrong) = outcome.wrong {
            panic!("line {}: {}\n    {wrong}", outcome.line, outcome.query);
        }
    }
}

#[tokio::test]
async fn windows_are_open_on_the_left() {
    passes(
        r#"
load 15s
  m 1 2 3 4 5 6 7 8 9

eval instant at 1m count_over_time(m[1m])
  {} 4

eval instant at 1m count_over_time(m[15s])
  {} 1

eval instant at 1m sum_over_time(m[30s] offset 15s)
  {} 7

eval instant at 1m sum_over_time(m[30s] @ 30)
  {} 5

eval instant at 7m m

eval instant at 6m59s m
  m 9

eval range from 0 to 45s step 15s count_over_time(m[30s:15s])
  {} 1 2 2 2
"#,
    )
    .await;
}

#[tokio::test]
async fn a_stale_marker_ends_a_series_and_is_skipped_in_ranges() {
    passes(
        r#"
load 1m
  m 1 2 stale _ 5

eval range from 0 to 4m step 1m m
  m 1 2 _ _ 5

eval range from 0 to 4m step 1m count_over_time(m[5m])
  {} 1 2 2 2 3

eval range from 0 to 4m step 1m count(m)
  {} 1 1 _ _ 1

eval range from 0 to 4m step 1m absent(m)
  {} _ _ 1 1 _

eval range from 0 to 4m step 1m timestamp(m)
  {} 0 60 _ _ 240
"#,
    )
    .await;
}

#[tokio::test]
async fn names_are_dropped_and_collisions_are_errors() {
    passes(
        r#"
load 1m
  a_total{x="1"} 0 60 120
  b_total{x="1"} 0 60 120
  c{x="1"} 1 _ 3
  d{x="1"} _ 2 _

eval instant at 2m rate({__name__=~"._total"}[2m])
  expect fail msg: vector cannot contain metrics with the same labelset

eval instant at 2m -{__name__=~"._total"}
  expect fail msg: vector cannot contain metrics with the same labelset

eval instant at 2m max({__name__=~"._total"})
  {} 120

eval instant at 2m last_over_time({__name__=~"._total"}[2m])
  a_total{x="1"} 120
  b_total{x="1"} 120

eval instant at 2m a_total > 1
  a_total{x="1"} 120

eval instant at 2m a_total > bool 1
  {x="1"} 1
"#,
    )
    .await;
}

/// Values of two names that take turns are one series after the name is gone.
#[tokio::test]
async fn series_that_take_turns_are_one() {
    let labels = |name: &str| Labels::new([("__name__", name), ("x", "1")]).unwrap();
    let source = Arc::new(MemorySource::new(vec![
        (labels("c"), vec![(0, 1.0), (120_000, 3.0)]),
        (labels("d"), vec![(60_000, 2.0)]),
    ]));
    let evaluation = Evaluation::Range { start: 0, end: 120_000, step: 60_000 };
    let short = |query: &str| QueryRequest {
        lookback: Duration::from_secs(30),
        ..request(query, evaluation)
    };
    let answer = Engine::default().query(short("-{x=\"1\"}"), source).await.unwrap();
    let QueryValue::Matrix(series) = answer.value else { panic!("no matrix") };
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].labels.to_string(), r#"{x="1"}"#);
    assert_eq!(series[0].values, [-1.0, -2.0, -3.0]);
}

#[tokio::test]
async fn vectors_match_or_say_why_not() {
    passes(
        r#"
load 1m
  a{pod="x", c="1"} 10
  a{pod="x", c="2"} 20
  b{pod="x", node="n"} 2
  d{pod="x", node="n"} 3
  d{pod="x", node="m"} 4

eval instant at 0 a * on(pod) group_left(node) b
  {pod="x", c="1", node="n"} 20
  {pod="x", c="2", node="n"} 40

eval instant at 0 b * on(pod) group_right(node) a
  {pod="x", c="1", node="n"} 20
  {pod="x", c="2", node="n"} 40

eval instant at 0 a * on(pod) b
  expect fail msg: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)

eval instant at 0 a * on(pod) group_left d
  expect fail msg: found duplicate series for the match group {pod="x"} on the right hand-side of the operation: [{__name__="d", node="m", pod="x"}, {__name__="d", node="n", pod="x"}];many-to-many matching not allowed: matching labels must be unique on one side

eval instant at 0 sum by (pod) (a) / on(pod) b
  {pod="x"} 15

eval instant at 0 a and on(pod) b
  a{pod="x", c="1"} 10
  a{pod="x", c="2"} 20

eval instant at 0 a unless on(pod) b

eval instant at 0 b or a
  b{pod="x", node="n"} 2
  a{pod="x", c="1"} 10
  a{pod="x", c="2"} 20
"#,
    )
    .await;
}

#[tokio::test]
async fn values_are_counted_and_the_result_is_used_above() {
    passes(
        r#"
load 1m
  version{pod="1"} 7 7
  version{pod="2"} 7 8
  version{pod="3"} 6 8

eval range from 0 to 1m step 1m count_values("v", version)
  {v="6"} 1 _
  {v="7"} 2 1
  {v="8"} _ 2

eval instant at 1m max(count_values("v", version)) + count(count_values("w", version))
  {} 4

eval instant at 1m count_values by (pod) ("pod", version)
  {pod="7"} 1
  {pod="8"} 2
"#,
    )
    .await;
}

#[tokio::test]
async fn instant_answers_are_sorted_by_labels_unless_the_query_orders() {
    passes(
        r#"
load 1m
  m{a="2"} 1
  m{a="1"} 3
  m{a="3"} 2
  m{a="4"} NaN
  n{b="w"} 5

eval instant at 0 m
  expect ordered
  m{a="1"} 3
  m{a="2"} 1
  m{a="3"} 2
  m{a="4"} NaN

eval instant at 0 max by (b) (label_replace(m, "b", "x$1", "a", "[23](.*)") or n)
  expect ordered
  {} 3
  {b="w"} 5
  {b="x"} 2

eval instant at 0 sort_desc(m)
  expect ordered
  m{a="1"} 3
  m{a="3"} 2
  m{a="2"} 1
  m{a="4"} NaN

eval instant at 0 topk(2, m)
  expect ordered
  m{a="1"} 3
  m{a="3"} 2

eval instant at 0 sort(m) > 1
  expect ordered
  m{a="3"} 2
  m{a="1"} 3
"#,
    )
    .await;
}

#[tokio::test]
async fn parts_under_at_are_repeated() {
    passes(
        r#"
load 1m
  m 1 2 3 4

eval range from 0 to 3m step 1m m @ 60
  m 2 2 2 2

eval range from 0 to 3m step 1m m - on() sum(m @ end())
  {} -3 -2 -1 0

eval range from 0 to 3m step 1m vector(time()) - 60
  {} -60 0 60 120

eval range from 0 to 3m step 1m sum_over_time((m @ 60)[2m:1m])
  {} 4 4 4 4
"#,
    )
    .await;
}

#[tokio::test]
async fn scalars_vary_by_step() {
    passes(
        r#"
load 1m
  m 1 2 3 4
  k 2 1 0 3

eval range from 0 to 3m step 1m m * scalar(k)
  {} 2 2 0 12

eval range from 0 to 3m step 1m clamp_max(m, scalar(k))
  {} 1 1 0 3

eval range from 0 to 3m step 1m scalar(nothing)
  {} NaN NaN NaN NaN

eval range from 0 to 3m step 1m scalar(k) < bool scalar(m)
  {} 0 1 1 1

eval instant at 1m 2 < m

eval instant at 3m 2 < m
  m 4
"#,
    )
    .await;
}

#[tokio::test]
async fn types_of_answers() {
    let ask = async |query: &str, evaluation: Evaluation| {
        Engine::default().query(request(query, evaluation), counters()).await
    };
    let now = Evaluation::Instant { time: 30_000 };
    assert_eq!(ask("1 + 1", now).await.unwrap().value, QueryValue::Scalar(30_000, 2.0));
    let text = QueryValue::String(30_000, "a\nb".into());
    assert_eq!(ask(r#""a\nb""#, now).await.unwrap().value, text);
    let QueryValue::Matrix(raw) = ask("m_total{pod=\"1\"}[31s]", now).await.unwrap().value else {
        panic!("no matrix")
    };
    assert_eq!(
        (raw[0].timestamps.as_slice(), raw[0].values.as_slice()),
        (&[0, 15_000, 30_000][..], &[0.0, 15.0, 30.0][..])
    );
    let QueryValue::Matrix(subquery) = ask("m_total{pod=\"1\"}[31s:10s]", now).await.unwrap().value
    else {
        panic!("no matrix")
    };
    assert_eq!(subquery[0].timestamps, [0, 10_000, 20_000, 30_000]);
    let range = Evaluation::Range { start: 0, end: 30_000, step: 15_000 };
    let error = ask("m_total[5m]", range).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector";
    assert_eq!(error.message(), text);
    let error = ask("info(m_total)", range).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "experimental: {error}");
    let none = ask("histogram_count(m_total)", range).await.unwrap().value;
    assert_eq!(none, QueryValue::Matrix(Vec::new()), "numbers are no histograms");
}

#[tokio::test]
async fn repeated_queries_agree_to_the_last_bit() {
    let series = (0..500).map(|i| {
        let labels = Labels::new([("__name__", "m".to_owned()), ("i", i.to_string())]).unwrap();
        (labels, vec![(0, 1.0 / f64::from(i + 1)), (15_000, f64::from(i) * 1e10)])
    });
    let source = Arc::new(MemorySource::new(series.collect()));
    let engine = Engine::default();
    let evaluation = Evaluation::Range { start: 0, end: 15_000, step: 15_000 };
    let mut answers = Vec::new();
    for _ in 0..5 {
        let answer =
            engine.query(request("stddev(m) + sum(m)", evaluation), Arc::clone(&source) as _);
        answers.push(answer.await.unwrap().value);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}
