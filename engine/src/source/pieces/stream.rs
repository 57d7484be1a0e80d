//! The operator: decodes chunks, one row a chunk.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::Stream;

use super::{Member, Pieces, piece_schema};
use crate::block::histogram::histogram_array;
use crate::chunk::{Floats, Histograms};
use crate::model::TimeRange;
use crate::scan::frame::{properties, run_operator};
use crate::scan::located::{BATCH_SAMPLES, list};
use crate::source::{EncodedChunk, RunBuilder};
use crate::{Error, Result};

/// Decodes the chunks of an answer in roster order.
#[derive(Debug)]
pub struct PiecesExec {
    pieces: Arc<Pieces>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl PiecesExec {
    pub(super) fn new(pieces: Arc<Pieces>) -> Self {
        let properties = properties(piece_schema(pieces.histograms), pieces.partitions.len());
        Self { pieces, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
}

impl DisplayAs for PiecesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks: usize = self.pieces.members.iter().map(|member| member.chunks.len()).sum();
        let (origin, series) = (&self.pieces.origin, self.pieces.members.len());
        write!(f, "PiecesExec: from={origin}, series={series}, chunks={chunks}")
    }
}

impl ExecutionPlan for PiecesExec {
    run_operator!("PiecesExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let members = self.pieces.partitions.get(partition).cloned().unwrap_or(0..0);
        let of_range = members.clone().flat_map(|at| &self.pieces.members[at as usize].chunks);
        let bytes: usize =
            of_range.map(|chunk| chunk.bytes.len() + size_of::<EncodedChunk>()).sum();
        let memory =
            MemoryConsumer::new(format!("PiecesExec[{partition}]")).register(context.memory_pool());
        memory.try_grow(bytes)?;
        Ok(Box::pin(Decoding {
            pieces: Arc::clone(&self.pieces),
            left: members,
            chunk: 0,
            floats: Floats::default(),
            histograms: Histograms::default(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            _memory: memory,
        }))
    }
}

struct Decoding {
    pieces: Arc<Pieces>,
    left: Range<u32>,
    /// The next chunk of the first member left.
    chunk: usize,
    floats: Floats,
    histograms: Histograms,
    metrics: BaselineMetrics,
    /// The compressed bytes of this partition.
    _memory: MemoryReservation,
}

/// The rows of a batch, without their samples.
#[derive(Default)]
struct Rows {
    series: Vec<u32>,
    lengths: Vec<usize>,
    min: Vec<i64>,
    max: Vec<i64>,
}

impl Decoding {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let pieces = Arc::clone(&self.pieces);
        self.floats.clear();
        let mut rows = Rows::default();
        let mut runs = RunBuilder::default();
        while self.floats.len() + runs.weight() < BATCH_SAMPLES && !self.left.is_empty() {
            let at = self.left.start;
            let member = &pieces.members[at as usize];
            let Some(chunk) = member.chunks.get(self.chunk) else {
                self.left.start += 1;
                self.chunk = 0;
                continue;
            };
            self.chunk += 1;
            let before = self.floats.len();
            if let Err(error) = self.decode(chunk) {
                pieces.damaged.note(chunk);
                self.note_all_damaged();
                return Err(blame(&pieces, member, chunk, error));
            }
            let mut length = self.floats.len() - before;
            if pieces.histograms {
                length = self.hand_over(at, &mut runs)?;
            }
            if length > 0 {
                rows.series.push(at);
                rows.lengths.push(length);
                rows.min.push(chunk.range.min);
                rows.max.push(chunk.range.max);
            }
        }
        if rows.series.is_empty() {
            return Ok(None);
        }
        let mut columns = match runs.finish()? {
            Some(runs) => runs.columns().to_vec(),
            None => self.floats(rows.series, &rows.lengths)?,
        };
        columns.push(Arc::new(Int64Array::from(rows.min)));
        columns.push(Arc::new(Int64Array::from(rows.max)));
        RecordBatch::try_new(piece_schema(pieces.histograms), columns)
            .map(Some)
            .map_err(|e| Error::internal(format!("decoded chunks: {e}")))
    }

