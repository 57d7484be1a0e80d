//! Engines that know nothing of Stoa read a block: DuckDB, pyarrow and Polars see the samples that
//! Prometheus sees.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;

use crate::promql::answer::{Answer, Ask, Question};
use crate::promql::prometheus;
use crate::support::{DATA_START, UploadedBucket, data_set_s, python, repository};

const METRICS: [&str; 4] =
    ["up", "http_requests_total", "container_memory_rss", "http_request_duration_seconds_bucket"];

/// How far a sum in another order may be from the other, relative to it.
const TOLERANCE: f64 = 1e-12;

#[derive(Debug, Deserialize)]
struct Seen {
    count: u64,
    sum: f64,
    first: i64,
    last: i64,
    namespaces: BTreeMap<String, u64>,
}

#[test]
fn duckdb_pyarrow_and_polars_read_a_block() {
    let blocks = data_set_s();
    let bucket = UploadedBucket::of(&blocks);
    let block = &bucket.blocks()[0];
    let read = Command::new(python("tests/block/requirements.txt"))
        .arg(repository().join("tests/block/readers.py"))
        .arg(block)
        .args(METRICS)
        .output()
        .expect("Python runs");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: BTreeMap<String, BTreeMap<String, Seen>> =
        serde_json::from_slice(&read.stdout).expect("the script prints JSON");
    assert_eq!(read.len(), 3, "three engines");

    for metric in METRICS {
        // The window is open on the left: no sample is at its beginning.
        let ask = |query: String| {
            let ask = Ask::Instant(DATA_START + 7_200_000);
            let question = Question { about: metric.to_owned(), query, ask };
            match prometheus::ask(&blocks, &[question]).remove(0) {
                Answer::Data { series, .. } => series,
                other => panic!("{metric}: {other:?}"),
            }
        };
        let one = |query: String| ask(query)[0].1.points[0].1;
        let count = one(format!("sum(count_over_time({metric}[2h]))"));
        let sum = one(format!("sum(sum_over_time({metric}[2h]))"));
        let namespaces: BTreeMap<String, u64> =
            ask(format!("sum by (namespace) (count_over_time({metric}[2h]))"))
                .into_iter()
                .map(|(labels, row)| (labels["namespace"].clone(), row.points[0].1 as u64))
                .collect();
        for (engine, seen) in &read {
            let seen = &seen[metric];
            assert_eq!(seen.count as f64, count, "{engine}: samples of {metric}");
            assert!(
                (seen.sum - sum).abs() <= TOLERANCE * sum.abs(),
                "{engine}: sum of {metric}: {} and {sum}",
                seen.sum
            );
            assert_eq!(seen.namespaces, namespaces, "{engine}: samples of {metric} a namespace");
            assert!(
                seen.first >= DATA_START && seen.last < DATA_START + 7_200_000,
                "{engine}: times of {metric} from {} to {}",
                seen.first,
                seen.last
            );
        }
    }
}
