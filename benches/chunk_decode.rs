//! Decoding of chunks into columns, and encoding of columns into chunks.

use criterion::{Criterion, Throughput};
use engine::block::histogram::{HistogramColumns, histogram_array};
use engine::chunk::{Encoding, Floats, HistogramEncoder, XorEncoder};
use engine::model::{CounterResetHint, Histogram, HistogramCounts, Span};

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
    let (ts, histograms) = growing(2_000);
    let array = histogram_array(&histograms).expect("histograms");
    let columns = HistogramColumns::of(&array).expect("columns");
    let views: Vec<_> = (0..ts.len()).map(|row| columns.view(row).expect("a histogram")).collect();
    let mut encoder = HistogramEncoder::default();
    group.throughput(Throughput::Elements(ts.len() as u64));
    group.bench_function("histogram/20 buckets", |bencher| {
        bencher.iter(|| {
            let (mut at, mut bytes) = (0, 0);
            encoder.begin();
            while at < ts.len() {
                at += encoder.next_chunk(&ts[at..], &views[at..], false);
                bytes += encoder.bytes().len();
            }
            bytes
        });
    });
    group.finish();
}

/// A counter of 20 buckets, of which a few grow from scrape to scrape.
fn growing(samples: i64) -> (Vec<i64>, Vec<Histogram>) {
    let mut positive = vec![0i64; 20];
    let histogram = |t: i64| {
        for step in 0..5 {
            positive[((t * 7 + step * step) % 20) as usize] += (t * 31 + step) % 40;
        }
        let count = positive.iter().sum::<i64>() as u64;
        Histogram {
            counter_reset_hint: CounterResetHint::Unknown,
            schema: 3,
            zero_threshold: 2f64.powi(-128),
            sum: count as f64 * 0.37,
            positive_spans: vec![Span { offset: -4, length: 12 }, Span { offset: 3, length: 8 }],
            negative_spans: vec![],
            custom_values: vec![],
            counts: HistogramCounts::Int {
                count,
                zero_count: 0,
                positive: positive.clone(),
                negative: vec![],
            },
        }
    };
    ((0..samples).map(|t| t * 15_000).collect(), (0..samples).map(histogram).collect())
}
