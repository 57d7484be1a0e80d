//! What peers send, in any order and twice: what comes out is sorted, cut, and there once.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ErrorKind;
use crate::chunk::{Encoding, Floats, Histograms};
use crate::model::{Labels, TimeRange};
use crate::source::tests::{Either, either, labels, metric, of_native, options, run};
use crate::source::{Columns, DedupFunc, ReadLimits, Select, SelectOptions, SeriesKind};

use super::{ChunkBuffer, EncodedChunk};

/// A chunk that Prometheus wrote, and its samples.
fn written(encoding: Encoding, name: &str) -> (EncodedChunk, Vec<i64>, Vec<u64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/chunks").join(name);
    let bytes = std::fs::read(path).unwrap();
    let mut floats = Floats::default();
    if encoding.is_float() {
        floats.decode(encoding, &bytes).unwrap();
    }
    let ts = floats.ts().to_vec();
    let range = match (ts.first(), ts.last()) {
        (Some(&min), Some(&max)) => TimeRange::new(min, max),
        _ => TimeRange::ALL,
    };
    let bits = floats.values().iter().map(|value| value.to_bits()).collect();
    (EncodedChunk { range, encoding, bytes: bytes.into() }, ts, bits)
}

fn own(instance: &str) -> Labels {
    labels(&[("__name__", "m"), ("instance", instance)])
}

async fn read(
    buffer: ChunkBuffer,
    range: TimeRange,
    options: &SelectOptions,
) -> Vec<(Labels, Vec<i64>, Vec<u64>)> {
    let resolved = buffer.resolve(&metric("m", range), options, Vec::new()).unwrap();
    let runs = run(&resolved).await.unwrap();
    runs.into_iter()
        .map(|(labels, ts, values)| {
            let values = values.unwrap().iter().map(|value| value.to_bits()).collect();
            (labels, ts, values)
        })
        .collect()
}

#[tokio::test]
async fn series_come_out_sorted_and_bit_for_bit() {
    let (xor, xor_ts, xor_bits) = written(Encoding::Xor, "xor-1.bin");
    let (xor2, xor2_ts, xor2_bits) = written(Encoding::Xor2, "xor2-1.bin");
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    buffer.push(own("b"), vec![xor2]).unwrap();
    buffer.push(own("a"), vec![xor]).unwrap();
    let got = read(buffer, TimeRange::ALL, &options(None)).await;
    assert_eq!(got, [(own("a"), xor_ts, xor_bits), (own("b"), xor2_ts, xor2_bits)]);
}

/// The peer's chunks reach beyond the range, and lie about their own.
#[tokio::test]
async fn samples_outside_the_range_are_cut_off() {
    let (chunk, ts, bits) = written(Encoding::Xor, "xor-2.bin");
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    buffer.push(own("a"), vec![EncodedChunk { range: TimeRange::ALL, ..chunk }]).unwrap();
    let range = TimeRange::new(ts[3], ts[7]);
    let got = read(buffer, range, &options(None)).await;
    assert_eq!(got, [(own("a"), ts[3..=7].to_vec(), bits[3..=7].to_vec())]);
}

#[tokio::test]
async fn chunks_that_repeat_or_overlap_give_each_timestamp_once() {
    let (chunk, ts, bits) = written(Encoding::Xor, "xor-1.bin");
    let other = EncodedChunk { range: TimeRange::new(ts[0], ts[0]), ..chunk.clone() };
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    buffer.push(own("a"), vec![chunk.clone(), other.clone()]).unwrap();
    buffer.push(own("b"), vec![chunk.clone()]).unwrap();
    buffer.push(own("a"), vec![chunk.clone()]).unwrap();
    let series = buffer.series();
    assert_eq!(series[0].chunks, [other.clone(), chunk.clone()]);
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    for one in series {
        buffer.push(one.labels, one.chunks).unwrap();
    }
    let got = read(buffer, TimeRange::ALL, &options(None)).await;
    assert_eq!(got, [(own("a"), ts.clone(), bits.clone()), (own("b"), ts, bits)]);
}

#[tokio::test]
async fn without_replica_labels_equal_series_are_one() {
    let (chunk, ts, bits) = written(Encoding::Xor, "xor-1.bin");
    let dedup = options(Some(DedupFunc::Coverage));
    let replica = dedup.replica_labels[0].clone();
    let mut buffer = ChunkBuffer::new(&dedup, 1 << 20);
    for name in ["x", "y"] {
        let labels = own("a").overlay(&labels(&[(&replica, name)]));
        buffer.push(labels, vec![chunk.clone()]).unwrap();
    }
    let got = read(buffer, TimeRange::ALL, &dedup).await;
    assert_eq!(got, [(own("a"), ts, bits)]);
}

