//! What ends a query early: time, memory, a caller that goes away, a tree that is too deep.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use engine::model::{Matcher, TimeRange};
use engine::source::{Listing, Resolved, Select};

use super::*;

/// A source whose selectors never resolve; it notes when the wait is given up.
#[derive(Debug, Default)]
struct Silent {
    entered: tokio::sync::Notify,
    left: Arc<AtomicBool>,
    gone: Arc<tokio::sync::Notify>,
}

struct NoteLeaving(Arc<AtomicBool>, Arc<tokio::sync::Notify>);

impl Drop for NoteLeaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.notify_one();
    }
}

#[async_trait]
impl SeriesSource for Silent {
    async fn resolve(&self, _: &Select, _: &SelectOptions) -> Result<Resolved> {
        let _note = NoteLeaving(Arc::clone(&self.left), Arc::clone(&self.gone));
        self.entered.notify_one();
        std::future::pending().await
    }

    async fn series(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<Labels>> {
        Ok(Listing::default())
    }

    async fn label_names(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Ok(Listing::default())
    }

    async fn label_values(
        &self,
        _: &str,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Ok(Listing::default())
    }
}

const NOW: Evaluation = Evaluation::Instant { time: 0 };

#[tokio::test]
async fn a_query_ends_with_its_timeout() {
    let slow = QueryRequest { timeout: Duration::from_millis(20), ..request("m", NOW) };
    let error = Engine::default().query(slow, Arc::new(Silent::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.message(), "query timed out in expression evaluation");
}

#[tokio::test]
async fn an_answer_that_is_late_is_none() {
    let late = QueryRequest { timeout: Duration::from_nanos(1), ..request("1 + 1", NOW) };
    let error = Engine::default().query(late, counters()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_query_ends_when_nobody_waits_for_it() {
    let (engine, source) = (Engine::default(), Arc::new(Silent::default()));
    let mut query = Box::pin(engine.query(request("m", NOW), Arc::clone(&source) as _));
    let entered = std::pin::pin!(source.entered.notified());
    futures::future::select(&mut query, entered).await;
    assert!(!source.left.load(Ordering::SeqCst), "the query waits");
    drop(query);
    source.gone.notified().await;
    assert!(source.left.load(Ordering::SeqCst));
}

/// A source that notes when no query has it any more.
#[derive(Debug)]
struct Held(MemorySource, Arc<tokio::sync::Notify>);

impl Drop for Held {
    fn drop(&mut self) {
        self.1.notify_one();
    }
}

#[async_trait]
impl SeriesSource for Held {
    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        self.0.resolve(select, options).await
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        self.0.series(matchers, range, options, limit).await
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.0.label_names(matchers, range, options, limit).await
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.0.label_values(name, matchers, range, options, limit).await
    }
}

/// Eleven thousand windows of three hundred thousand samples, sorted: minutes for one row.
#[tokio::test]
async fn work_without_a_wait_ends_with_its_query() {
    let labels = Labels::new([("__name__", "m")]).unwrap();
    let samples = (0..300_000).map(|i: i64| (i * 1_000, (i * 7_919 % 10_007) as f64)).collect();
    let gone = Arc::new(tokio::sync::Notify::new());
    let source = Held(MemorySource::new(vec![(labels, samples)]), Arc::clone(&gone));
    let evaluation = Evaluation::Range { start: 0, end: 300_000_000, step: 30_000 };
    let long = request("quantile_over_time(0.5, m[10d])", evaluation);
    let short = QueryRequest { timeout: Duration::from_millis(300), ..long };
    let engine = Engine::default();
    let error = engine.query(short, Arc::new(source)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let ended = tokio::time::timeout(Duration::from_secs(1), gone.notified()).await;
    ended.expect("nothing of the query runs a second later");
    assert_eq!(engine.memory_used(), 0);
}

#[tokio::test]
async fn an_answer_keeps_its_memory_until_it_is_dropped() {
    let engine = Engine::default();
    let at = Evaluation::Instant { time: 600_000 };
    for query in ["m_total", "m_total[5m]"] {
        let answer = engine.query(request(query, at), counters()).await.unwrap();
        assert!(engine.memory_used() > 0, "{query}");
        drop(answer);
        assert_eq!(engine.memory_used(), 0, "{query}");
    }
}

#[tokio::test]
async fn what_planning_takes_is_counted() {
    let series = (0..1_000).map(|i| {
        let labels = Labels::new([("__name__", "m"), ("pod", &format!("pod-{i}"))]);
        (labels.unwrap(), vec![(0, 1.0)])
    });
    let source: Arc<dyn SeriesSource> = Arc::new(MemorySource::new(series.collect()));
    let settings = EngineSettings { query_memory_limit: 4 << 20, ..EngineSettings::default() };
    let engine = Engine::new(settings);
    engine.query(request("m + m", NOW), Arc::clone(&source)).await.unwrap();
    let long = vec!["m"; 300].join(" + ");
    let error = engine.query(request(&long, NOW), source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
    assert!(error.message().contains("planner"), "{error}");
}

#[tokio::test]
async fn series_of_all_selectors_are_limited_together() {
    let engine = Engine::new(EngineSettings { series_limit: 5, ..EngineSettings::default() });
    let at = Evaluation::Instant { time: 600_000 };
    engine.query(request("m_total or m_total", at), counters()).await.unwrap();
    let two = request("m_total or m_total offset 5m", at);
    let error = engine.query(two, counters()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
    assert_eq!(error.message(), "the query selects more than 5 series");
}

#[tokio::test]
async fn a_query_stays_in_its_memory() {
    let tight = EngineSettings { query_memory_limit: 10_000, ..EngineSettings::default() };
    let engine = Engine::new(tight);
    let evaluation = Evaluation::Range { start: 0, end: 10_000_000, step: 1_000 };
    let error = engine.query(request("m_total * 2", evaluation), counters()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
    assert_eq!(engine.memory_used(), 0, "everything is given back");
}

#[tokio::test]
async fn too_many_steps_are_an_error_and_no_allocation() {
    let evaluation = Evaluation::Range { start: 0, end: i64::MAX / 4, step: 1 };
    let error = Engine::default().query(request("m", evaluation), counters()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
    let deep = "max_over_time(m_total[10000d:1ms])";
    let error = Engine::default().query(request(deep, NOW), counters()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
}

/// As deep as the parser lets pass, on the stack of a query thread and a debug build's frames.
#[tokio::test]
async fn deep_trees_are_planned_and_executed() {
    let at = Evaluation::Instant { time: 600_000 };
    let engine = Engine::default();
    let chain = vec!["m_total"; 300].join(" + ");
    let nest = format!("{}m_total{}", "abs(".repeat(990), ")".repeat(990));
    for query in [chain, nest] {
        let answer = engine.query(request(&query, at), counters()).await.unwrap();
        let QueryValue::Vector(_, series) = answer.value else { panic!("no vector") };
        assert_eq!(series.len(), 3);
    }
}

#[tokio::test]
async fn the_series_of_an_answer_are_limited_with_a_warning() {
    let at = Evaluation::Instant { time: 600_000 };
    let two = QueryRequest { limit: 2, ..request("m_total", at) };
    let answer = Engine::default().query(two, counters()).await.unwrap();
    let QueryValue::Vector(_, series) = answer.value else { panic!("no vector") };
    assert_eq!(series.len(), 2);
    assert_eq!(answer.warnings, ["results truncated due to limit"]);
}

/// The futures of queries are sent between threads by servers.
#[test]
fn queries_are_send() {
    fn is_send(_: impl Future + Send) {}
    is_send(Engine::default().query(request("m", NOW), counters()));
}
