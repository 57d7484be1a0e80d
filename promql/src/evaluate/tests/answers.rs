//! What answers are, and that they are the same each time. Scripts of cases run over blocks in
//! `tests/promql`.

use super::*;

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
