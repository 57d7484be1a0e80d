//! What is encoded is decoded; where chunks end; what Prometheus wrote is written again.

use std::path::Path;

use arrow::array::{Array, StructArray};
use proptest::prelude::*;

use super::*;
use crate::block::histogram::{HistogramColumns, histogram_array};
use crate::chunk::Histograms;
use crate::model::{
    CounterResetHint as Hint, Histogram, HistogramCounts, STALE_NAN_BITS, Span, Spans, is_stale,
};

const HOURS_2: i64 = 7_200_000;

/// The chunks of a series, each with its samples' times: as the head cuts them, or after `most`.
fn chunks(ts: &[i64], all: &[Histogram], most: Option<usize>) -> Vec<(Encoding, Vec<u8>)> {
    let array = histogram_array(all).unwrap();
    let views = views(&array);
    let mut encoder = HistogramEncoder::default();
    let mut chunks = Vec::new();
    let mut at = 0;
    while at < ts.len() {
        at += match most {
            None => encoder.next_chunk(&ts[at..], &views[at..], false),
            Some(most) => encoder.encode(&ts[at..], &views[at..], most),
        };
        chunks.push((encoder.encoding(), encoder.bytes().to_vec()));
    }
    chunks
}

fn views(array: &StructArray) -> Vec<HistogramView<'_>> {
    let columns = HistogramColumns::of(array).unwrap();
    (0..array.len()).map(|row| columns.view(row).unwrap()).collect()
}

fn decoded(chunks: &[(Encoding, Vec<u8>)]) -> Histograms {
    let mut all = Histograms::default();
    for (encoding, bytes) in chunks {
        all.decode(*encoding, bytes).unwrap();
    }
    all
}

fn header(chunk: &(Encoding, Vec<u8>)) -> u8 {
    chunk.1[2]
}

fn samples(chunk: &(Encoding, Vec<u8>)) -> u16 {
    u16::from_be_bytes([chunk.1[0], chunk.1[1]])
}

/// The spans of buckets at `indices`, ascending.
fn spans(indices: impl Iterator<Item = i32>) -> Vec<Span> {
    let mut end = 0;
    let mut spans: Vec<Span> = vec![];
    for at in indices {
        match spans.last_mut() {
            Some(last) if at == end => last.length += 1,
            _ => spans.push(Span { offset: at - end, length: 1 }),
        }
        end = at + 1;
    }
    spans
}

/// A counter with these positive buckets.
fn counter(buckets: &[(i32, i64)]) -> Histogram {
    Histogram {
        counter_reset_hint: Hint::Unknown,
        schema: 3,
        zero_threshold: 2f64.powi(-128),
        sum: 1.5,
        positive_spans: spans(buckets.iter().map(|b| b.0)),
        negative_spans: vec![],
        custom_values: vec![],
        counts: HistogramCounts::Int {
            count: buckets.iter().map(|b| b.1 as u64).sum(),
            zero_count: 0,
            positive: buckets.iter().map(|b| b.1).collect(),
            negative: vec![],
        },
    }
}

fn stale() -> Histogram {
    Histogram {
        sum: f64::from_bits(STALE_NAN_BITS),
        schema: 0,
        zero_threshold: 0.0,
        ..counter(&[])
    }
}

fn float(histogram: &Histogram) -> Histogram {
    let HistogramCounts::Int { count, zero_count, positive, negative } = &histogram.counts else {
        panic!("a histogram of whole counts");
    };
    let counts = HistogramCounts::Float {
        count: *count as f64 * 1.1,
        zero_count: *zero_count as f64,
        positive: positive.iter().map(|&c| c as f64 * 1.1).collect(),
        negative: negative.iter().map(|&c| c as f64 * 1.1).collect(),
    };
    Histogram { counts, ..histogram.clone() }
}

