//! The children's runs: read ahead on their own tasks, and kept until their series is merged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use arrow::array::{
    Array, AsArray, BinaryArray, Int64Array, ListArray, RecordBatch, StructArray, UInt8Array,
};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;

use super::algo::{Chunk, Histograms, Piece};
use super::union::Place;
use crate::block::histogram::HistogramColumns;
use crate::source::pieces::column;
use crate::source::{histograms_of, starts_of};
use crate::{Error, Result};

/// How many batches of a partition are read ahead.
const AHEAD: usize = 2;

/// A batch of a child, counted while any of its rows is kept.
#[derive(Debug)]
struct Batch {
    ts: ListArray,
    value: ListArray,
    /// Native histograms, where the child may have some.
    histogram: Option<(ListArray, StructArray)>,
    /// Start timestamps, where the child may have some.
    starts: Option<ListArray>,
    /// The chunks that the rows came from, where the child tells them.
    chunks: Option<Chunks>,
    source: u32,
    bytes: usize,
    held: Arc<AtomicUsize>,
}

/// The columns of [`piece_schema`](crate::source::pieces::piece_schema) about chunks.
#[derive(Debug)]
struct Chunks {
    min: Int64Array,
    max: Int64Array,
    encoding: UInt8Array,
    key: BinaryArray,
}

impl Chunks {
    fn of(batch: &RecordBatch) -> Option<Self> {
        let column = |name| batch.column_by_name(name);
        Some(Self {
            min: column(column::MIN)?.as_primitive_opt()?.clone(),
            max: column(column::MAX)?.as_primitive_opt()?.clone(),
            encoding: column(column::ENCODING)?.as_primitive_opt()?.clone(),
            key: column(column::KEY)?.as_binary_opt()?.clone(),
        })
    }

    fn bounds(&self, at: usize) -> (i64, i64) {
        (self.min.value(at), self.max.value(at))
    }

    fn chunk(&self, at: usize) -> Chunk<'_> {
        let key = self.key.is_valid(at).then(|| self.key.value(at));
        Chunk { encoding: self.encoding.value(at), key }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A row of a child's batch.
#[derive(Debug)]
pub(super) struct Row {
    batch: Arc<Batch>,
    at: usize,
    replica: u32,
}

impl Row {
    /// The row as slices; none if it has no samples.
    pub(super) fn piece(&self) -> Result<Option<Piece<'_>>> {
        let wrong = || Error::internal("a batch that is no run batch");
        let cut = |list: &ListArray| {
            let offsets = list.value_offsets();
            offsets[self.at] as usize..offsets[self.at + 1] as usize
        };
        let all = self.batch.ts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
        let ts = &all.values()[cut(&self.batch.ts)];
        let histograms = self.batch.histogram.as_ref().filter(|(list, _)| list.is_valid(self.at));
        let histograms = histograms.map(|(list, all)| (cut(list), all));
        let values = if let Some((place, all)) = &histograms {
            Some(&HistogramColumns::of(all)?.sums()[place.clone()])
        } else if self.batch.value.is_null(self.at) {
            None
        } else {
            let all = self.batch.value.values();
            let all = all.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            Some(&all.values()[cut(&self.batch.value)])
        };
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return Ok(None) };
        if values.is_some_and(|values| values.len() != ts.len()) {
            return Err(Error::internal("a run has other numbers of values and times"));
        }
        let starts = match &self.batch.starts {
            Some(list) => {
                let all = list.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
                Some(&all.values()[cut(list)])
            }
            None => None,
        };
        if starts.is_some_and(|starts| starts.len() != ts.len()) {
            return Err(Error::internal("a run has other numbers of start timestamps and times"));
        }
        let chunks = self.batch.chunks.as_ref();
        let (min, max) = chunks.map_or((first, last), |chunks| chunks.bounds(self.at));
        let chunk = chunks.map(|chunks| chunks.chunk(self.at));
        let (replica, source) = (self.replica, self.batch.source);
        let histograms = histograms.map(|(place, all)| Histograms { all, from: place.start });
        Ok(Some(Piece { replica, source, min, max, chunk, ts, values, histograms, starts }))
    }
}

