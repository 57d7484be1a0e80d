//! Downsampled chunks through a fan-out: each aggregate, counters over chunks of both kinds, what
//! overlaps, and what has no value.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::fixture::{Samples, labels, metric, options, run};
use crate::chunk::{AggregateChunks, Encoding, XorEncoder};
use crate::model::{Aggregate, Aggregates, Labels, Matcher, STALE_NAN_BITS, TimeRange};
use crate::source::pieces::{Damaged, PieceAnswer, resolve_pieces};
use crate::source::{
    Child, ChunkBuffer, DedupFunc, EncodedChunk, FanoutSource, Listing, Resolved, Select,
    SelectOptions, SeriesSource,
};
use crate::{ErrorKind, Result};

fn xor(samples: &[(i64, f64)]) -> Bytes {
    let (ts, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let mut encoder = XorEncoder::default();
    encoder.encode(&ts, &values, usize::MAX);
    Bytes::copy_from_slice(encoder.bytes())
}

fn raw(samples: &[(i64, f64)]) -> EncodedChunk {
    let range = TimeRange::new(samples[0].0, samples[samples.len() - 1].0);
    EncodedChunk { range, encoding: Encoding::Xor, bytes: xor(samples) }
}

/// Windows of `(end, count, sum, min, max)`, and the counter's samples.
fn windows(windows: &[(i64, f64, f64, f64, f64)], counter: &[(i64, f64)]) -> EncodedChunk {
    let mut chunks = AggregateChunks::default();
    let mut set = |aggregate, of: fn(&(i64, f64, f64, f64, f64)) -> f64| {
        let samples: Vec<(i64, f64)> = windows.iter().map(|w| (w.0, of(w))).collect();
        chunks.set(aggregate, Encoding::Xor, xor(&samples));
    };
    set(Aggregate::Count, |w| w.1);
    set(Aggregate::Sum, |w| w.2);
    set(Aggregate::Min, |w| w.3);
    set(Aggregate::Max, |w| w.4);
    chunks.set(Aggregate::Counter, Encoding::Xor, xor(counter));
    EncodedChunk {
        range: TimeRange::new(windows[0].0, windows[windows.len() - 1].0),
        encoding: Encoding::Aggregates,
        bytes: chunks.encode(),
    }
}

/// Only a counter: what it says of the other aggregates does not matter.
fn counter(samples: &[(i64, f64)]) -> EncodedChunk {
    let ends: Vec<(i64, f64, f64, f64, f64)> =
        samples[1..samples.len() - 1].iter().map(|s| (s.0, 1.0, s.1, s.1, s.1)).collect();
    windows(&ends, samples)
}

/// An endpoint that answers with chunks.
#[derive(Debug)]
struct Far(Vec<(Labels, Vec<EncodedChunk>)>);

#[async_trait]
impl SeriesSource for Far {
    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let mut buffer = ChunkBuffer::new(options, 1 << 20);
        for (labels, chunks) in &self.0 {
            buffer.push(labels.clone(), chunks.clone())?;
        }
        let answer = PieceAnswer {
            origin: "far:10901".to_owned(),
            series: buffer.series(),
            warnings: Vec::new(),
            damaged: Damaged::default(),
            held: Box::new(()),
        };
        resolve_pieces(answer, select, options)
    }

    async fn series(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<Labels>> {
        Ok(Listing::default())
    }

    async fn label_names(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Ok(Listing::default())
    }

    async fn label_values(
        &self,
        _: &str,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Ok(Listing::default())
    }
}

fn m(replica: &str) -> Labels {
    labels(&[("__name__", "m"), ("replica", replica)])
}

fn fanout(children: Vec<Vec<(&str, Vec<EncodedChunk>)>>) -> FanoutSource {
    let child = |series: Vec<(&str, Vec<EncodedChunk>)>| Child {
        name: "far:10901".to_owned(),
        source: Arc::new(Far(series.into_iter().map(|(r, chunks)| (m(r), chunks)).collect())),
        deduplicates: false,
        remote: true,
    };
    let children: Vec<Child> = children.into_iter().map(child).collect();
    FanoutSource::new(Arc::new(children), Duration::from_secs(10))
}

fn select(aggregates: Aggregates, range: TimeRange) -> Select {
    Select { aggregates, max_resolution: 300_000, ..metric("m", range) }
}

/// The one series that comes out.
async fn only(source: &FanoutSource, select: &Select, dedup: Option<DedupFunc>) -> Samples {
    let options = SelectOptions { dedup: dedup.is_some(), ..options(dedup) };
    let resolved = source.resolve(select, &options).await.unwrap();
    let [(_, ts, values)] = &run(&resolved).await.unwrap()[..] else { panic!("one series") };
    ts.iter().copied().zip(values.clone().expect("values")).collect()
}

const FUNCS: [Option<DedupFunc>; 4] =
    [None, Some(DedupFunc::Penalty), Some(DedupFunc::Coverage), Some(DedupFunc::Chain)];

#[tokio::test]
async fn each_aggregate_stands_for_downsampled_samples_and_raw_ones_for_themselves() {
    let coarse = windows(
        &[(300, 20.0, 40.0, -1.0, 7.0), (600, 10.0, 15.0, 0.0, 9.0)],
        &[(15, 1.0), (300, 7.0), (600, 9.0), (600, 2.0)],
    );
    let source = fanout(vec![vec![("a", vec![coarse, raw(&[(700, 5.0), (800, 6.0)])])]]);
    for (aggregates, first, second) in [
        (Aggregates::AVERAGE, 2.0, 1.5),
        (Aggregates::of(Aggregate::Count), 20.0, 10.0),
        (Aggregates::of(Aggregate::Sum), 40.0, 15.0),
        (Aggregates::of(Aggregate::Min), -1.0, 0.0),
        (Aggregates::of(Aggregate::Max), 7.0, 9.0),
    ] {
        for dedup in FUNCS {
            let got = only(&source, &select(aggregates, TimeRange::new(300, 700)), dedup).await;
            assert_eq!(got, [(300, first), (600, second), (700, 5.0)], "{aggregates:?} {dedup:?}");
        }
    }
}

/// Thanos' example: totals go over the borders of chunks, of both kinds, and begin before the range.
#[tokio::test]
async fn counters_are_totals_over_all_chunks() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let chunks = vec![
        counter(&[(10, 1.0), (30, 5.0), (30, 5.0)]),
        counter(&[(50, 1.0), (70, 10.0), (70, 10.0)]),
        raw(&[(80, 12.0), (90, stale), (100, 3.0)]),
        counter(&[(120, 1.0), (140, 20.0), (140, 20.0)]),
    ];
    let source = fanout(vec![vec![("a", chunks)]]);
    for dedup in FUNCS {
        let counters = |from| select(Aggregates::COUNTER, TimeRange::new(from, 140));
        let got = only(&source, &counters(30), dedup).await;
        let values: Vec<f64> = got.iter().map(|&(_, value)| value).collect();
        assert_eq!(values, [5.0, 6.0, 15.0, 17.0, 20.0, 21.0, 40.0], "{dedup:?}");
        let got = only(&source, &counters(100), dedup).await;
        assert_eq!(got, [(100, 15.0), (120, 16.0), (140, 35.0)], "{dedup:?}");
    }
}

