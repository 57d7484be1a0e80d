//! The operator: decodes chunks, one row a chunk.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::Stream;

use super::rows::Rows;
use super::{Member, Pieces, piece_schema};
use crate::scan::frame::{properties, run_operator};
use crate::scan::located::BATCH_SAMPLES;
use crate::source::EncodedChunk;
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
        let properties =
            properties(piece_schema(pieces.reading.histograms), pieces.partitions.len());
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
            rows: Rows::default(),
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
    rows: Rows,
    metrics: BaselineMetrics,
    /// The compressed bytes of this partition.
    _memory: MemoryReservation,
}

impl Decoding {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let pieces = Arc::clone(&self.pieces);
        while self.rows.samples() < BATCH_SAMPLES && !self.left.is_empty() {
            let at = self.left.start;
            let member = &pieces.members[at as usize];
            let Some(chunk) = member.chunks.get(self.chunk) else {
                self.left.start += 1;
                self.chunk = 0;
                continue;
            };
            self.chunk += 1;
            if let Err(error) = self.rows.push(at, chunk, &pieces.reading) {
                pieces.damaged.note(chunk);
                self.note_all_damaged();
                return Err(blame(&pieces, member, chunk, error));
            }
        }
        self.rows.take(&pieces.reading)
    }

    /// Finds all damage at once: the next attempt is then the last.
    fn note_all_damaged(&mut self) {
        for at in self.left.clone() {
            for chunk in &self.pieces.members[at as usize].chunks {
                let mut rows = Rows::default();
                if rows.push(at, chunk, &self.pieces.reading).is_err() {
                    self.pieces.damaged.note(chunk);
                }
            }
        }
        self.left = 0..0;
    }
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
        piece_schema(self.pieces.reading.histograms)
    }
}
