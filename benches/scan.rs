//! Reading run batches from blocks in memory: 2 replicas, 12 blocks of 2 h, scraped each 15 s.

use std::sync::Arc;

use criterion::{Criterion, Throughput};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::collect;
use engine::model::TimeRange;
use engine::source::{Select, SelectOptions, SeriesSource};

use crate::blocks::{BLOCK_MS, options, select, source};

const SERIES: usize = 1_000;
const BLOCKS: usize = 12;
const STEP_MS: i64 = 15_000;

pub(crate) fn scan(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let source = runtime.block_on(source(2, BLOCKS, SERIES, STEP_MS));
    let read = |wanted: &Select, options: &SelectOptions| {
        runtime.block_on(async {
            let resolved = source.resolve(wanted, options).await.expect("a plan");
            collect(resolved.runs, Arc::new(TaskContext::default())).await.expect("run batches")
        })
    };
    let end = BLOCKS as i64 * BLOCK_MS;
    let all = select(&[("job", "kubernetes-pods")], TimeRange::ALL);
    let of_replica = [("job", "kubernetes-pods"), ("replica", "0")];
    let one_replica = select(&of_replica, TimeRange::ALL);
    let one = [("__name__", "metric_07_total"), ("pod", "service-4-00004")];
    let samples = (SERIES * BLOCKS) as u64 * (BLOCK_MS / STEP_MS) as u64;
    let cases = [
        ("one_replica", samples, one_replica, options(false)),
        ("two_replicas_deduplicated", samples, all.clone(), options(true)),
        ("two_replicas_apart", 2 * samples, all, options(false)),
        ("one_series", samples / SERIES as u64, select(&one, TimeRange::ALL), options(true)),
        ("instant", 1, select(&one, TimeRange::new(end - 300_000, end)), options(true)),
    ];
    let mut group = criterion.benchmark_group("scan");
    group.sample_size(10);
    for (name, samples, wanted, options) in cases {
        assert!(!read(&wanted, &options).is_empty(), "{name} reads samples");
        group.throughput(Throughput::Elements(samples));
        group.bench_function(name, |bencher| bencher.iter(|| read(&wanted, &options)));
    }
    group.finish();
}
