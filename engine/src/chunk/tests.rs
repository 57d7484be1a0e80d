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

#[test]
fn unknown_encodings_are_unsupported() {
    for byte in [0, 7, 255] {
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
