//! Resolving selectors on the label indexes of open blocks: 24 blocks of 10,000 series.

use criterion::Criterion;
use engine::model::TimeRange;
use engine::source::SeriesSource;

use crate::blocks::{options, select, source};

pub(crate) fn label_lookup(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let source = runtime.block_on(source(2, 12, 10_000, 1_800_000));
    let mut group = criterion.benchmark_group("label_lookup");
    let queries: [(&str, &[(&str, &str)]); 4] = [
        ("one_series", &[("__name__", "metric_07_total"), ("pod", "service-4-00104")]),
        ("one_pod", &[("pod", "service-4-00104")]),
        ("one_metric", &[("__name__", "metric_07_total")]),
        ("all", &[("job", "kubernetes-pods")]),
    ];
    for (name, pairs) in queries {
        let wanted = select(pairs, TimeRange::ALL);
        let options = options(true);
        let resolved = runtime.block_on(source.resolve(&wanted, &options)).expect("a plan");
        assert!(!resolved.roster.is_empty(), "{name} finds series");
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(source.resolve(&wanted, &options)).expect("a plan"));
        });
    }
    group.finish();
}
