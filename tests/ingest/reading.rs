//! Stoa's reading of Prometheus' blocks equals Prometheus' own, bit for bit.

use std::path::Path;
use std::sync::Arc;

use engine::bucket::Bucket;
use ingest::tsdb::{BucketBlock, LocalBlock, TsdbBlock};
use object_store::local::LocalFileSystem;

use super::dump::{assert_equal, by_prometheus, by_stoa, write_block};
use crate::support;

fn open(dir: &Path) -> TsdbBlock {
    TsdbBlock::open(Arc::new(LocalBlock::new(dir))).expect("the block opens")
}

/// Compares one kind of block, and what it counts with `meta.json`.
fn compare(kind: &str) {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), kind);
    let block = open(&dir);
    assert_equal(&by_stoa(&block), &by_prometheus(&dir), kind);

    let rows: Vec<u32> = (0..block.table().len() as u32).collect();
    let counts = block.scan(&rows, None, &mut |_| Ok(())).expect("the samples read");
    let stats = block.meta().stats;
    assert_eq!(block.table().len() as u64, stats.num_series, "{kind}");
    assert_eq!(
        (counts.chunks, counts.floats, counts.histograms),
        (stats.num_chunks, stats.num_float_samples, stats.num_histogram_samples),
        "{kind}"
    );
}

#[test]
fn every_encoding_reads_as_prometheus_reads_it() {
    compare("encodings");
}

#[test]
fn tombstones_apply_as_prometheus_applies_them() {
    compare("tombstones");
}

#[test]
fn an_index_of_version_1_reads() {
    compare("v1");
}

#[test]
fn the_widest_steps_of_time_read() {
    compare("wild");
}

#[test]
fn a_block_cut_by_a_head_reads() {
    compare("head");
}

#[test]
fn a_block_cut_by_a_head_with_start_timestamps_reads() {
    compare("head-st");
}

#[test]
fn a_block_of_many_segments_reads() {
    compare("long");
}

/// In time buckets, in any order of rows, the samples are the same.
#[test]
fn time_buckets_lose_and_repeat_nothing() {
    let scratch = support::scratch();
    let block = open(&write_block(scratch.path(), "long"));
    let rows: Vec<u32> = (0..block.table().len() as u32).rev().collect();
    let bucket_ms = 6 * 3_600_000;
    let mut seen = Vec::new();
    let mut dump = super::dump::Dump::default();
    let labels: Vec<_> = (0..rows.len()).map(|row| block.table().labels(row)).collect();
    for set in &labels {
        dump.series(set.clone());
    }
    let counts = block.scan(&rows, Some(bucket_ms), &mut |run| {
        let times = run.floats.ts().iter().chain(&run.histograms.ts);
        let mut buckets: Vec<i64> = times.map(|ts| ts.div_euclid(bucket_ms)).collect();
        buckets.dedup();
        assert_eq!(buckets.len(), 1, "a run stays in its bucket");
        let metric = labels[run.row as usize].metric().to_owned();
        seen.push((std::cmp::Reverse(metric), buckets[0], std::cmp::Reverse(run.row)));
        dump.run(&labels[run.row as usize], run);
        Ok(())
    });
    let stats = block.meta().stats;
    assert_eq!(counts.expect("the samples read").chunks, stats.num_chunks);
    assert!(seen.is_sorted(), "runs come by metric, bucket and row");
    assert!(seen.iter().map(|run| run.1).collect::<std::collections::BTreeSet<_>>().len() >= 4);
    assert_equal(&dump.finish(), &by_stoa(&block), "in buckets");
}

#[test]
fn a_block_in_a_bucket_reads_as_in_a_folder() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "long");
    let store = LocalFileSystem::new_with_prefix(scratch.path()).expect("a folder");
    let bucket = Bucket::new(Arc::new(store), "test");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let files = runtime.block_on(BucketBlock::open(&bucket, "long/")).expect("the block is listed");
    let block = TsdbBlock::open(Arc::new(files)).expect("the block opens");
    assert_eq!(block.name(), "test/long");
    assert_equal(&by_stoa(&block), &by_stoa(&open(&dir)), "in a bucket");
}