/// What of a histogram a chunk keeps: no empty buckets, no hint, and of a stale marker nothing else.
fn kept(histogram: &Histogram) -> String {
    if is_stale(histogram.sum) {
        return "stale".to_owned();
    }
    let indices = |spans: &[Span]| {
        let mut end = 0;
        let mut all = Vec::new();
        for span in spans {
            all.extend((0..span.length as i32).map(|n| end + span.offset + n));
            end += span.offset + span.length as i32;
        }
        all
    };
    let full = |spans: &[Span], counts: Vec<u64>| -> Vec<(i32, u64)> {
        indices(spans).into_iter().zip(counts).filter(|b| b.1 != 0).collect()
    };
    let (count, zero, positive, negative) = match &histogram.counts {
        HistogramCounts::Int { count, zero_count, positive, negative } => {
            let words = |counts: &[i64]| counts.iter().map(|&c| c as u64).collect();
            (*count, *zero_count, words(positive), words(negative))
        }
        HistogramCounts::Float { count, zero_count, positive, negative } => {
            let words = |counts: &[f64]| counts.iter().map(|c| c.to_bits()).collect();
            (count.to_bits(), zero_count.to_bits(), words(positive), words(negative))
        }
    };
    format!(
        "{} {:x} {:x} {count} {zero} {:?} {:?} {:?}",
        histogram.schema,
        histogram.zero_threshold.to_bits(),
        histogram.sum.to_bits(),
        full(&histogram.positive_spans, positive),
        full(&histogram.negative_spans, negative),
        histogram.custom_values,
    )
}

#[test]
fn what_prometheus_wrote_is_encoded_to_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/chunks");
    for (encoding, name) in
        [(Encoding::Histogram, "histogram"), (Encoding::FloatHistogram, "float_histogram")]
    {
        for number in 1..=3 {
            let chunk = std::fs::read(folder.join(format!("{name}-{number}.bin"))).unwrap();
            let mut all = Histograms::default();
            all.decode(encoding, &chunk).unwrap();
            // What the chunk knows of resets lies before its first sample, and stale markers in it
            // do not say that it is a gauge's.
            all.samples[0].counter_reset_hint = match chunk[2] & 0xc0 {
                0x80 => Hint::CounterReset,
                0xc0 => Hint::Gauge,
                _ => Hint::Unknown,
            };
            if chunk[2] & 0xc0 == 0xc0 {
                all.samples.iter_mut().for_each(|h| h.counter_reset_hint = Hint::Gauge);
            }
            let mut again = chunks(&all.ts, &all.samples, Some(usize::MAX));
            assert_eq!(again.len(), 1, "{name}-{number}");
            if chunk[2] & 0xc0 == 0x40 {
                again[0].1[2] = 0x40;
            }
            assert_eq!(again[0], (encoding, chunk), "{name}-{number}");
        }
    }
}

/// The table in the module's documentation.
#[test]
fn a_chunk_widens_and_ends_at_a_reset() {
    let all = [
        counter(&[(1, 5), (2, 2)]),
        counter(&[(1, 5), (2, 3)]),
        counter(&[(1, 6), (2, 3), (4, 1)]),
        counter(&[(1, 6), (2, 3), (3, 4), (4, 2)]),
        counter(&[(1, 1)]),
        counter(&[(1, 1), (7, 0)]),
        counter(&[(1, 2)]),
    ];
    for whole in [true, false] {
        let all: Vec<Histogram> =
            all.iter().map(|h| if whole { h.clone() } else { float(h) }).collect();
        let chunks = chunks(&[1, 2, 3, 4, 5, 6, 7], &all, None);
        let counts: Vec<u16> = chunks.iter().map(samples).collect();
        assert_eq!(counts, [4, 3]);
        assert_eq!([header(&chunks[0]), header(&chunks[1])], [0, 0x80]);
        let again = decoded(&chunks);
        // The first sample has all buckets of its chunk: 1, 2, 3 and 4.
        assert_eq!(again.samples[0].positive_spans, [Span { offset: 1, length: 4 }]);
        let bits = |all: &[Histogram]| all.iter().map(kept).collect::<Vec<_>>();
        assert_eq!(bits(&again.samples), bits(&all));
    }
}

