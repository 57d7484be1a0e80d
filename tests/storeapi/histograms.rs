//! Native histograms: whole and float counts, gauges, custom buckets, resets, stale markers, series
//! that change between histograms and floats.

use std::collections::{BTreeMap, BTreeSet};

use engine::chunk::{Encoding, Floats, Histograms};
use engine::model::{Histogram, HistogramCounts, Labels, Span, is_stale};
use proto::thanos::Series;
use xxhash_rust::xxh64::xxh64;

use super::endpoint::{Blocks, Kind, STORES, all_time, labels_of};
use super::querier::ask;
use crate::support::DATA_START;

/// What of a histogram does not depend on where its chunk begins: all but empty buckets and the hint
/// whether the counter was reset.
fn text(histogram: &Histogram) -> String {
    if is_stale(histogram.sum) {
        return "stale".to_owned();
    }
    let side = |spans: &[Span], counts: Vec<u64>| -> Vec<(i32, u64)> {
        let mut end = 0;
        let buckets = spans.iter().flat_map(|span| {
            let start = end + span.offset;
            end = start + span.length as i32;
            start..end
        });
        buckets.zip(counts).filter(|bucket| bucket.1 != 0).collect()
    };
    let (numbers, positive, negative) = match &histogram.counts {
        HistogramCounts::Int { count, zero_count, positive, negative } => {
            let words = |counts: &[i64]| counts.iter().map(|&count| count as u64).collect();
            ([0, *count, *zero_count], words(positive), words(negative))
        }
        HistogramCounts::Float { count, zero_count, positive, negative } => {
            let words = |counts: &[f64]| counts.iter().map(|count| count.to_bits()).collect();
            ([1, count.to_bits(), zero_count.to_bits()], words(positive), words(negative))
        }
    };
    let gauge = histogram.counter_reset_hint == engine::model::CounterResetHint::Gauge;
    format!(
        "{gauge} {} {:x} {:x} {numbers:?} {:?} {:?} {:?}",
        histogram.schema,
        histogram.zero_threshold.to_bits(),
        histogram.sum.to_bits(),
        side(&histogram.positive_spans, positive),
        side(&histogram.negative_spans, negative),
        histogram.custom_values,
    )
}