/// The rows of each series of the union that have been read and not merged yet.
#[derive(Debug)]
pub(super) struct Stash {
    rows: Vec<Vec<Row>>,
    held: Arc<AtomicUsize>,
}

impl Stash {
    pub(super) fn new(series: usize) -> Self {
        Self { rows: (0..series).map(|_| Vec::new()).collect(), held: Arc::default() }
    }

    /// The rows of a series.
    pub(super) fn take(&mut self, series: usize) -> Vec<Row> {
        std::mem::take(&mut self.rows[series])
    }

    /// Bytes of the batches that are kept.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// The runs of one child.
pub(super) struct Input {
    source: u32,
    name: String,
    partitions: VecDeque<SendableRecordBatchStream>,
    /// All of the child's series below are complete.
    passed: u32,
}

impl Input {
    pub(super) fn new(
        source: u32,
        name: &str,
        plan: &Arc<dyn ExecutionPlan>,
        context: &Arc<TaskContext>,
    ) -> DfResult<Self> {
        let partitions = plan.properties().partitioning.partition_count();
        let streams = (0..partitions).map(|partition| {
            let mut stream = plan.execute(partition, Arc::clone(context))?;
            let mut ahead = RecordBatchReceiverStream::builder(plan.schema(), AHEAD);
            let sender = ahead.tx();
            ahead.spawn(async move {
                while let Some(batch) = stream.next().await {
                    if sender.send(batch).await.is_err() {
                        break; // Nobody reads on.
                    }
                }
                Ok(())
            });
            Ok(ahead.build())
        });
        let partitions = streams.collect::<DfResult<_>>()?;
        Ok(Self { source, name: name.to_owned(), partitions, passed: 0 })
    }

    /// Reads until all series of the child below `until` are complete.
    pub(super) fn poll_passed(
        &mut self,
        until: u32,
        place: &Place,
        stash: &mut Stash,
        context: &mut Context<'_>,
    ) -> Poll<DfResult<()>> {
        while self.passed < until {
            let Some(stream) = self.partitions.front_mut() else {
                self.passed = u32::MAX;
                break;
            };
            match ready!(stream.poll_next_unpin(context)).transpose()? {
                Some(batch) => self.push(&batch, place, stash)?,
                None => drop(self.partitions.pop_front()),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn push(&mut self, batch: &RecordBatch, place: &Place, stash: &mut Stash) -> Result<()> {
        let wrong = || Error::internal(format!("{}: a batch that is no run batch", self.name));
        if batch.num_columns() < 3 {
            return Err(wrong());
        }
        let list = |at: usize| batch.column(at).as_list_opt::<i32>().cloned().ok_or_else(wrong);
        let series = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let histogram = histograms_of(batch)?.map(|(list, all)| (list.clone(), all.clone()));
        let starts = starts_of(batch)?.map(|(list, _)| list.clone());
        let bytes = batch.get_array_memory_size();
        stash.held.fetch_add(bytes, Ordering::Relaxed);
        let kept = Arc::new(Batch {
            ts: list(1)?,
            value: list(2)?,
            histogram,
            starts,
            chunks: Chunks::of(batch),
            source: self.source,
            bytes,
            held: Arc::clone(&stash.held),
        });
        for (at, &id) in series.values().iter().enumerate() {
            let of_child = id as usize;
            let (Some(&union), Some(&replica)) =
                (place.union_of.get(of_child), place.replica_of.get(of_child))
            else {
                return Err(Error::internal(format!("{}: no series {id}", self.name)));
            };
            if id < self.passed {
                let message = format!("{}: series {id} after {}", self.name, self.passed);
                return Err(Error::internal(message));
            }
            self.passed = id;
            stash.rows[union as usize].push(Row { batch: Arc::clone(&kept), at, replica });
        }
        Ok(())
    }
}
