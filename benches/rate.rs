//! `rate`: the kernel on one series, and `sum by (job) (rate(…))` from text to answer over samples in
//! memory.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use engine::model::Labels;
use engine::source::{MemorySource, SelectOptions};
use promql::Engine;
use promql::exec::grid::Grid;
use promql::functions::{RangeFunction, Remarks, Samples, Slots, Windows};
use promql::query::{Evaluation, QueryRequest, QueryValue};

const STEP_MS: i64 = 15_000;
const SAMPLES: i64 = 5_760;
const SERIES: usize = 200;

pub(crate) fn rate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rate");
    let ts: Vec<i64> = (0..SAMPLES).map(|i| i * STEP_MS).collect();
    let values: Vec<f64> = (0..SAMPLES).map(|i| (i % 1_000 * 7) as f64).collect();
    group.throughput(Throughput::Elements(SAMPLES as u64));
    for (name, function) in [("kernel", RangeFunction::Rate), ("max_kernel", RangeFunction::Max)] {
        let grid = Grid::until(0, SAMPLES * STEP_MS, 60_000);
        let windows = Windows::new(grid, 300_000, 0);
        let kernel = function.kernel(&[]).expect("no parameters");
        let (mut out, mut valid) = (vec![0.0; grid.steps], vec![false; grid.steps]);
        group.bench_function(name, |bencher| {
            let samples = Samples::floats(&ts, &values);
            bencher.iter(|| {
                let (values, valid, histograms) = (&mut out[..], &mut valid[..], &mut [][..]);
                let mut slots = Slots { values, valid, histograms };
                kernel.row(&samples, &windows, &mut slots, &mut Remarks::default());
            });
        });
    }

    let labels = |i: usize| {
        let job = format!("job-{}", i % 10);
        let pairs = [("__name__", "requests_total"), ("job", job.as_str()), ("i", &i.to_string())];
        Labels::new(pairs).expect("distinct names")
    };
    let samples: Vec<(i64, f64)> = ts.iter().copied().zip(values).collect();
    let series = (0..SERIES).map(|i| (labels(i), samples.clone())).collect();
    let source = Arc::new(MemorySource::new(series));
    let request = QueryRequest {
        query: "sum by (job) (rate(requests_total[5m]))".to_owned(),
        evaluation: Evaluation::Range { start: 0, end: SAMPLES * STEP_MS, step: 60_000 },
        lookback: Duration::from_secs(300),
        default_subquery_step: Duration::from_secs(60),
        max_resolution: Duration::ZERO,
        timeout: Duration::from_secs(60),
        limit: 0,
        stats: false,
        analyze: false,
        select: SelectOptions::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let engine = Engine::default();
    let ask = || {
        let answer = engine.query(request.clone(), Arc::clone(&source) as _);
        runtime.block_on(answer).expect("an answer").value
    };
    assert!(matches!(ask(), QueryValue::Matrix(series) if series.len() == 10));
    group.sample_size(10);
    group.throughput(Throughput::Elements(SERIES as u64 * SAMPLES as u64));
    group.bench_function("sum_by_rate", |bencher| bencher.iter(ask));
    group.finish();
}