    /// The columns of the floats of a batch.
    fn floats(&self, series: Vec<u32>, lengths: &[usize]) -> Result<Vec<ArrayRef>> {
        let ts: ArrayRef = Arc::new(Int64Array::from(self.floats.ts().to_vec()));
        let values: ArrayRef = Arc::new(Float64Array::from(self.floats.values().to_vec()));
        Ok(vec![
            Arc::new(UInt32Array::from(series)),
            list(DataType::Int64, lengths, ts, None)?,
            list(DataType::Float64, lengths, values, None)?,
        ])
    }

    /// Appends the samples of a chunk to those of its kind.
    fn decode(&mut self, chunk: &EncodedChunk) -> Result<()> {
        match chunk.encoding.is_float() {
            true => decode(&mut self.floats, chunk, self.pieces.range),
            false => decode_histograms(&mut self.histograms, chunk, self.pieces.range),
        }
    }

    /// Makes the samples of the chunk in hand a row of `runs`; returns how many they are.
    fn hand_over(&mut self, series: u32, runs: &mut RunBuilder) -> Result<usize> {
        let length = self.floats.len() + self.histograms.len();
        if self.histograms.is_empty() {
            runs.floats(series, self.floats.ts(), self.floats.values());
        } else {
            let histograms = histogram_array(&self.histograms.samples)?;
            runs.histograms(series, &self.histograms.ts, histograms);
        }
        runs.end_row();
        self.floats.clear();
        self.histograms.clear();
        Ok(length)
    }

    /// Finds all damage at once: the next attempt is then the last.
    fn note_all_damaged(&mut self) {
        for at in self.left.clone() {
            for chunk in &self.pieces.members[at as usize].chunks {
                let (floats, histograms) = (&mut self.floats, &mut self.histograms);
                floats.clear();
                histograms.clear();
                let decoded = match chunk.encoding.is_float() {
                    true => decode(floats, chunk, self.pieces.range),
                    false => decode_histograms(histograms, chunk, self.pieces.range),
                };
                if decoded.is_err() {
                    self.pieces.damaged.note(chunk);
                }
            }
        }
        self.left = 0..0;
    }
}

/// Appends the samples of `chunk` in `range`; samples outside of the chunk's own bounds are damage,
/// because what does not overlap was decided by them.
fn decode(floats: &mut Floats, chunk: &EncodedChunk, range: TimeRange) -> Result<()> {
    let before = floats.len();
    floats.decode(chunk.encoding, &chunk.bytes)?;
    if reaches_out(&floats.ts()[before..], chunk, range)? {
        floats.retain(before, |ts| range.contains(ts));
    }
    Ok(())
}

/// As [`decode`], of a chunk of native histograms.
fn decode_histograms(
    histograms: &mut Histograms,
    chunk: &EncodedChunk,
    range: TimeRange,
) -> Result<()> {
    let before = histograms.len();
    histograms.decode(chunk.encoding, &chunk.bytes)?;
    if reaches_out(&histograms.ts[before..], chunk, range)? {
        histograms.retain(before, |ts| range.contains(ts));
    }
    Ok(())
}

/// Whether some of a chunk's samples lie outside of `range`.
fn reaches_out(ts: &[i64], chunk: &EncodedChunk, range: TimeRange) -> Result<bool> {
    let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return Ok(false) };
    if first < chunk.range.min || last > chunk.range.max {
        return Err(Error::corrupt(format!(
            "samples from {first} to {last} in a chunk from {} to {}",
            chunk.range.min, chunk.range.max
        )));
    }
    Ok(first < range.min || last > range.max)
}

fn blame(pieces: &Pieces, member: &Member, chunk: &EncodedChunk, error: Error) -> Error {
    Error::corrupt(format!(
        "{}: series {}: chunk from {} to {}: {}",
        pieces.origin,
        member.labels,
        chunk.range.min,
        chunk.range.max,
        error.message()
    ))
}

impl Stream for Decoding {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let time = self.metrics.elapsed_compute().clone();
        let timer = time.timer();
        let batch = self.next_batch().map_err(Into::into).transpose();
        drop(timer);
        self.metrics.record_poll(Poll::Ready(batch))
    }
}

impl RecordBatchStream for Decoding {
    fn schema(&self) -> SchemaRef {
        piece_schema(self.pieces.histograms)
    }
}