#[tokio::test]
async fn a_chunk_that_does_not_decode_names_its_series() {
    let (chunk, ..) = written(Encoding::Xor, "xor-1.bin");
    let short = EncodedChunk { bytes: chunk.bytes.slice(..20), ..chunk };
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    buffer.push(own("a"), vec![short]).unwrap();
    let resolved = buffer.resolve(&metric("m", TimeRange::ALL), &options(None), Vec::new());
    let error = run(&resolved.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(r#"a chunk of {__name__="m", instance="a"}"#), "{error}");
}

#[test]
fn limits_hold_as_series_arrive() {
    let (chunk, ts, _) = written(Encoding::Xor, "xor-1.bin");
    let limited = |series_limit: usize, samples_limit: usize, bytes: usize| {
        let limits = SelectOptions {
            series_limit,
            limits: ReadLimits::new(samples_limit, u64::MAX),
            ..options(None)
        };
        let mut buffer = ChunkBuffer::new(&limits, bytes);
        ["a", "b"]
            .iter()
            .try_for_each(|name| buffer.push(own(name), vec![chunk.clone()]))
            .map_err(|error| (error.kind(), error.to_string()))
    };
    let exhausted = |what: &str| Err((ErrorKind::ResourcesExhausted, what.to_owned()));
    assert_eq!(limited(2, 2 * ts.len(), 1 << 20), Ok(()));
    assert_eq!(limited(1, 2 * ts.len(), 1 << 20), exhausted("more than 1 series are selected"));
    let few = 2 * ts.len() - 1;
    let too_many = exhausted(&format!("more than {few} samples are selected"));
    assert_eq!(limited(2, few, 1 << 20), too_many);
    assert_eq!(limited(2, 2 * ts.len(), 600), exhausted("more than 600 bytes are selected"));
}

#[test]
fn kinds_follow_the_encodings() {
    let (floats, ..) = written(Encoding::Xor, "xor-1.bin");
    let (histograms, ..) = written(Encoding::Histogram, "histogram-1.bin");
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    buffer.push(own("a"), vec![floats.clone()]).unwrap();
    buffer.push(own("b"), vec![histograms.clone()]).unwrap();
    buffer.push(own("c"), vec![floats, histograms]).unwrap();
    let select = metric("m", TimeRange::ALL);
    let roster = buffer.resolve(&select, &options(None), Vec::new()).unwrap().roster;
    let kinds: Vec<SeriesKind> = (0..3).map(|at| roster.kind(at)).collect();
    assert_eq!(kinds, [SeriesKind::Float, SeriesKind::Histogram, SeriesKind::Mixed]);
}

/// Who asks for histograms gets them in order of time among the floats; of equal times the first
/// chunk's sample.
#[tokio::test]
async fn histograms_come_among_floats() {
    let (floats, float_ts, bits) = written(Encoding::Xor, "xor-1.bin");
    let (native, ..) = written(Encoding::Histogram, "histogram-1.bin");
    let mut histograms = Histograms::default();
    histograms.decode(native.encoding, &native.bytes).unwrap();
    let of_native = histograms.ts.iter().copied().zip(histograms.samples.iter().map(of_native));
    let of_float = float_ts.into_iter().zip(bits.into_iter().map(Either::Float));
    let mut both: BTreeMap<i64, Either> = of_float.clone().collect();
    both.extend(of_native.clone());
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    buffer.push(own("a"), vec![floats.clone()]).unwrap();
    buffer.push(own("b"), vec![native.clone()]).unwrap();
    buffer.push(own("c"), vec![floats, native]).unwrap();
    let select = Select { columns: Columns::Samples, ..metric("m", TimeRange::ALL) };
    let resolved = buffer.resolve(&select, &options(None), Vec::new()).unwrap();
    let got = either(&resolved).await;
    let expected: [Vec<(i64, Either)>; 3] =
        [of_float.collect(), of_native.collect(), both.into_iter().collect()];
    assert_eq!(got, ["a", "b", "c"].map(own).into_iter().zip(expected).collect::<Vec<_>>());
}
