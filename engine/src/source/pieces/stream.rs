//! The operator: decodes chunks, one row a chunk.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::try_unfold;

use super::rows::{Reading, Rows};
use crate::chunk::Encoding;
use crate::scan::cut;
use crate::scan::frame::{properties, run_operator};
use crate::scan::located::BATCH_SAMPLES;
use crate::source::{ChunkParts, EncodedChunk, Roster, SelectOptions};
use crate::{Error, Result};

/// What [`PiecesExec`] decodes.
#[derive(Debug)]
pub(super) struct Pieces {
    origin: String,
    roster: Arc<Roster>,
    chunks: Arc<dyn ChunkParts>,
    partitions: Vec<Range<u32>>,
    reading: Reading,
}

impl Pieces {
    pub(super) fn new(
        origin: String,
        roster: Arc<Roster>,
        chunks: Arc<dyn ChunkParts>,
        reading: Reading,
        options: &SelectOptions,
    ) -> Self {
        let partitions = cut(roster.len(), |at| roster.samples(at), options.partitions);
        Self { origin, roster, chunks, partitions, reading }
    }
}

/// Decodes the chunks of an answer in roster order.
#[derive(Debug)]
pub struct PiecesExec {
    pieces: Arc<Pieces>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl PiecesExec {
    pub(super) fn new(pieces: Pieces) -> Self {
        let schema = pieces.reading.schema();
        let properties = properties(schema, pieces.partitions.len());
        Self { pieces: Arc::new(pieces), properties, metrics: ExecutionPlanMetricsSet::new() }
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
        write!(f, "PiecesExec: from={}, series={}", self.pieces.origin, self.pieces.roster.len())
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
        let left = self.pieces.partitions.get(partition).cloned().unwrap_or(0..0);
        let memory =
            MemoryConsumer::new(format!("PiecesExec[{partition}]")).register(context.memory_pool());
        let held = self.pieces.chunks.held() / self.pieces.partitions.len().max(1);
        memory.try_grow(held)?;
        let decoding = Decoding {
            pieces: Arc::clone(&self.pieces),
            left,
            read: VecDeque::new(),
            rows: Rows::default(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            held,
            memory,
        };
        let batches = try_unfold(decoding, |mut decoding| async {
            let batch = decoding.next_batch().await.map_err(DataFusionError::from)?;
            Ok(batch.map(|batch| (batch, decoding)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

struct Decoding {
    pieces: Arc<Pieces>,
    /// Series whose chunks are not read yet.
    left: Range<u32>,
    /// The chunks that are read, and not decoded yet.
    read: VecDeque<(u32, EncodedChunk)>,
    rows: Rows,
    metrics: BaselineMetrics,
    /// The bytes of all chunks of the partition, if they are in memory.
    held: usize,
    memory: MemoryReservation,
}

impl Decoding {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.decode()?;
            if self.rows.samples() >= BATCH_SAMPLES || self.left.is_empty() {
                break;
            }
            self.read_part().await?;
        }
        let batch = self.rows.take(&self.pieces.reading)?;
        self.metrics.record_output(batch.as_ref().map_or(0, RecordBatch::num_rows));
        Ok(batch)
    }

    /// Reads the chunks of as many series as make a batch, of one at least.
    async fn read_part(&mut self) -> Result<()> {
        let first = self.left.start;
        let mut samples = 0;
        while self.left.start < self.left.end && samples < BATCH_SAMPLES as u64 {
            samples += self.pieces.roster.samples(self.left.start as usize);
            self.left.start += 1;
        }
        let series: Vec<u32> = (first..self.left.start).collect();
        let chunks = self.pieces.chunks.part(&series).await?;
        let bytes: usize = chunks.iter().flatten().map(|chunk| chunk.bytes.len()).sum();
        // What stays in memory anyway is accounted for already.
        let held = if self.held > 0 { self.held } else { bytes };
        self.memory.try_resize(held).map_err(Error::from)?;
        for (series, chunks) in series.into_iter().zip(chunks) {
            if let Some(pair) = chunks.windows(2).find(|p| p[0].range.max >= p[1].range.min) {
                let error = Error::corrupt("it overlaps the one before");
                return Err(self.blame(series, &pair[1], error));
            }
            self.read.extend(chunks.into_iter().map(|chunk| (series, chunk)));
        }
        Ok(())
    }

    /// Decodes what is read, up to the samples of a batch.
    fn decode(&mut self) -> Result<()> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        while self.rows.samples() < BATCH_SAMPLES
            && let Some((series, chunk)) = self.read.pop_front()
        {
            let reading = &self.pieces.reading;
            let histogram = reading.histograms && chunk.encoding != Encoding::Aggregates;
            if !histogram && !chunk.is_float() {
                let labels = self.pieces.roster.labels(series as usize);
                let message = format!("{}: native histograms of {labels}", self.pieces.origin);
                return Err(Error::unsupported(message));
            }
            if let Err(error) = self.rows.push(series, &chunk, reading) {
                return Err(self.blame(series, &chunk, error));
            }
        }
        Ok(())
    }

    fn blame(&self, series: u32, chunk: &EncodedChunk, error: Error) -> Error {
        let Pieces { origin, roster, chunks, .. } = self.pieces.as_ref();
        let (labels, range) = (roster.labels(series as usize), chunk.range);
        let place = format!("{origin}: series {labels}: chunk from {} to {}", range.min, range.max);
        chunks.damaged(Error::corrupt(format!("{place}: {}", error.message())))
    }
}
