//! Decoding of chunks into columns.

use criterion::{Criterion, Throughput};
use engine::chunk::{Encoding, Floats};

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