#[test]
fn stale_markers_gauges_and_layouts_end_chunks() {
    let gauge = Histogram { counter_reset_hint: Hint::Gauge, ..counter(&[(1, 4)]) };
    let other = Histogram { schema: 2, ..counter(&[(1, 9)]) };
    let custom = |bounds: &[f64]| Histogram {
        schema: -53,
        zero_threshold: 0.0,
        custom_values: bounds.to_vec(),
        ..counter(&[(1, 9)])
    };
    let all = [
        counter(&[(1, 5)]),
        stale(),
        stale(),
        counter(&[(1, 6)]),
        Histogram { counter_reset_hint: Hint::CounterReset, ..counter(&[(1, 7)]) },
        gauge.clone(),
        Histogram { counter_reset_hint: Hint::Gauge, ..counter(&[(2, 3)]) },
        stale(),
        counter(&[(1, 9)]),
        other,
        custom(&[0.5, 1.0]),
        custom(&[0.5, 2.0]),
        float(&custom(&[0.5, 2.0])),
        float(&gauge),
    ];
    let ts: Vec<i64> = (0..all.len() as i64).collect();
    let chunks = chunks(&ts, &all, None);
    let got: Vec<(u16, u8)> = chunks.iter().map(|c| (samples(c), header(c))).collect();
    let expected = [
        (3, 0),
        (1, 0),
        (1, 0x80),
        (2, 0xc0),
        // A stale marker says nothing of gauges: the head cuts here too.
        (1, 0x40),
        (1, 0),
        (1, 0),
        (1, 0),
        (1, 0x80),
        (1, 0),
        (1, 0xc0),
    ];
    assert_eq!(got, expected);
    let bits = |all: &[Histogram]| all.iter().map(kept).collect::<Vec<_>>();
    assert_eq!(bits(&decoded(&chunks).samples), bits(&all));
}

#[test]
fn chunks_are_cut_where_the_head_cuts_them() {
    let walk = |n: usize, buckets: i64| -> Vec<Histogram> {
        let of = |t: i64| (0..buckets).map(|b| (b as i32, t * (b + 3) % 97 + t * 100)).collect();
        (0..n as i64).map(|t| counter(&of(t) as &Vec<(i32, i64)>)).collect()
    };
    let ts = |n: i64, every: i64| -> Vec<i64> { (0..n).map(|at| at * every).collect() };
    let lengths = |ts: &[i64], all: &[Histogram]| -> Vec<u16> {
        let chunks = chunks(ts, all, None);
        assert!(chunks.iter().skip(1).all(|c| header(c) == 0x40), "no reset where it is cut");
        chunks.iter().map(samples).collect()
    };
    // Large histograms: ten a chunk at least; two hours end a chunk all the same.
    assert_eq!(lengths(&ts(40, 15_000), &walk(40, 300)), [10, 10, 10, 10]);
    let edge: Vec<i64> = ts(40, 15_000).iter().map(|t| t + HOURS_2 - 60_000).collect();
    assert_eq!(lengths(&edge, &walk(40, 300))[0], 4);
    // Small ones: of two hours all chunks are about as long, not one full and one nearly empty.
    assert_eq!(lengths(&ts(480, 15_000), &walk(480, 8)), [240, 240]);
}

#[test]
fn a_chunk_that_may_grow_waits() {
    let all: Vec<Histogram> =
        (0..200).map(|t| counter(&[(1, t), (2, t / 2), (5, t % 7 + t)])).collect();
    let ts: Vec<i64> = (0..200).map(|t| t * 15_000).collect();
    let whole = chunks(&ts, &all, None);
    let array = histogram_array(&all).unwrap();
    let views = views(&array);
    let mut encoder = HistogramEncoder::default();
    let (mut at, mut known, mut pieces) = (0, 0, Vec::new());
    while at < 200 {
        known = (known + 7).min(200);
        loop {
            let n = encoder.next_chunk(&ts[at..known], &views[at..known], known < 200);
            if n == 0 {
                break;
            }
            at += n;
            pieces.push((encoder.encoding(), encoder.bytes().to_vec()));
        }
    }
    assert_eq!(pieces, whole);
}

