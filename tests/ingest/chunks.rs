//! Chunks that Prometheus wrote, decoded and encoded again: byte for byte the same ones.

use std::process::Command;

use arrow::array::Array;
use engine::block::histogram::{HistogramColumns, histogram_array};
use engine::chunk::{Encoding, Floats, HistogramEncoder, Histograms, XorEncoder};
use engine::model::CounterResetHint;

use super::dump::write_block;
use crate::support;

/// A chunk as it lies in a block.
#[derive(Debug, PartialEq, Eq)]
struct Chunk {
    encoding: Encoding,
    bytes: Vec<u8>,
}

/// The chunks of each series of the block `kind`.
fn written(kind: &str) -> Vec<(String, Vec<Chunk>)> {
    let dir = support::scratch();
    let block = write_block(dir.path(), kind);
    let output = Command::new(support::go_program("prometheus"))
        .args(["chunks", "-block"])
        .arg(block)
        .output()
        .expect("the Go program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let mut all: Vec<(String, Vec<Chunk>)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("series") {
            all.push((line.to_owned(), Vec::new()));
            continue;
        }
        let fields: Vec<&str> = line.split(' ').collect();
        let encoding = fields[0].parse().expect("a number");
        let digits = fields[3].as_bytes().chunks(2);
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("digits")
        };
        let encoding = Encoding::from_byte(encoding).expect("an encoding");
        let chunk = Chunk { encoding, bytes: digits.map(byte).collect() };
        all.last_mut().expect("a series before").1.push(chunk);
    }
    all
}

fn is_histogram(chunk: &Chunk) -> bool {
    matches!(chunk.encoding, Encoding::Histogram | Encoding::FloatHistogram)
}

/// The histograms of chunks that follow each other, as they were when they were appended.
fn histograms(chunks: &[Chunk]) -> Histograms {
    let mut all = Histograms::default();
    for chunk in chunks {
        let from = all.len();
        all.decode(chunk.encoding, &chunk.bytes).expect("a chunk of Prometheus");
        // A stale marker in a gauge's chunk was appended as a gauge's, and does not say so.
        if chunk.bytes[2] & 0xc0 == 0xc0 {
            let gauge = |h: &mut engine::model::Histogram| {
                h.counter_reset_hint = CounterResetHint::Gauge;
            };
            all.samples[from..].iter_mut().for_each(gauge);
        }
    }
    all
}

/// Encodes all histograms of a series; `next` makes a chunk of the first ones.
fn encoded(
    all: &Histograms,
    mut next: impl FnMut(&mut HistogramEncoder, &[i64], &[engine::model::HistogramView<'_>]) -> usize,
) -> Vec<Chunk> {
    let array = histogram_array(&all.samples).expect("histograms");
    let columns = HistogramColumns::of(&array).expect("columns");
    let views: Vec<_> =
        (0..array.len()).map(|row| columns.view(row).expect("a histogram")).collect();
    let mut encoder = HistogramEncoder::default();
    let mut chunks = Vec::new();
    let mut at = 0;
    while at < views.len() {
        at += next(&mut encoder, &all.ts[at..], &views[at..]);
        chunks.push(Chunk { encoding: encoder.encoding(), bytes: encoder.bytes().to_vec() });
    }
    chunks
}

/// Histograms of all layouts and kinds, 40 a chunk at most; Prometheus' appender ends chunks where
/// they do not fit, widens them, and says what it knows of resets.
#[test]
fn histograms_become_the_chunks_that_prometheus_appender_makes() {
    let mut seen = [0; 2];
    for (series, chunks) in written("encodings") {
        if !chunks.iter().all(is_histogram) {
            continue;
        }
        let all = histograms(&chunks);
        let again = encoded(&all, |encoder, ts, views| encoder.encode(ts, views, 40));
        assert_eq!(again.len(), chunks.len(), "{series}");
        for (number, (again, chunk)) in again.iter().zip(&chunks).enumerate() {
            assert_eq!(again, chunk, "chunk {number} of {series}");
            seen[usize::from(chunk.encoding == Encoding::FloatHistogram)] += 1;
        }
    }
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?} chunks");
}

/// What a running Prometheus scraped is cut where its head cut it. Where a histogram got a bucket in
/// the middle of a chunk, what came before is larger when it is encoded again, so a chunk may end
/// some samples earlier: the head did not know of the bucket yet.
#[test]
fn chunks_end_where_those_of_a_head_end() {
    let (mut floats, mut equal, mut others) = (0, 0, 0);
    let mut seen = Vec::new();
    for (series, chunks) in written("head") {
        if chunks.iter().all(|chunk| chunk.encoding == Encoding::Xor) {
            let mut all = Floats::default();
            for chunk in &chunks {
                all.decode(chunk.encoding, &chunk.bytes).expect("a chunk of Prometheus");
            }
            let mut encoder = XorEncoder::default();
            let mut at = 0;
            for chunk in &chunks {
                at += encoder.next_chunk(&all.ts()[at..], &all.values()[at..]);
                assert_eq!(encoder.bytes(), chunk.bytes, "{series}");
                floats += 1;
            }
            continue;
        }
        assert!(chunks.iter().all(is_histogram), "{series}");
        let all = histograms(&chunks);
        let again = encoded(&all, |encoder, ts, views| encoder.next_chunk(ts, views, false));
        let samples = |chunk: &Chunk| u16::from_be_bytes([chunk.bytes[0], chunk.bytes[1]]);
        let total =
            |chunks: &[Chunk]| chunks.iter().map(|c| usize::from(samples(c))).sum::<usize>();
        assert_eq!(total(&again), total(&chunks), "{series}");
        equal += again.iter().filter(|chunk| chunks.contains(chunk)).count();
        others += again.iter().filter(|chunk| !chunks.contains(chunk)).count();
        let lengths = |chunks: &[Chunk]| chunks.iter().map(samples).collect::<Vec<_>>();
        seen.push(format!("{:?} {:?}", lengths(&again), lengths(&chunks)));
    }
    assert!(
        floats > 100 && equal > others,
        "{floats} chunks of floats, {equal} of histograms, {others} others: {seen:#?}"
    );
}