#[tokio::test]
async fn raw_counters_stay_as_they_were_scraped() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let source =
        fanout(vec![vec![("a", vec![raw(&[(10, 5.0), (20, 9.0), (30, 2.0), (40, stale)])])]]);
    for dedup in FUNCS {
        let range = TimeRange::new(20, 40);
        let got = only(&source, &select(Aggregates::COUNTER, range), dedup).await;
        assert_eq!(got[..2], [(20, 9.0), (30, 2.0)], "{dedup:?}");
        assert_eq!(got[2].1.to_bits(), STALE_NAN_BITS, "{dedup:?}");
    }
}

/// A bucket has windows of what a sidecar has raw: no raw sample is counted again.
#[tokio::test]
async fn where_both_kinds_overlap_one_is_read_behind_the_other() {
    let coarse = windows(
        &[(300, 3.0, 6.0, 1.0, 3.0), (600, 2.0, 8.0, 3.0, 5.0)],
        &[(100, 1.0), (300, 3.0), (600, 5.0), (600, 5.0)],
    );
    let fine = raw(&[(310, 3.0), (590, 5.0), (610, 6.0), (710, 7.0)]);
    for order in [[&coarse, &fine], [&fine, &coarse]] {
        let source = fanout(order.map(|chunk| vec![("a", vec![chunk.clone()])]).to_vec());
        for dedup in [None, Some(DedupFunc::Coverage), Some(DedupFunc::Chain)] {
            let sum = select(Aggregates::of(Aggregate::Sum), TimeRange::ALL);
            let got = only(&source, &sum, dedup).await;
            assert_eq!(got, [(300, 6.0), (600, 8.0), (610, 6.0), (710, 7.0)], "{dedup:?}");
            let got = only(&source, &select(Aggregates::COUNTER, TimeRange::ALL), dedup).await;
            let expected = [(100, 1.0), (300, 3.0), (600, 5.0), (610, 6.0), (710, 7.0)];
            assert_eq!(got, expected, "{dedup:?}");
        }
    }
}

