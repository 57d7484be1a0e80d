//! Decoding of chunks into columns, and encoding of columns into chunks.

use criterion::{Criterion, Throughput};
use engine::chunk::{Encoding, Floats, XorEncoder};

use crate::tsdb_block::{Values, chunks};

pub(crate) fn chunk_decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunk_decode");
    for values in [Values::Constant, Values::Counter, Values::Gauge] {
        let series = (0..200).flat_map(|number| chunks(number, values));
        let encoded: Vec<Vec<u8>> = series.map(|(_, _, chunk)| chunk).collect();
        let mut floats = Floats::default();
        let mut decode = || {
            let mut samples = 0;
            for chunk in &encoded {
                floats.clear();
                floats.decode(Encoding::Xor, chunk).expect("a chunk");
                samples += floats.len();
            }
            samples
        };
        group.throughput(Throughput::Elements(decode() as u64));
        group.bench_function(format!("xor/{values:?}"), |bencher| bencher.iter(&mut decode));
    }
    group.finish();
}

pub(crate) fn chunk_encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunk_encode");
    for values in [Values::Constant, Values::Counter, Values::Gauge] {
        let series = (0..200).flat_map(|number| chunks(number, values));
        let columns: Vec<(Vec<i64>, Vec<f64>)> = series
            .map(|(_, _, chunk)| {
                let mut floats = Floats::default();
                floats.decode(Encoding::Xor, &chunk).expect("a chunk");
                (floats.ts().to_vec(), floats.values().to_vec())
            })
            .collect();
        let samples: usize = columns.iter().map(|(ts, _)| ts.len()).sum();
        let mut encoder = XorEncoder::default();
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(format!("xor/{values:?}"), |bencher| {
            bencher.iter(|| {
                let mut bytes = 0;
                for (ts, values) in &columns {
                    encoder.next_chunk(ts, values);
                    bytes += encoder.bytes().len();
                }
                bytes
            });
        });
    }
    group.finish();
}
