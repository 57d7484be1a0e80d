//! Runs of samples to chunks.

use bytes::Bytes;
use engine::chunk::{XorEncoder, cut};
use engine::model::TimeRange;
use proto::thanos::{AggrChunk, Chunk, chunk};
use xxhash_rust::xxh64::xxh64;

/// The chunks of one series, their bytes in one piece.
#[derive(Debug, Default, Clone)]
pub(super) struct Chunks {
    bytes: Vec<u8>,
    chunks: Vec<Place>,
}

/// A chunk: its times in ms, both ends included, and where it ends in the bytes.
#[derive(Debug, Clone, Copy)]
struct Place {
    min: i64,
    max: i64,
    end: usize,
}

impl Chunks {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The chunks on the wire, in order of time.
    pub(super) fn wire(self) -> Vec<AggrChunk> {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        let wire = |place: &Place| {
            let data = bytes.slice(start..place.end);
            start = place.end;
            let hash = xxh64(&data, 0);
            let raw = Chunk { r#type: chunk::Encoding::Xor.into(), data, hash };
            AggrChunk {
                min_time: place.min,
                max_time: place.max,
                raw: Some(raw),
                ..AggrChunk::default()
            }
        };
        self.chunks.iter().map(wire).collect()
    }
}

/// Encodes runs, one series after another. A chunk that the samples so far do not fill waits for
/// those of the next row, so where rows end leaves no trace in the chunks.
#[derive(Debug)]
pub(super) struct ChunkWriter {
    encoder: XorEncoder,
    /// Chunks outside are left out.
    range: TimeRange,
    /// Samples that are in no chunk yet.
    ts: Vec<i64>,
    values: Vec<f64>,
    written: Chunks,
}

impl ChunkWriter {
    /// A writer of the chunks that overlap `range`.
    pub(super) fn new(range: TimeRange) -> Self {
        Self {
            encoder: XorEncoder::default(),
            range,
            ts: Vec::new(),
            values: Vec::new(),
            written: Chunks::default(),
        }
    }

    /// Adds samples that follow those before, ascending. `more` says whether others may follow.
    pub(super) fn add(&mut self, ts: &[i64], values: &[f64], more: bool) {
        if !self.ts.is_empty() {
            self.ts.extend_from_slice(ts);
            self.values.extend_from_slice(values);
            let (ts, values) = (std::mem::take(&mut self.ts), std::mem::take(&mut self.values));
            let done = self.encode(&ts, &values, more);
            (self.ts, self.values) = (ts, values);
            self.ts.drain(..done);
            self.values.drain(..done);
            return;
        }
        let done = self.encode(ts, values, more);
        self.ts.extend_from_slice(&ts[done..]);
        self.values.extend_from_slice(&values[done..]);
    }

    /// Writes chunks; the last one waits if it may grow. Returns how many samples are written.
    fn encode(&mut self, ts: &[i64], values: &[f64], more: bool) -> usize {
        let mut at = 0;
        while at < ts.len() {
            if more && at + cut(&ts[at..]) == ts.len() {
                break;
            }
            let count = self.encoder.next_chunk(&ts[at..], &values[at..]);
            let (min, max) = (ts[at], ts[at + count - 1]);
            at += count;
            if !self.range.overlaps(&TimeRange::new(min, max)) {
                continue;
            }
            self.written.bytes.extend_from_slice(self.encoder.bytes());
            self.written.chunks.push(Place { min, max, end: self.written.bytes.len() });
        }
        at
    }

    /// The chunks of the series, which has no further samples.
    pub(super) fn finish(&mut self) -> Chunks {
        let (ts, values) = (std::mem::take(&mut self.ts), std::mem::take(&mut self.values));
        self.encode(&ts, &values, false);
        (self.ts, self.values) = (ts, values);
        self.ts.clear();
        self.values.clear();
        std::mem::take(&mut self.written)
    }
}
