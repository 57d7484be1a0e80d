//! The physical plans of ten queries over a bucket with two replicas: which operators stand where, and
//! that each has its metrics. Changes of a plan show in the snapshots.

use std::sync::Arc;
use std::time::Duration;

use engine::block::meta::Compaction;
use engine::block::{BlockId, BlockSettings, BlockWriter, order};
use engine::bucket::{Bucket, commit};
use engine::catalog::{Catalog, CatalogSettings};
use engine::model::{LabelTable, Labels};
use engine::scan::BlockCache;
use engine::source::{BucketSource, SelectOptions};
use object_store::memory::InMemory;
use promql::Engine;
use promql::query::{Evaluation, PlanNode, QueryRequest, QueryValue};

const BLOCK_MS: i64 = 7_200_000;

const RANGE: Evaluation = Evaluation::Range { start: 6_600_000, end: 7_800_000, step: 60_000 };
const INSTANT: Evaluation = Evaluation::Instant { time: 7_800_000 };

/// Name of the snapshot, query, and when it is evaluated.
const QUERIES: [(&str, &str, Evaluation); 10] = [
    ("selector", "http_requests_total", INSTANT),
    ("count", "count({__name__!=\"\"})", RANGE),
    ("sum_rate", "sum by (job) (rate(http_requests_total[5m]))", RANGE),
    ("topk", "topk(2, sum by (pod) (rate(http_requests_total[5m])))", RANGE),
    (
        "histogram_quantile",
        "histogram_quantile(0.9, sum by (le, job) (rate(latency_bucket[5m])))",
        RANGE,
    ),
    ("join", "http_requests_total * on (pod) group_left (node) pod_info", RANGE),
    (
        "ratio",
        "sum by (job) (rate(http_requests_total{code=\"500\"}[5m])) \
         / sum by (job) (rate(http_requests_total[5m]))",
        RANGE,
    ),
    ("subquery", "max_over_time(sum(rate(http_requests_total[5m]))[10m:1m] offset 1m)", RANGE),
    ("invariant", "http_requests_total > bool scalar(max(http_requests_total @ end()))", RANGE),
    (
        "sets",
        "sort_desc(abs(http_requests_total) or absent(nothing) unless on (pod) pod_info)",
        INSTANT,
    ),
];

fn series() -> Vec<Labels> {
    let mut sets: Vec<Labels> = Vec::new();
    for pod in ["x", "y", "z"] {
        let of_pod = |rest: &[(&'static str, &'static str)]| {
            let pairs = rest.iter().copied().chain([("pod", pod), ("job", "web")]);
            Labels::new(pairs).expect("distinct names")
        };
        for code in ["200", "500"] {
            sets.push(of_pod(&[("__name__", "http_requests_total"), ("code", code)]));
        }
        for le in ["0.1", "1", "+Inf"] {
            sets.push(of_pod(&[("__name__", "latency_bucket"), ("le", le)]));
        }
        sets.push(of_pod(&[("__name__", "pod_info"), ("node", "n")]));
    }
    sets
}

/// Two blocks of each of two replicas.
async fn source() -> BucketSource {
    let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
    let unsorted = LabelTable::from_labels(&series());
    let table = Arc::new(unsorted.take(&order::sort(&unsorted)));
    for (replica, name) in ["a", "b"].into_iter().enumerate() {
        for block in 0..2i64 {
            let ulid: BlockId = format!("{block:013}{replica:013}").parse().expect("a block id");
            let external = Labels::new([("cluster", "c"), ("replica", name)]);
            let settings = BlockSettings {
                ulid,
                external_labels: external.expect("distinct names"),
                source: "test".to_owned(),
                resolution_ms: 0,
                min_time: block * BLOCK_MS,
                max_time: (block + 1) * BLOCK_MS,
                bucket_ms: BLOCK_MS,
                compaction: Compaction { level: 1, sources: vec![ulid], parents: Vec::new() },
            };
            write(&bucket, settings, &table).await;
        }
    }
    let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
    catalog.sync().await.expect("the bucket lists");
    BucketSource::new(catalog, BlockCache::new(bucket, 1 << 30))
}

async fn write(bucket: &Bucket, settings: BlockSettings, table: &Arc<LabelTable>) {
    let ts: Vec<i64> = (settings.min_time..settings.max_time).step_by(15_000).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer =
        BlockWriter::create(dir.path(), settings, Arc::clone(table)).expect("a writer");
    for series in 0..table.len() as u32 {
        let values: Vec<f64> =
            ts.iter().map(|t| (t / 1_000 * i64::from(series + 1)) as f64).collect();
        writer.floats(series, &ts, &values, None).expect("runs in order");
    }
    let meta = writer.finish().expect("a block");
    commit(bucket, dir.path(), &meta).await.expect("an upload");
}

/// The plan with the names of its metrics, but without what they measured: a line an operator.
fn masked(plan: &PlanNode) -> String {
    fn add(node: &PlanNode, depth: usize, lines: &mut Vec<String>) {
        let mut names: Vec<&str> = node.metrics.iter().map(|metric| &*metric.name).collect();
        names.sort_unstable();
        let indent = "  ".repeat(depth);
        lines.push(format!("{indent}{}, metrics=[{}]", node.name, names.join(", ")));
        node.children.iter().for_each(|child| add(child, depth + 1, lines));
    }
    let mut lines = Vec::new();
    add(plan, 0, &mut lines);
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_those_of_the_snapshots() {
    let source = Arc::new(source().await);
    let engine = Engine::default();
    for (name, query, evaluation) in QUERIES {
        let request = QueryRequest {
            query: query.to_owned(),
            evaluation,
            lookback: Duration::from_secs(300),
            default_subquery_step: Duration::from_secs(60),
            max_resolution: Duration::ZERO,
            timeout: Duration::from_secs(60),
            limit: 0,
            stats: false,
            analyze: true,
            select: SelectOptions {
                replica_labels: vec!["replica".to_owned()],
                ..SelectOptions::default()
            },
        };
        let answer = engine.query(request, Arc::clone(&source) as _).await;
        let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_ne!(answer.value, QueryValue::Matrix(Vec::new()), "{query}");
        let plan = answer.plan.expect("the plan is asked for");
        let plan = masked(&plan);
        assert!(!plan.contains("RepartitionExec"), "{query}:\n{plan}");
        for line in plan.lines().filter(|line| !line.contains("CooperativeExec")) {
            let measured = ["output_rows", "elapsed_compute"].iter().all(|m| line.contains(m));
            assert!(measured, "{query}: an operator without metrics: {line}");
        }
        insta::assert_snapshot!(name, plan, query);
    }
}