/// A histogram out of numbers: which buckets, how much in them, which layout, what kind.
fn arbitrary() -> impl Strategy<Value = Histogram> {
    let side = || prop::collection::btree_map(-40i32..60, 0i64..1 << 40, 0..12);
    let sums = prop_oneof![any::<u64>().prop_map(f64::from_bits), (0u32..99).prop_map(f64::from)];
    let hints = [Hint::Unknown, Hint::NotCounterReset, Hint::CounterReset, Hint::Gauge];
    let layouts = prop_oneof![
        Just((3, 2f64.powi(-128), vec![])),
        Just((0, 0.001, vec![])),
        Just((-53, 0.0, vec![0.25, 33_554.430, 33_554.431, -1.0, f64::MAX])),
    ];
    (side(), side(), any::<u32>(), sums, prop::sample::select(hints.to_vec()), layouts, 0u8..12)
        .prop_map(
            |(
                positive,
                negative,
                zero,
                sum,
                hint,
                (schema, zero_threshold, custom_values),
                kind,
            )| {
                if kind == 0 {
                    return stale();
                }
                let counts = |side: &std::collections::BTreeMap<i32, i64>| -> Vec<i64> {
                    side.values().copied().collect()
                };
                let whole = Histogram {
                    counter_reset_hint: hint,
                    schema,
                    zero_threshold,
                    sum,
                    positive_spans: spans(positive.keys().copied()),
                    negative_spans: spans(negative.keys().copied()),
                    custom_values,
                    counts: HistogramCounts::Int {
                        count: u64::from(zero) + positive.values().sum::<i64>() as u64,
                        zero_count: u64::from(zero),
                        positive: counts(&positive),
                        negative: counts(&negative),
                    },
                };
                if kind < 4 { float(&whole) } else { whole }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// All samples come back, whatever their order makes of the chunks; a counter grows here and
    /// there, so that chunks widen.
    #[test]
    fn what_is_encoded_is_decoded(
        all in prop::collection::vec((arbitrary(), any::<bool>(), 1i64..3_000_000), 1..40),
        most in prop_oneof![Just(None), (1usize..9).prop_map(Some)],
    ) {
        let mut ts = vec![];
        let mut samples: Vec<Histogram> = vec![];
        for (histogram, again, distance) in all {
            ts.push(ts.last().copied().unwrap_or(-500_000) + distance);
            match samples.last() {
                Some(last) if again => samples.push(last.clone()),
                _ => samples.push(histogram),
            }
        }
        let chunks = chunks(&ts, &samples, most);
        let again = decoded(&chunks);
        prop_assert_eq!(&again.ts, &ts);
        for (again, written) in again.samples.iter().zip(&samples) {
            prop_assert_eq!(kept(again), kept(written));
        }
        // What was decoded is one more time written and read.
        let third = decoded(&self::chunks(&again.ts, &again.samples, None));
        prop_assert_eq!(&third.ts, &ts);
    }

    /// Spans that no histogram has: buckets overlap, go back, or run out of numbers.
    #[test]
    fn any_spans_end_well(
        rows in prop::collection::vec(
            prop::collection::vec((prop_oneof![any::<i32>(), -5i32..5], 0i32..4), 0..6), 1..12,
        ),
        gauge in any::<bool>(),
    ) {
        let columns: Vec<(Vec<i32>, Vec<i32>, Vec<i64>)> = rows
            .into_iter()
            .map(|spans| {
                let (offsets, lengths): (Vec<i32>, Vec<i32>) = spans.into_iter().unzip();
                let buckets = lengths.iter().sum::<i32>();
                (offsets, lengths, vec![7; buckets as usize])
            })
            .collect();
        let views: Vec<HistogramView<'_>> = columns
            .iter()
            .map(|(offsets, lengths, counts)| HistogramView {
                counter_reset_hint: if gauge { Hint::Gauge } else { Hint::Unknown },
                schema: 1,
                zero_threshold: 0.0,
                sum: 1.0,
                positive: Spans { offsets, lengths },
                negative: Spans::default(),
                custom_values: &[],
                counts: CountsView::Int {
                    count: 9, zero_count: 0, positive: counts, negative: &[],
                },
            })
            .collect();
        let ts: Vec<i64> = (0..views.len() as i64).collect();
        let mut encoder = HistogramEncoder::default();
        let mut at = 0;
        while at < ts.len() {
            let count = encoder.next_chunk(&ts[at..], &views[at..], false);
            prop_assert!(count > 0);
            at += count;
        }
    }
}
