//! Chunks decoded to rows: the samples, and what is known of the chunk that they came from.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, UInt8Array, UInt32Array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use super::piece_schema;
use crate::chunk::{AggregateChunks, Downsampled, Encoding, Floats, Histograms};
use crate::model::{Aggregate, AggregateValue, Histogram, TimeRange};
use crate::scan::located::list;
use crate::source::{DedupFunc, EncodedChunk, RunBuilder, Select, SelectOptions};
use crate::{Error, Result};

/// What is read of chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// What stands for downsampled samples.
    value: AggregateValue,
    /// The times that the origin answers for: chunks end there.
    window: TimeRange,
    /// The samples that are read.
    cut: TimeRange,
    /// Whether the chunks' bytes are told too: `penalty` orders chunks of equal times by them.
    with_key: bool,
    /// Whether some chunk has native histograms, and they are wanted.
    pub(super) histograms: bool,
    /// Whether start timestamps are wanted.
    pub(super) starts: bool,
}

impl Reading {
    /// What `select` needs of chunks of an origin that answers for `window`.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the aggregates wanted are not one value.
    pub(super) fn new(select: &Select, options: &SelectOptions, window: TimeRange) -> Result<Self> {
        let cut = if select.whole_chunks() { window } else { both(window, select.range) };
        let with_key = options.dedup_func == DedupFunc::Penalty;
        Ok(Self { value: select.value()?, window, cut, with_key, histograms: false, starts: false })
    }

    /// With native histograms and start timestamps, or without.
    pub(super) fn with(self, histograms: bool, starts: bool) -> Self {
        Self { histograms, starts, ..self }
    }

    /// The schema of the rows.
    pub(super) fn schema(&self) -> SchemaRef {
        piece_schema(self.histograms, self.starts)
    }
}

fn both(a: TimeRange, b: TimeRange) -> TimeRange {
    TimeRange::new(a.min.max(b.min), a.max.min(b.max))
}

/// Rows in the making, one a chunk. Buffers keep their capacity.
#[derive(Default)]
pub(super) struct Rows {
    floats: Floats,
    histograms: Histograms,
    /// The rows so far, where some are of native histograms.
    runs: RunBuilder,
    downsampled: Downsampled,
    series: Vec<u32>,
    lengths: Vec<usize>,
    min: Vec<i64>,
    max: Vec<i64>,
    encodings: Vec<u8>,
    keys: Vec<Option<Bytes>>,
}

impl Rows {
    /// Rows of what is read.
    pub(super) fn new(reading: &Reading) -> Self {
        Self { runs: RunBuilder::of(&reading.schema()), ..Self::default() }
    }

    /// How many samples there are, histograms by their weight.
    pub(super) fn samples(&self) -> usize {
        self.floats.len() + self.runs.weight()
    }

    /// Decodes a chunk of a series; without samples in the range it makes no row.
    pub(super) fn push(
        &mut self,
        series: u32,
        chunk: &EncodedChunk,
        reading: &Reading,
    ) -> Result<()> {
        let before = self.floats.len();
        let key = self.decode(chunk, reading)?;
        let mut length = self.floats.len() - before;
        if reading.histograms || reading.starts {
            length = self.hand_over(series)?;
        }
        if length > 0 {
            let bounds = both(chunk.range, reading.window);
            self.series.push(series);
            self.lengths.push(length);
            self.min.push(bounds.min);
            self.max.push(bounds.max);
            self.encodings.push(chunk.encoding.byte());
            self.keys.push(key.filter(|_| reading.with_key));
        }
        Ok(())
    }

    /// Makes the samples of the chunk in hand a row beside those of histograms; returns how many they
    /// are.
    fn hand_over(&mut self, series: u32) -> Result<usize> {
        let length = self.floats.len() + self.histograms.len();
        if self.histograms.is_empty() {
            self.runs.floats(series, self.floats.ts(), self.floats.values());
            self.runs.starts(self.floats.starts().unwrap_or_default());
        } else {
            let histograms = self.histograms.samples.iter().map(Histogram::parts);
            self.runs.histograms(series, &self.histograms.ts, histograms)?;
            self.runs.starts(self.histograms.starts().unwrap_or_default());
        }
        self.runs.end_row();
        self.floats.clear();
        self.histograms.clear();
        Ok(length)
    }

