//! Blocks in memory for the benches: Kubernetes-like series in block order.

use std::sync::Arc;

use engine::block::meta::Compaction;
use engine::block::{BlockId, BlockSettings, BlockWriter, order};
use engine::bucket::{Bucket, commit};
use engine::catalog::{Catalog, CatalogSettings};
use engine::model::{Aggregates, LabelTable, Labels, MatchOp, Matcher, TimeRange};
use engine::scan::BlockCache;
use engine::source::{BucketSource, Columns, Select, SelectOptions};
use object_store::memory::InMemory;

/// Two hours in ms: the length of a block.
pub(crate) const BLOCK_MS: i64 = 7_200_000;

/// `series` label sets of 40 metrics over 200 pods.
pub(crate) fn label_sets(series: usize) -> Vec<Labels> {
    let set = |i: usize| {
        let (metric, pod) = (i % 40, i / 40);
        let pairs = [
            ("__name__", format!("metric_{metric:02}_total")),
            ("job", "kubernetes-pods".to_owned()),
            ("instance", format!("10.0.{}.{}:8080", pod / 200, pod % 200)),
            ("namespace", format!("team-{:02}", pod % 20)),
            ("pod", format!("service-{}-{:05}", pod % 20, pod)),
            ("container", "main".to_owned()),
        ];
        Labels::new(pairs).expect("distinct names")
    };
    (0..series).map(set).collect()
}

/// A bucket of `blocks` blocks a replica, each with `series` series scraped each `step_ms`.
pub(crate) async fn source(
    replicas: usize,
    blocks: usize,
    series: usize,
    step_ms: i64,
) -> BucketSource {
    let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
    let sets = label_sets(series);
    let unsorted = LabelTable::from_labels(&sets);
    let table = Arc::new(unsorted.take(&order::sort(&unsorted)));
    for replica in 0..replicas {
        for block in 0..blocks {
            write(&bucket, &table, replica, block, step_ms).await;
        }
    }
    let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
    catalog.sync().await.expect("the bucket lists");
    BucketSource::new(catalog, BlockCache::new(bucket, 1 << 30))
}

async fn write(
    bucket: &Bucket,
    table: &Arc<LabelTable>,
    replica: usize,
    block: usize,
    step_ms: i64,
) {
    let start = block as i64 * BLOCK_MS;
    let ulid: BlockId = format!("{block:013}{replica:013}").parse().expect("a block id");
    let name = replica.to_string();
    let external = Labels::new([("cluster", "c"), ("replica", name.as_str())]);
    let settings = BlockSettings {
        ulid,
        external_labels: external.expect("distinct names"),
        source: "bench".to_owned(),
        resolution_ms: 0,
        min_time: start,
        max_time: start + BLOCK_MS,
        bucket_ms: BLOCK_MS,
        compaction: Compaction { level: 1, sources: vec![ulid], parents: Vec::new() },
    };
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer =
        BlockWriter::create(dir.path(), settings, Arc::clone(table)).expect("a writer");
    let offset = replica as i64 * 4_000 % step_ms;
    let ts: Vec<i64> = (start + offset..start + BLOCK_MS).step_by(step_ms as usize).collect();
    let mut values = vec![0.0; ts.len()];
    for series in 0..table.len() as u32 {
        for (value, t) in values.iter_mut().zip(&ts) {
            *value = (t / 1_000 * i64::from(series % 97 + 1)) as f64;
        }
        writer.floats(series, &ts, &values, None).expect("runs in order");
    }
    let meta = writer.finish().expect("a block");
    commit(bucket, dir.path(), &meta).await.expect("an upload");
}

/// A selector of values, by equality.
pub(crate) fn select(pairs: &[(&str, &str)], range: TimeRange) -> Select {
    let matcher = |&(name, value): &(&str, &str)| {
        Matcher::new(name, MatchOp::Equal, value).expect("a matcher")
    };
    let matchers = pairs.iter().map(matcher).collect();
    Select {
        matchers,
        range,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    }
}

/// Replicas made one, in one partition.
pub(crate) fn options(dedup: bool) -> SelectOptions {
    let replica_labels = vec!["replica".to_owned()];
    SelectOptions { dedup, replica_labels, partitions: 1, ..SelectOptions::default() }
}
