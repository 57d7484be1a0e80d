//! Choosing among two replicas of a day, scraped each 15 s: one leads throughout, or an outage
//! every hour.

use criterion::{Criterion, Throughput};
use engine::dedup::{Replica, pick};
use engine::source::DedupFunc;

pub(crate) fn dedup(criterion: &mut Criterion) {
    let whole: Vec<i64> = (0..5_760).map(|i| i * 15_000).collect();
    let outages: Vec<i64> = whole.iter().copied().filter(|t| t % 3_600_000 > 300_000).collect();
    let other: Vec<i64> = whole.iter().map(|t| t + 4_000).collect();
    let mut group = criterion.benchmark_group("dedup");
    for (shape, leader) in [("regular", &whole), ("outages", &outages)] {
        let replicas = [Replica { ts: leader, stale: &[] }, Replica { ts: &other, stale: &[] }];
        group.throughput(Throughput::Elements((leader.len() + other.len()) as u64));
        let rules = [
            ("coverage", DedupFunc::Coverage),
            ("penalty", DedupFunc::Penalty),
            ("chain", DedupFunc::Chain),
        ];
        for (rule, func) in rules {
            let mut picks = Vec::new();
            group.bench_function(format!("{rule}_{shape}"), |bencher| {
                bencher.iter(|| {
                    picks.clear();
                    pick(func, std::hint::black_box(&replicas), &mut picks);
                    picks.len()
                });
            });
        }
    }
    group.finish();
}