/// The samples of a series by time, and the encodings of its chunks; checks each chunk by itself.
fn samples(series: &Series, encodings: &mut BTreeSet<i32>) -> Vec<(i64, String)> {
    assert!(series.chunks.is_sorted_by_key(|chunk| chunk.min_time), "chunks by time");
    let mut all = Vec::new();
    for chunk in &series.chunks {
        let raw = chunk.raw.as_ref().expect("raw data is asked for");
        assert!(raw.hash == 0 || raw.hash == xxh64(&raw.data, 0), "the hash of the data");
        encodings.insert(raw.r#type);
        let encoding = Encoding::from_byte(raw.r#type as u8 + 1).expect("an encoding");
        let mut floats = Floats::default();
        let mut histograms = Histograms::default();
        let ts = if encoding == Encoding::Xor {
            floats.decode(encoding, &raw.data).expect("a chunk");
            let bits = floats.values().iter().map(|value| format!("{:x}", value.to_bits()));
            all.extend(floats.ts().iter().copied().zip(bits));
            floats.ts()
        } else {
            histograms.decode(encoding, &raw.data).expect("a chunk");
            all.extend(histograms.ts.iter().copied().zip(histograms.samples.iter().map(text)));
            histograms.ts.as_slice()
        };
        let times = (ts.first().copied(), ts.last().copied());
        assert_eq!(times, (Some(chunk.min_time), Some(chunk.max_time)));
    }
    all
}

async fn natives() -> Blocks {
    let blocks = Blocks::new();
    for replica in ["a", "b"] {
        blocks.add_kind("natives", replica).await;
    }
    blocks
}

#[tokio::test]
async fn every_histogram_comes_once_as_it_was_written() {
    let blocks = natives().await;
    let mut answers: Vec<BTreeMap<Labels, Vec<(i64, String)>>> = Vec::new();
    for kind in STORES {
        let at = blocks.serve(kind, &[]).await;
        let mut request = all_time(&["__name__=~.+"]);
        request.without_replica_labels.clear();
        let mut encodings = BTreeSet::new();
        let mut answer: BTreeMap<Labels, Vec<(i64, String)>> = BTreeMap::new();
        let mut before: Option<Labels> = None;
        for series in at.series(request).await.expect("series") {
            let labels = labels_of(&series);
            assert!(before.is_none_or(|before| before <= labels), "series ascend");
            before = Some(labels.clone());
            answer.entry(labels).or_default().extend(samples(&series, &mut encodings));
        }
        assert_eq!(encodings, BTreeSet::from([0, 1, 2]), "{kind:?}");
        answers.push(answer);
    }
    let [thanos, others @ ..] = &answers[..] else { panic!("no answer") };
    for (stoa, kind) in others.iter().zip(&STORES[1..]) {
        assert!(thanos.len() == 112 && thanos.keys().eq(stoa.keys()), "{} series", stoa.len());
        for (labels, expected) in thanos {
            let got = &stoa[labels];
            let other = got.iter().zip(expected).find(|(got, expected)| got != expected);
            assert!(
                got.len() == expected.len() && other.is_none(),
                "{kind:?} {labels}: {other:#?}"
            );
        }
    }
}

/// Of a part of the time, whole chunks.
#[tokio::test]
async fn a_part_of_the_time_has_its_samples() {
    let blocks = natives().await;
    let (from, to) = (DATA_START + 1_800_000, DATA_START + 2_400_000);
    let mut answers = Vec::new();
    for kind in STORES {
        let at = blocks.serve(kind, &[]).await;
        let mut request = all_time(&["__name__=~natives|mixed"]);
        (request.min_time, request.max_time) = (from, to);
        request.without_replica_labels.clear();
        let mut all = BTreeMap::new();
        for series in at.series(request).await.expect("series") {
            let mut inside = samples(&series, &mut BTreeSet::new());
            inside.retain(|(t, _)| (from..=to).contains(t));
            all.insert(labels_of(&series), inside);
        }
        answers.push(all);
    }
    assert!(answers[0].values().all(|samples| samples.len() > 20), "{}", answers[0].len());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

const QUERIES: [&str; 9] = [
    "SEL[2h]",
    "SEL",
    "rate(SEL[5m])",
    "increase(SEL[17m])",
    "histogram_quantile(0.9, rate(SEL[10m]))",
    "histogram_count(SEL)",
    "sum by (layout) (SEL)",
    "resets(SEL[30m])",
    "count_over_time(SEL[7m])",
];

/// Thanos' querier over Stoa's store answers as over its own, with dedup and without.
#[tokio::test]
async fn thanos_querier_answers_alike() {
    let blocks = natives().await;
    let mut questions = Vec::new();
    for selector in ["natives{kind=\"counter\"}", "natives{kind=\"gauge\"}", "mixed", "floats"] {
        for query in QUERIES {
            for dedup in [true, false] {
                let end = DATA_START + 7_200_000;
                let range = query.ends_with("[2h]");
                let line = serde_json::json!({
                    "query": query.replace("SEL", selector),
                    "start": if range { end } else { DATA_START },
                    "end": end, "step": if range { 0 } else { 61_000 },
                    "dedup": dedup, "replica_labels": ["replica"],
                });
                questions.push(line.to_string());
            }
        }
    }
    let mut answers = Vec::new();
    for kind in STORES {
        let at = blocks.serve(kind, &[]).await;
        let flags = [format!("-endpoints={}", at.grpc)];
        answers.push(ask(&flags, &questions).unwrap_or_else(|e| panic!("{kind:?}: {e}")));
    }
    let with_histograms = answers[0].iter().filter(|line| line.contains("schema")).count();
    // Five of the queries keep histograms, of three selectors.
    assert!(with_histograms > 25, "{with_histograms} answers have histograms");
    assert_eq!(answers[0].len(), questions.len());
    for (kind, answer) in STORES.iter().zip(&answers) {
        for ((expected, got), asked) in answers[0].iter().zip(answer).zip(&questions) {
            // Chunks made of columns may end before those of the head did where buckets appear, and
            // Thanos deals overlapping chunks to replicas by where they end.
            if *kind != Kind::InPlace && asked.contains("\"dedup\":true") {
                continue;
            }
            assert!(expected == got, "{kind:?} {asked}\n{}\n{}", short(expected), short(got));
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(2_000).collect()
}
