//! Whatever the bytes, a decoder ends with samples in order or an error.

use std::path::Path;

use crate::model::HistogramCounts;
use proptest::prelude::*;

use super::*;

const ENCODINGS: [(Encoding, &str); 6] = [
    (Encoding::Xor, "xor"),
    (Encoding::Histogram, "histogram"),
    (Encoding::FloatHistogram, "float_histogram"),
    (Encoding::Xor2, "xor2"),
    (Encoding::HistogramSt, "histogram_st"),
    (Encoding::FloatHistogramSt, "float_histogram_st"),
];

/// A chunk that Prometheus wrote.
fn written(name: &str, number: usize) -> Vec<u8> {
    let chunks = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/chunks");
    std::fs::read(chunks.join(format!("{name}-{number}.bin"))).unwrap()
}

/// Decodes, checks what must hold for any bytes, and returns how many samples there are.
fn decode(encoding: Encoding, chunk: &[u8]) -> Result<usize> {
    if encoding.is_float() {
        let mut floats = Floats::default();
        let decoded = floats.decode(encoding, chunk);
        if decoded.is_err() {
            assert!(floats.is_empty(), "an error leaves no samples");
        }
        assert!(floats.ts().is_sorted_by(|a, b| a < b));
        assert_eq!(floats.values().len(), floats.len());
        assert!(floats.starts().is_none_or(|starts| starts.len() == floats.len()));
        decoded.map(|()| floats.len())
    } else {
        let mut histograms = Histograms::default();
        let decoded = histograms.decode(encoding, chunk);
        if decoded.is_err() {
            assert!(histograms.is_empty(), "an error leaves no samples");
        }
        assert!(histograms.ts.is_sorted_by(|a, b| a < b));
        assert_eq!(histograms.starts.len(), histograms.len());
        assert_eq!(histograms.samples.len(), histograms.len());
        for histogram in &histograms.samples {
            let buckets = |spans: &[crate::model::Span]| {
                spans.iter().map(|span| span.length as usize).sum::<usize>()
            };
            let (positive, negative) = match &histogram.counts {
                HistogramCounts::Int { positive, negative, .. } => (positive.len(), negative.len()),
                HistogramCounts::Float { positive, negative, .. } => {
                    (positive.len(), negative.len())
                }
            };
            assert_eq!(positive, buckets(&histogram.positive_spans));
            assert_eq!(negative, buckets(&histogram.negative_spans));
        }
        decoded.map(|()| histograms.len())
    }
}

#[test]
fn what_prometheus_wrote_decodes_and_every_cut_of_it_fails() {
    for (encoding, name) in ENCODINGS {
        for number in 1..=3 {
            let chunk = written(name, number);
            assert!(decode(encoding, &chunk).unwrap() > 0, "{name}-{number}");
            for length in 0..chunk.len() {
                let cut = decode(encoding, &chunk[..length]);
                assert!(cut.is_err(), "{name}-{number} cut at {length}");
            }
        }
    }
}

#[test]
fn chunks_follow_each_other_in_one_buffer() {
    let (first, second) = (written("xor", 1), written("xor2", 1));
    let mut floats = Floats::default();
    floats.decode(Encoding::Xor, &first).unwrap();
    let from = floats.len();
    floats.decode(Encoding::Xor2, &second).unwrap();
    let starts = floats.starts().expect("the second chunk has start timestamps");
    assert!(starts[..from].iter().all(|&start| start == 0));
    assert!(starts[from..].iter().any(|&start| start != 0));
    let all = floats.ts().to_vec();
    floats.retain(from, |ts| ts % 2 == 0);
    let kept: Vec<i64> = all[from..].iter().copied().filter(|ts| ts % 2 == 0).collect();
    assert_eq!(floats.ts(), [&all[..from], &kept].concat());
    assert!(floats.decode(Encoding::Xor, &first[..20]).is_err());
    assert_eq!(floats.len(), from + kept.len(), "a bad chunk adds nothing");
    floats.truncate(from);
    floats.decode(Encoding::Xor2, &written("xor2", 2)).unwrap();
    floats.truncate(1);
    floats.decode(Encoding::Xor, &first).unwrap();
    assert!(floats.starts().is_none(), "what was cut off does not come back");
    floats.clear();
    assert!(floats.is_empty() && floats.starts().is_none());
}

