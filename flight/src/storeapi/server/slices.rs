//! Reading some series of a roster and encoding their samples.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use engine::model::TimeRange;
use engine::{Error, Result};
use futures::StreamExt;
use tokio::task::JoinSet;

use super::chunks::{ChunkWriter, Chunks};

/// Runs a plan of `series` series to its end, each partition on its own task. Out come the chunks of
/// each that overlap `range`.
pub(super) async fn read(
    plan: Arc<dyn ExecutionPlan>,
    series: usize,
    range: TimeRange,
    context: Arc<TaskContext>,
) -> Result<Vec<Chunks>> {
    let mut partitions = JoinSet::new();
    for partition in 0..plan.properties().partitioning.partition_count() {
        let (plan, context) = (Arc::clone(&plan), Arc::clone(&context));
        partitions.spawn(async move {
            let mut batches = plan.execute(partition, context)?;
            let mut encoding =
                Encoding { writer: ChunkWriter::new(range), series: None, done: Vec::new() };
            while let Some(batch) = batches.next().await {
                encoding.push(&batch?)?;
            }
            Ok::<_, Error>(encoding.finish())
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
}

impl Encoding {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let wrong = || Error::internal("a batch that is no run batch");
        if batch.num_columns() != 3 {
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
                self.close();
                self.series = Some(series);
            }
            let ts = &all_ts[ts_ends[row] as usize..ts_ends[row + 1] as usize];
            let values = &all_values[value_ends[row] as usize..value_ends[row + 1] as usize];
            if ts.len() != values.len() {
                return Err(wrong());
            }
            // The last row of a batch may go on in the next.
            let more = ids.values().get(row + 1).is_none_or(|&next| next == series);
            self.writer.add(ts, values, more);
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(series) = self.series.take() {
            let chunks = self.writer.finish();
            if !chunks.is_empty() {
                self.done.push((series, chunks));
            }
        }
    }

    fn finish(mut self) -> Vec<(u32, Chunks)> {
        self.close();
        self.done
    }
}
