//! Conversion of a block of Prometheus: reading alone, and reading and writing.

use std::sync::Arc;

use criterion::{Criterion, Throughput};
use engine::model::Labels;
use ingest::convert::{ConvertOptions, convert as convert_block};
use ingest::tsdb::{LocalBlock, TsdbBlock};

use crate::blocks::BLOCK_MS;
use crate::tsdb_block::{STEP_MS, write};

const SERIES: usize = 5_000;

pub(crate) fn convert(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (block, out) = (folder.path().join("block"), folder.path().join("out"));
    write(&block, SERIES);
    std::fs::create_dir_all(&out).expect("a folder");
    let labels = Labels::new([("cluster", "bench"), ("replica", "a")]).expect("labels");
    let options = ConvertOptions::new(labels, "bench");
    let samples = SERIES as u64 * (BLOCK_MS / STEP_MS) as u64;
    let mut group = criterion.benchmark_group("convert");
    group.sample_size(10).throughput(Throughput::Elements(samples));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let block = TsdbBlock::open(Arc::new(LocalBlock::new(&block))).expect("a block");
            let rows: Vec<u32> = (0..block.table().len() as u32).collect();
            let counts = block.scan(&rows, Some(BLOCK_MS), &mut |_| Ok(())).expect("samples");
            assert_eq!(counts.floats, samples);
        });
    });
    group.bench_function("read_and_write", |bencher| {
        bencher.iter(|| {
            let files = Arc::new(LocalBlock::new(&block));
            convert_block(files, &out, &options).expect("the block converts")
        });
    });
    group.finish();
}