/// The samples of a float chunk.
fn floats(encoding: Encoding, chunk: &[u8]) -> (Vec<i64>, Vec<f64>) {
    let mut floats = Floats::default();
    floats.decode(encoding, chunk).unwrap();
    (floats.ts().to_vec(), floats.values().to_vec())
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn what_prometheus_wrote_is_encoded_to_the_same_bytes() {
    let mut encoder = XorEncoder::default();
    for number in 1..=3 {
        let chunk = written("xor", number);
        let (ts, values) = floats(Encoding::Xor, &chunk);
        assert_eq!(encoder.encode(&ts, &values, usize::MAX), ts.len());
        assert_eq!(encoder.bytes(), chunk, "xor-{number}");
    }
}

#[test]
fn chunks_are_cut_where_prometheus_cuts_them() {
    const HOURS_2: i64 = 7_200_000;
    let scraped = |start: i64, every: i64, count: i64| -> Vec<i64> {
        (0..count).map(|n| start + n * every).collect()
    };
    // Each 15 s, two hours are four chunks; each 16 s, three: 150 is nearer to 120 than 112 is.
    assert_eq!(cut(&scraped(0, 15_000, 1_000)), 120);
    assert_eq!(cut(&scraped(5_000, 16_000, 1_000)), 150);
    // Two hours end a chunk, also before 1970, and a gap does not make it longer.
    assert_eq!(cut(&scraped(HOURS_2 - 30_000, 15_000, 1_000)), 2);
    assert_eq!(cut(&scraped(-15_000, 15_000, 1_000)), 1);
    assert_eq!(cut(&[0, HOURS_2]), 1);
    // Samples that come faster than foreseen: 240 at most.
    let mut faster = scraped(0, 60_000, 31);
    faster.extend(scraped(1_800_001, 1, 1_000));
    assert_eq!(cut(&faster), 240);
    assert_eq!((cut(&[7]), cut(&[])), (1, 0));
    // Bytes end it too: random values take more than eight bytes each.
    let ts = scraped(0, 15_000, 480);
    let mut random = 1u64;
    let values: Vec<f64> = ts
        .iter()
        .map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            f64::from_bits(random)
        })
        .collect();
    let mut encoder = XorEncoder::default();
    let count = encoder.next_chunk(&ts, &values);
    assert!((100..120).contains(&count), "{count}");
    assert!((1006..=1024).contains(&encoder.bytes().len()), "{}", encoder.bytes().len());
    assert_eq!(encoder.next_chunk(&[], &[]), 0);
}

#[test]
fn unknown_encodings_are_unsupported() {
    for byte in [0, 7, 254] {
        let error = Encoding::from_byte(byte).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_end_well(
        encoding in 0usize..6,
        count in any::<u16>(),
        stream in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let chunk = [&count.to_be_bytes()[..], &stream].concat();
        let _ = decode(ENCODINGS[encoding].0, &chunk);
        let _ = decode(ENCODINGS[encoding].0, &stream);
    }

    #[test]
    fn changed_chunks_end_well(
        encoding in 0usize..6,
        number in 1usize..=3,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (encoding, name) = ENCODINGS[encoding];
        let mut chunk = written(name, number);
        for (at, byte) in changes {
            let at = at.index(chunk.len());
            chunk[at] ^= byte;
        }
        let _ = decode(encoding, &chunk);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// All floats and all distances in time go through unchanged, whatever the chunks before were.
    #[test]
    fn what_is_encoded_is_decoded(
        start in any::<i32>(),
        samples in prop::collection::vec(
            (
                prop_oneof![
                    Just(1i64), Just(15_000), 1i64..20_000, 1i64..2_000_000, 1i64..(1 << 50),
                ],
                prop_oneof![
                    Just(1.0f64.to_bits()), Just(crate::model::STALE_NAN_BITS), any::<u64>(),
                    (0u32..100).prop_map(|n| f64::from(n).to_bits()),
                ],
            ),
            1..300,
        ),
    ) {
        let mut ts = vec![];
        let mut t = i64::from(start);
        for &(distance, _) in &samples {
            t += distance;
            ts.push(t);
        }
        let values: Vec<f64> = samples.iter().map(|&(_, value)| f64::from_bits(value)).collect();
        let mut encoder = XorEncoder::default();
        prop_assert_eq!(encoder.encode(&ts, &values, usize::MAX), ts.len());
        let (decoded_ts, decoded) = floats(Encoding::Xor, encoder.bytes());
        prop_assert_eq!(&decoded_ts, &ts);
        prop_assert_eq!(bits(&decoded), bits(&values));
        let mut at = 0;
        while at < ts.len() {
            let count = encoder.next_chunk(&ts[at..], &values[at..]);
            let (decoded_ts, decoded) = floats(Encoding::Xor, encoder.bytes());
            prop_assert_eq!(&decoded_ts, &ts[at..at + count]);
            prop_assert_eq!(bits(&decoded), bits(&values[at..at + count]));
            at += count;
        }
    }
}