    /// Appends the samples of a chunk of native histograms.
    fn decode_histograms(&mut self, chunk: &EncodedChunk, cut: TimeRange) -> Result<()> {
        let before = self.histograms.len();
        self.histograms.decode(chunk.encoding, &chunk.bytes)?;
        let ts = &self.histograms.ts[before..];
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return Ok(()) };
        if first < chunk.range.min || last > chunk.range.max {
            self.histograms.truncate(before);
            return Err(outside(first, last, chunk));
        }
        if first < cut.min || last > cut.max {
            self.histograms.retain(before, |ts| cut.contains(ts));
        }
        Ok(())
    }

    /// Appends the samples of `chunk`, and returns the bytes that order it among others; samples
    /// outside of the chunk's own bounds are damage, because what does not overlap was decided by them.
    fn decode(&mut self, chunk: &EncodedChunk, reading: &Reading) -> Result<Option<Bytes>> {
        let before = self.floats.len();
        let mut key = None;
        let mut from = chunk.range.min;
        if chunk.encoding == Encoding::Aggregates {
            let chunks = AggregateChunks::parse(&chunk.bytes)?;
            self.downsampled.decode(reading.value, &chunks, &mut self.floats)?;
            if reading.value == AggregateValue::Of(Aggregate::Counter) {
                // Its first sample was scraped inside the first window, whose end is the bound.
                from = i64::MIN;
            }
            if reading.with_key {
                key = Some(ordering_bytes(reading.value, &chunks));
            }
        } else if chunk.encoding.is_float() {
            self.floats.decode(chunk.encoding, &chunk.bytes)?;
            key = Some(chunk.bytes.clone());
        } else {
            self.decode_histograms(chunk, reading.cut)?;
            return Ok(Some(chunk.bytes.clone()));
        }
        let ts = &self.floats.ts()[before..];
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return Ok(None) };
        if first < from || last > chunk.range.max {
            self.floats.truncate(before);
            return Err(outside(first, last, chunk));
        }
        let cut = reading.cut;
        if first < cut.min || last > cut.max {
            self.floats.retain(before, |ts| cut.contains(ts));
        }
        Ok(key)
    }

    /// The rows as a batch, none if there is no row.
    pub(super) fn take(&mut self, reading: &Reading) -> Result<Option<RecordBatch>> {
        if self.series.is_empty() {
            self.floats.clear();
            return Ok(None);
        }
        let series = std::mem::take(&mut self.series);
        let lengths = std::mem::take(&mut self.lengths);
        let mut columns = match self.runs.finish()? {
            Some(runs) => runs.columns().to_vec(),
            None => self.float_columns(series, &lengths)?,
        };
        let keys: BinaryArray = self.keys.iter().map(|key| key.as_deref()).collect();
        self.keys.clear();
        columns.push(Arc::new(Int64Array::from(std::mem::take(&mut self.min))));
        columns.push(Arc::new(Int64Array::from(std::mem::take(&mut self.max))));
        columns.push(Arc::new(UInt8Array::from(std::mem::take(&mut self.encodings))));
        columns.push(Arc::new(keys));
        RecordBatch::try_new(reading.schema(), columns)
            .map(Some)
            .map_err(|e| Error::internal(format!("decoded chunks: {e}")))
    }

    /// The columns of runs that are all floats.
    fn float_columns(&mut self, series: Vec<u32>, lengths: &[usize]) -> Result<Vec<ArrayRef>> {
        let ts: ArrayRef = Arc::new(Int64Array::from(self.floats.ts().to_vec()));
        let values: ArrayRef = Arc::new(Float64Array::from(self.floats.values().to_vec()));
        self.floats.clear();
        Ok(vec![
            Arc::new(UInt32Array::from(series)),
            list(DataType::Int64, lengths, ts, None)?,
            list(DataType::Float64, lengths, values, None)?,
        ])
    }
}

/// Samples outside of their chunk's bounds.
fn outside(first: i64, last: i64, chunk: &EncodedChunk) -> Error {
    let TimeRange { min, max } = chunk.range;
    Error::corrupt(format!("samples from {first} to {last} in a chunk from {min} to {max}"))
}

/// What Thanos compares of aggregate chunks with equal times (`AggrChunk.Compare`): the data of the
/// aggregates that were asked for, one after the other. (No XOR chunk is the beginning of another of
/// as many samples, so that their border does not matter.)
fn ordering_bytes(value: AggregateValue, chunks: &AggregateChunks) -> Bytes {
    let data = |aggregate| chunks.get(aggregate).map(|(_, data)| data.clone()).unwrap_or_default();
    match value {
        AggregateValue::Of(aggregate) => data(aggregate),
        AggregateValue::Average => [data(Aggregate::Count), data(Aggregate::Sum)].concat().into(),
    }
}
