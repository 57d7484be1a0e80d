//! Reading some of an answer's series, as chunks.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::ExecutionPlan;
use engine::model::TimeRange;
use engine::source::{ChunkParts, EncodedChunk, Parts, RunParts, SourceParts, histograms_of};
use engine::{Error, Result};
use futures::StreamExt;
use futures::future::try_join_all;
use tokio::task::JoinSet;

use super::chunks::{ChunkWriter, Chunks};
use super::roster::Member;

/// One source of an answer.
#[derive(Debug)]
pub(super) enum Reader {
    /// Its samples are read and encoded.
    Runs(Arc<dyn RunParts>),
    /// Its chunks are sent on as they are kept.
    Kept(Arc<dyn ChunkParts>),
    /// All of them are read already, in the roster's order.
    Read(Vec<Chunks>),
}

/// The chunks of one series.
#[derive(Debug)]
pub(super) enum SeriesChunks {
    Written(Chunks),
    Kept(Vec<EncodedChunk>),
}

impl Reader {
    /// Of a source that cannot be read in parts, all is read at once.
    pub(super) async fn new(
        source: &SourceParts,
        range: TimeRange,
        context: &Arc<TaskContext>,
    ) -> Result<Self> {
        Ok(match &source.samples {
            Parts::Runs(runs) => Self::Runs(Arc::clone(runs)),
            Parts::Chunks(chunks) => Self::Kept(Arc::clone(chunks)),
            Parts::Whole(plan) => {
                let (plan, context) = (Arc::clone(plan), Arc::clone(context));
                Self::Read(encode(plan, source.roster.len(), range, context, None).await?)
            }
        })
    }

    /// The chunks of each of `series`, ascending.
    async fn read(
        &self,
        series: &[u32],
        range: TimeRange,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<SeriesChunks>> {
        match self {
            Self::Runs(runs) => {
                let plan = runs.part(series)?;
                let all = encode(plan, series.len(), range, Arc::clone(context), None).await?;
                Ok(all.into_iter().map(SeriesChunks::Written).collect())
            }
            Self::Kept(chunks) => {
                Ok(chunks.part(series).await?.into_iter().map(SeriesChunks::Kept).collect())
            }
            Self::Read(all) => {
                let of = |&at: &u32| SeriesChunks::Written(all[at as usize].clone());
                Ok(series.iter().map(of).collect())
            }
        }
    }
}

/// The chunks of each of `members`, in their order, read from all sources at once.
pub(super) async fn read(
    readers: &[Reader],
    members: &[Member],
    range: TimeRange,
    context: &Arc<TaskContext>,
) -> Result<Vec<SeriesChunks>> {
    let mut wanted: Vec<Vec<(u32, usize)>> = vec![Vec::new(); readers.len()];
    for (place, member) in members.iter().enumerate() {
        wanted[member.source as usize].push((member.at, place));
    }
    let reads = readers.iter().zip(&mut wanted).filter(|(_, wanted)| !wanted.is_empty());
    let reads = reads.map(|(reader, wanted)| async move {
        wanted.sort_unstable();
        let series: Vec<u32> = wanted.iter().map(|&(at, _)| at).collect();
        let chunks = reader.read(&series, range, context).await?;
        if chunks.len() != wanted.len() {
            let message = format!("chunks of {} series, not {}", chunks.len(), wanted.len());
            return Err(Error::internal(message));
        }
        Ok(wanted.iter().map(|&(_, place)| place).zip(chunks).collect::<Vec<_>>())
    });
    let mut all: Vec<SeriesChunks> = Vec::new();
    all.resize_with(members.len(), || SeriesChunks::Kept(Vec::new()));
    for (place, chunks) in try_join_all(reads).await?.into_iter().flatten() {
        all[place] = chunks;
    }
    Ok(all)
}

/// Runs a plan of `series` series to its end, each partition on its own task. Out come the chunks of
/// each that overlap `range`; they count in `memory`, if that is given.
pub(crate) async fn encode(
    plan: Arc<dyn ExecutionPlan>,
    series: usize,
    range: TimeRange,
    context: Arc<TaskContext>,
    memory: Option<Arc<MemoryReservation>>,
) -> Result<Vec<Chunks>> {
    let mut partitions = JoinSet::new();
    for partition in 0..plan.properties().partitioning.partition_count() {
        let (plan, context) = (Arc::clone(&plan), Arc::clone(&context));
        let memory = memory.clone();
        partitions.spawn(async move {
            let mut batches = plan.execute(partition, context)?;
            let writer = ChunkWriter::new(range);
            let mut encoding = Encoding { writer, series: None, done: Vec::new(), memory };
            while let Some(batch) = batches.next().await {
                encoding.push(&batch?)?;
            }
            encoding.finish()
        });
    }
    let mut all = vec![Chunks::default(); series];
    while let Some(done) = partitions.join_next().await {
        let encoded =
            done.map_err(|error| Error::internal(format!("encode samples: {error}")))??;
        for (at, chunks) in encoded {
            match all.get_mut(at as usize) {
                Some(slot) => *slot = chunks,
                None => return Err(Error::internal(format!("no series {at} was asked for"))),
            }
        }
    }
    Ok(all)
}

/// Makes chunks of the run batches of a partition.
#[derive(Debug)]
struct Encoding {
    writer: ChunkWriter,
    series: Option<u32>,
    done: Vec<(u32, Chunks)>,
    memory: Option<Arc<MemoryReservation>>,
}

impl Encoding {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let wrong = || Error::internal("a batch that is no run batch");
        let histograms = histograms_of(batch)?;
        if batch.num_columns() != 3 + usize::from(histograms.is_some()) {
            return Err(wrong());
        }
        let ids = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let ts = batch.column(1).as_list_opt::<i32>().ok_or_else(wrong)?;
        let values = batch.column(2).as_list_opt::<i32>().ok_or_else(wrong)?;
        let all_ts = ts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values();
        let all_values = values.values().as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
        let all_values = all_values.values();
        let (ts_ends, value_ends) = (ts.value_offsets(), values.value_offsets());
        for (row, &series) in ids.values().iter().enumerate() {
            if self.series != Some(series) {
                self.close()?;
                self.series = Some(series);
            }
            let ts = &all_ts[ts_ends[row] as usize..ts_ends[row + 1] as usize];
            // The last row of a batch may go on in the next.
            let more = ids.values().get(row + 1).is_none_or(|&next| next == series);
            if let Some((lists, all)) = histograms.filter(|(lists, _)| lists.is_valid(row)) {
                let from = lists.value_offsets()[row] as usize;
                if lists.value_length(row) as usize != ts.len() {
                    return Err(wrong());
                }
                self.writer.histograms(ts, all.slice(from, ts.len()), more)?;
                continue;
            }
            let values = &all_values[value_ends[row] as usize..value_ends[row + 1] as usize];
            if ts.len() != values.len() {
                return Err(wrong());
            }
            self.writer.floats(ts, values, more)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(series) = self.series.take() {
            let chunks = self.writer.finish()?;
            if !chunks.is_empty() {
                if let Some(memory) = &self.memory {
                    memory.try_grow(chunks.bytes())?;
                }
                self.done.push((series, chunks));
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<(u32, Chunks)>> {
        self.close()?;
        Ok(self.done)
    }
}