/// Replica `a` is gone after 600 s, and `b`, which began later, has counted less.
#[tokio::test]
async fn a_change_of_replica_does_not_let_totals_fall() {
    let s = |t: i64, value: f64| (t * 1000, value);
    let a = counter(&[s(10, 100.0), s(300, 130.0), s(600, 160.0), s(600, 160.0)]);
    let b = counter(&[
        s(200, 5.0),
        s(300, 15.0),
        s(600, 40.0),
        s(900, 70.0),
        s(1500, 90.0),
        s(1500, 90.0),
    ]);
    let source = fanout(vec![vec![("a", vec![a]), ("b", vec![b])]]);
    let counters = select(Aggregates::COUNTER, TimeRange::ALL);
    // 200 s and 300 s are b's, lifted from 5 to the 100 before.
    let got = only(&source, &counters, Some(DedupFunc::Penalty)).await;
    let expected = [s(10, 100.0), s(200, 100.0), s(300, 110.0), s(600, 160.0), s(1500, 185.0)];
    assert_eq!(got, expected);
    for dedup in [DedupFunc::Coverage, DedupFunc::Chain] {
        let got = only(&source, &counters, Some(dedup)).await;
        assert!(got.is_sorted_by(|a, b| a.1 <= b.1), "{dedup:?}: {got:?}");
        assert!(got.last().is_some_and(|last| last.0 == 1_500_000 && last.1 >= 160.0), "{got:?}");
    }
}

/// Chunks of equal bounds are told apart by the bytes of what was asked for, as Thanos does: the
/// greater ones lead, and equal ones are one.
#[tokio::test]
async fn penalty_orders_chunks_of_equal_bounds_by_their_bytes() {
    let of = |sum: f64, max: f64| windows(&[(300, 2.0, sum, 0.0, max)], &[(1, 1.0), (300, 1.0)]);
    let source = fanout(vec![vec![("a", vec![of(2.0, 9.0)]), ("b", vec![of(6.0, 8.0)])]]);
    for (aggregates, expected) in
        [(Aggregates::AVERAGE, 3.0), (Aggregates::of(Aggregate::Max), 9.0)]
    {
        let select = select(aggregates, TimeRange::ALL);
        let got = only(&source, &select, Some(DedupFunc::Penalty)).await;
        assert_eq!(got, [(300, expected)], "{aggregates:?}");
    }
}

#[tokio::test]
async fn what_has_no_value_is_said() {
    let mut histogram = AggregateChunks::default();
    histogram.set(Aggregate::Sum, Encoding::FloatHistogram, Bytes::from_static(&[0, 1]));
    let histogram = EncodedChunk {
        range: TimeRange::new(0, 9),
        encoding: Encoding::Aggregates,
        bytes: histogram.encode(),
    };
    let missing = counter(&[(1, 1.0), (2, 2.0), (2, 2.0)]);
    let broken = EncodedChunk { bytes: missing.bytes.slice(..4), ..missing.clone() };
    let source = Far(vec![(m("a"), vec![histogram]), (m("b"), vec![broken])]);
    let average = select(Aggregates::AVERAGE, TimeRange::ALL);
    let resolved = source.resolve(&average, &options(None)).await.unwrap();
    let warning = "far:10901: native histograms of 1 series are left out";
    assert_eq!(resolved.warnings, [warning]);
    let error = run(&resolved).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("Count of a chunk"), "{error}");
    let all = select(Aggregates::ALL, TimeRange::ALL);
    let error = source.resolve(&all, &options(None)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let what = "the aggregates [Count, Sum, Min, Max, Counter] are not one value";
    assert_eq!(error.message(), what);
}
