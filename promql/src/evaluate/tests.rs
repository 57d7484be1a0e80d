use std::sync::Arc;
use std::time::Duration;

use engine::model::Labels;
use engine::source::{MemorySource, SelectOptions};

use super::*;

fn source() -> Arc<MemorySource> {
    let series = |job: &str, pod: &str, step: f64| {
        let labels = Labels::new([("__name__", "m_total"), ("job", job), ("pod", pod)]).unwrap();
        let samples = (0..=120).map(|i| (i * 15_000, i as f64 * step)).collect();
        (labels, samples)
    };
    Arc::new(MemorySource::new(vec![
        series("a", "1", 15.0),
        series("a", "2", 30.0),
        series("b", "3", 45.0),
    ]))
}

async fn query(query: &str, evaluation: Evaluation) -> Result<QueryAnswer> {
    let request = QueryRequest {
        query: query.to_owned(),
        evaluation,
        lookback: Duration::from_secs(300),
        default_subquery_step: Duration::from_secs(60),
        timeout: Duration::from_secs(60),
        limit: 0,
        select: SelectOptions::default(),
    };
    Engine::default().query(request, source()).await
}

#[tokio::test]
async fn sum_of_rates() {
    let evaluation = Evaluation::Range { start: 600_000, end: 720_000, step: 60_000 };
    let answer = query("sum by (job) (rate(m_total[5m]))", evaluation).await.unwrap();
    let QueryValue::Matrix(series) = answer.value else { panic!("no matrix") };
    let found: Vec<_> = series.iter().map(|s| (s.labels.to_string(), s.values.clone())).collect();
    let expected =
        [(r#"{job="a"}"#.to_owned(), vec![3.0; 3]), (r#"{job="b"}"#.to_owned(), vec![3.0; 3])];
    assert_eq!(found, expected);
    assert!(answer.plan.contains("RangeFunctionExec: rate"), "{}", answer.plan);
}
