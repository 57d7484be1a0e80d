//! Answers of encoded chunks as pieces: joined, trimmed, dealt to lanes; and those that lie.

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use datafusion::execution::TaskContext;

use super::fixture::{labels, metric, options, run};
use crate::block::histogram::HistogramColumns;
use crate::chunk::{Encoding, Histograms};
use crate::model::{Labels, TimeRange};
use crate::source::pieces::{Damaged, PieceAnswer, piece_schema, resolve_pieces};
use crate::source::{
    ChunkBuffer, Columns, EncodedChunk, Resolved, Select, SelectOptions, histograms_of,
};
use crate::{ErrorKind, Result};

/// An XOR chunk in the longest form of its bit stream.
fn xor(samples: &[(i64, f64)]) -> EncodedChunk {
    let mut bits: Vec<bool> = Vec::new();
    let push = |bits: &mut Vec<bool>, value: u64, width: u32| {
        bits.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
    };
    let varint = |bits: &mut Vec<bool>, mut value: u64| {
        while value >= 0x80 {
            push(bits, value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        push(bits, value, 8);
    };
    let (mut ts, mut delta, mut before) = (0i64, 0i64, 0u64);
    for (at, &(t, value)) in samples.iter().enumerate() {
        match at {
            0 => varint(&mut bits, ((t << 1) ^ (t >> 63)) as u64),
            1 => varint(&mut bits, (t - ts) as u64),
            _ if t - ts == delta => push(&mut bits, 0, 1),
            _ => {
                push(&mut bits, 0b1111, 4);
                push(&mut bits, (t - ts - delta) as u64, 64);
            }
        }
        let value = value.to_bits();
        match (at, value ^ before) {
            (0, _) => push(&mut bits, value, 64),
            (_, 0) => push(&mut bits, 0, 1),
            (_, difference) => {
                push(&mut bits, 0b11, 2);
                // No leading zeros, 64 significant bits (written as 0).
                push(&mut bits, 0, 11);
                push(&mut bits, difference, 64);
            }
        }
        delta = if at > 0 { t - ts } else { 0 };
        (ts, before) = (t, value);
    }
    let mut data = (samples.len() as u16).to_be_bytes().to_vec();
    for byte in bits.chunks(8) {
        let set = byte.iter().enumerate().filter(|&(_, &bit)| bit);
        data.push(set.map(|(at, _)| 0x80u8 >> at).sum());
    }
    let (min, max) = (samples[0].0, samples[samples.len() - 1].0);
    EncodedChunk {
        range: TimeRange::new(min, max),
        encoding: Encoding::Xor,
        bytes: Bytes::from(data),
    }
}

fn even(times: std::ops::Range<i64>, value: f64) -> EncodedChunk {
    xor(&times.map(|t| (t * 10, value)).collect::<Vec<_>>())
}

fn answer(series: Vec<(Labels, Vec<EncodedChunk>)>, damaged: &Damaged) -> PieceAnswer {
    let mut buffer = ChunkBuffer::new(&options(None), 1 << 20);
    for (labels, chunks) in series {
        buffer.push(labels, chunks).unwrap();
    }
    PieceAnswer {
        origin: "far:10901".to_owned(),
        series: buffer.series(),
        warnings: Vec::new(),
        damaged: damaged.clone(),
        held: Box::new(()),
    }
}

fn resolved(series: Vec<(Labels, Vec<EncodedChunk>)>, range: TimeRange) -> Result<Resolved> {
    resolve_pieces(answer(series, &Damaged::default()), &metric("m", range), &options(None))
}

fn m(job: &str) -> Labels {
    labels(&[("__name__", "m"), ("job", job)])
}

#[tokio::test]
async fn series_are_joined_sorted_and_trimmed() {
    // Out of order, one series in two parts, one chunk twice, one out of the range.
    let series = vec![
        (m("z"), vec![even(10..20, 2.0), even(0..10, 1.0)]),
        (m("a"), vec![even(0..10, 3.0)]),
        (m("z"), vec![even(0..10, 1.0), even(100..110, 5.0)]),
        (m("none"), vec![even(100..110, 6.0)]),
    ];
    let resolved = resolved(series, TimeRange::new(25, 150)).unwrap();
    let got = run(&resolved).await.unwrap();
    let names: Vec<&str> = got.iter().map(|(labels, ..)| labels.get("job")).collect();
    assert_eq!(names, ["a", "z"]);
    assert_eq!(got[0].1, [30, 40, 50, 60, 70, 80, 90]);
    assert_eq!(got[1].1, (3..16).map(|t| t * 10).collect::<Vec<i64>>());
    let values = got[1].2.as_ref().unwrap();
    assert_eq!((values[6], values[7]), (1.0, 2.0));
    assert_eq!(resolved.roster.samples(1), 20);
}

/// Thanos' pseudo replicas: chunks that overlap are members of their own, and a row tells the bounds
/// of its chunk.
#[tokio::test]
async fn overlapping_chunks_are_dealt_to_lanes() {
    let series = vec![(m("a"), vec![even(0..10, 1.0), even(5..15, 2.0), even(10..20, 3.0)])];
    let resolved = resolved(series, TimeRange::new(20, 1_000)).unwrap();
    assert_eq!(resolved.roster.len(), 2);
    assert_eq!(resolved.roster.labels(0), resolved.roster.labels(1));
    let got = run(&resolved).await.unwrap();
    assert_eq!(got[0].1, (2..20).map(|t| t * 10).collect::<Vec<i64>>());
    assert_eq!(got[1].1, (5..15).map(|t| t * 10).collect::<Vec<i64>>());
    let stream = resolved.runs.execute(0, Arc::new(TaskContext::default())).unwrap();
    let batches = datafusion::physical_plan::common::collect(stream).await.unwrap();
    let bounds = |column: usize| batches[0].column(column).as_primitive::<Int64Type>().values();
    assert_eq!((bounds(3).to_vec(), bounds(4).to_vec()), (vec![0, 100, 50], vec![90, 190, 140]));
}

#[tokio::test]
async fn damaged_chunks_are_left_out_the_next_time() {
    let mut short = even(0..10, 1.0);
    short.bytes = short.bytes.slice(..5);
    let mut outside = even(10..20, 1.0);
    outside.range.max -= 1;
    let series = || vec![(m("a"), vec![short.clone(), even(20..30, 4.0), outside.clone()])];
    let damaged = Damaged::default();
    let (select, warn) = (metric("m", TimeRange::ALL), options(None));
    let resolved = resolve_pieces(answer(series(), &damaged), &select, &warn).unwrap();
    let error = run(&resolved).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    for text in ["far:10901", r#"job="a""#, "chunk from 0 to 90"] {
        assert!(error.message().contains(text), "{error}");
    }
    let resolved = resolve_pieces(answer(series(), &damaged), &select, &warn).unwrap();
    assert_eq!(run(&resolved).await.unwrap()[0].1.len(), 10);
    assert_eq!(resolved.warnings, ["far:10901: 2 damaged chunks are left out"]);
    let whole = SelectOptions { partial_response: false, ..warn };
    let error = resolve_pieces(answer(series(), &damaged), &select, &whole).unwrap_err();
    assert!(error.message().contains("2 damaged chunks"), "{error}");
}

/// A row is one chunk, of floats or of histograms; who asks for floats is told what is left out.
#[tokio::test]
async fn histogram_chunks_are_rows_of_their_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/chunks/histogram-1.bin");
    let bytes = Bytes::from(std::fs::read(path).unwrap());
    let mut histograms = Histograms::default();
    histograms.decode(Encoding::Histogram, &bytes).unwrap();
    let ts = &histograms.ts;
    let (first, last) = (ts[0], ts[ts.len() - 1]);
    let native =
        EncodedChunk { range: TimeRange::new(first, last), encoding: Encoding::Histogram, bytes };
    let after = xor(&[(last + 1, 1.0), (last + 2, 2.0)]);
    let series = || vec![(m("a"), vec![after.clone(), native.clone()])];
    let range = TimeRange::new(ts[1], last + 1);
    let select = Select { columns: Columns::Samples, ..metric("m", range) };
    let all = resolve_pieces(answer(series(), &Damaged::default()), &select, &options(None));
    let all = all.unwrap();
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);
    let stream = all.runs.execute(0, Arc::new(TaskContext::default())).unwrap();
    let batches = datafusion::physical_plan::common::collect(stream).await.unwrap();
    assert_eq!(batches[0].schema(), piece_schema(true, false));
    let (lists, structs) = histograms_of(&batches[0]).unwrap().unwrap();
    let lengths: Vec<i32> = (0..2).map(|row| lists.value_length(row)).collect();
    assert_eq!(lengths, [ts.len() as i32 - 1, 0]);
    let sums = HistogramColumns::of(structs).unwrap().sums().iter().map(|sum| sum.to_bits());
    assert!(sums.eq(histograms.samples[1..].iter().map(|h| h.sum.to_bits())));
    let bounds = |column: usize| batches[0].column(column).as_primitive::<Int64Type>().values();
    assert_eq!((bounds(4)[0], bounds(5)[0], bounds(5)[1]), (first, last, last + 2));
    let floats = resolved(series(), range).unwrap();
    assert_eq!(floats.warnings, ["far:10901: native histograms of 1 series are left out"]);
    assert_eq!(run(&floats).await.unwrap()[0].1, [last + 1]);
}
