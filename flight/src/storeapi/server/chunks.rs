//! Runs of samples to chunks.

use arrow::array::{Array, AsArray, StructArray};
use arrow::compute::concat;
use bytes::Bytes;
use engine::block::histogram::HistogramColumns;
use engine::chunk::{Encoding, HistogramEncoder, XorEncoder, cut};
use engine::model::TimeRange;
use engine::source::EncodedChunk;
use engine::{Error, Result};
use proto::thanos::{AggrChunk, Chunk, chunk};
use xxhash_rust::xxh64::xxh64;

/// The chunks of one series, their bytes in one piece.
#[derive(Debug, Default, Clone)]
pub(crate) struct Chunks {
    bytes: Vec<u8>,
    chunks: Vec<Place>,
}

/// A chunk: its times in ms, both ends included, where it ends in the bytes, and its encoding.
#[derive(Debug, Clone, Copy)]
struct Place {
    min: i64,
    max: i64,
    end: usize,
    encoding: Encoding,
}

impl Chunks {
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + self.chunks.len() * size_of::<Place>()
    }

    fn push(&mut self, ts: &[i64], bytes: &[u8], encoding: Encoding) {
        let (Some(&min), Some(&max)) = (ts.first(), ts.last()) else { return };
        self.bytes.extend_from_slice(bytes);
        self.chunks.push(Place { min, max, end: self.bytes.len(), encoding });
    }

    /// The chunks, in order of time.
    pub(crate) fn encoded(self) -> impl Iterator<Item = EncodedChunk> {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        self.chunks.into_iter().map(move |Place { min, max, end, encoding }| {
            let bytes = bytes.slice(start..end);
            start = end;
            EncodedChunk { range: TimeRange::new(min, max), encoding, bytes }
        })
    }

    /// The chunks on the wire, in order of time.
    pub(super) fn wire(self) -> Vec<AggrChunk> {
        let wire = |EncodedChunk { range, encoding, bytes }| {
            let encoding = match encoding {
                Encoding::Histogram => chunk::Encoding::Histogram,
                Encoding::FloatHistogram => chunk::Encoding::FloatHistogram,
                _ => chunk::Encoding::Xor,
            };
            let hash = xxh64(&bytes, 0);
            let raw = Chunk { r#type: encoding.into(), data: bytes, hash };
            AggrChunk {
                min_time: range.min,
                max_time: range.max,
                raw: Some(raw),
                ..AggrChunk::default()
            }
        };
        self.encoded().map(wire).collect()
    }
}

/// Encodes runs, one series after another. A chunk that the samples so far do not fill waits for
/// those of the next row, so where rows end leaves no trace in the chunks.
#[derive(Debug)]
pub(super) struct ChunkWriter {
    floats: XorEncoder,
    histograms: HistogramEncoder,
    /// Chunks outside are left out.
    range: TimeRange,
    /// Samples that are in no chunk yet, floats or histograms.
    ts: Vec<i64>,
    values: Vec<f64>,
    waiting: Option<StructArray>,
    written: Chunks,
}

impl ChunkWriter {
    /// A writer of the chunks that overlap `range`.
    pub(super) fn new(range: TimeRange) -> Self {
        Self {
            floats: XorEncoder::default(),
            histograms: HistogramEncoder::default(),
            range,
            ts: Vec::new(),
            values: Vec::new(),
            waiting: None,
            written: Chunks::default(),
        }
    }

    /// Adds floats that follow the samples before, ascending. `more` says whether other samples may
    /// follow.
    pub(super) fn floats(&mut self, ts: &[i64], values: &[f64], more: bool) -> Result<()> {
        self.end_histograms()?;
        if !self.ts.is_empty() {
            self.ts.extend_from_slice(ts);
            self.values.extend_from_slice(values);
            let (ts, values) = (std::mem::take(&mut self.ts), std::mem::take(&mut self.values));
            let done = self.encode_floats(&ts, &values, more);
            (self.ts, self.values) = (ts, values);
            self.ts.drain(..done);
            self.values.drain(..done);
            return Ok(());
        }
        let done = self.encode_floats(ts, values, more);
        self.ts.extend_from_slice(&ts[done..]);
        self.values.extend_from_slice(&values[done..]);
        Ok(())
    }

    /// Adds native histograms; else as [`Self::floats`].
    pub(super) fn histograms(
        &mut self,
        ts: &[i64],
        histograms: StructArray,
        more: bool,
    ) -> Result<()> {
        self.end_floats();
        let all = match self.waiting.take() {
            None => histograms,
            Some(waiting) => {
                let failed = |e| Error::internal("join histograms").with_source(e);
                concat(&[&waiting as &dyn Array, &histograms]).map_err(failed)?.as_struct().clone()
            }
        };
        self.ts.extend_from_slice(ts);
        let ts = std::mem::take(&mut self.ts);
        let done = self.encode_histograms(&ts, &all, more)?;
        self.ts = ts;
        self.ts.drain(..done);
        self.waiting = (done < all.len()).then(|| all.slice(done, all.len() - done));
        Ok(())
    }

    /// Writes chunks; the last one waits if it may grow. Returns how many samples are written.
    fn encode_floats(&mut self, ts: &[i64], values: &[f64], more: bool) -> usize {
        let mut at = 0;
        while at < ts.len() {
            if more && at + cut(&ts[at..]) == ts.len() {
                break;
            }
            let count = self.floats.next_chunk(&ts[at..], &values[at..]);
            let of_chunk = &ts[at..at + count];
            at += count;
            if self.wanted(of_chunk) {
                self.written.push(of_chunk, self.floats.bytes(), Encoding::Xor);
            }
        }
        at
    }

    fn encode_histograms(
        &mut self,
        ts: &[i64],
        histograms: &StructArray,
        more: bool,
    ) -> Result<usize> {
        let columns = HistogramColumns::of(histograms)?;
        let views =
            (0..histograms.len()).map(|row| columns.view(row)).collect::<Result<Vec<_>>>()?;
        let mut at = 0;
        while at < ts.len() {
            let count = self.histograms.next_chunk(&ts[at..], &views[at..], more);
            if count == 0 {
                break;
            }
            let of_chunk = &ts[at..at + count];
            at += count;
            if self.wanted(of_chunk) {
                let encoding = self.histograms.encoding();
                self.written.push(of_chunk, self.histograms.bytes(), encoding);
            }
        }
        Ok(at)
    }

    fn wanted(&self, ts: &[i64]) -> bool {
        let (Some(&min), Some(&max)) = (ts.first(), ts.last()) else { return false };
        self.range.overlaps(&TimeRange::new(min, max))
    }

    /// Writes the floats that wait.
    fn end_floats(&mut self) {
        if self.waiting.is_some() || self.ts.is_empty() {
            return;
        }
        let (ts, values) = (std::mem::take(&mut self.ts), std::mem::take(&mut self.values));
        self.encode_floats(&ts, &values, false);
        self.histograms.begin();
    }

    /// Writes the histograms that wait.
    fn end_histograms(&mut self) -> Result<()> {
        if let Some(waiting) = self.waiting.take() {
            let ts = std::mem::take(&mut self.ts);
            self.encode_histograms(&ts, &waiting, false)?;
        }
        self.histograms.begin();
        Ok(())
    }

    /// The chunks of the series, which has no further samples.
    pub(super) fn finish(&mut self) -> Result<Chunks> {
        self.end_floats();
        self.end_histograms()?;
        Ok(std::mem::take(&mut self.written))
    }
}
