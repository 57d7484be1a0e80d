//! The operator around the merge.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::algo::{Sorted, Taken, merge};
use crate::Result;
use crate::block::BlockId;
use crate::scan::ScanPlan;
use crate::scan::frame::{Rearrange, drive, properties, run_operator};
use crate::scan::group::{Group, Grouper};
use crate::scan::located::{BATCH_SAMPLES, Located, LocatedBuilder, located_schema};
use crate::source::DedupFunc;

/// Merges the runs of one series and replica where blocks overlap.
#[derive(Debug)]
pub struct MergeExec {
    plan: Arc<ScanPlan>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl MergeExec {
    pub(crate) fn new(plan: Arc<ScanPlan>, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = properties(located_schema(), plan.partitions().len());
        Self { plan, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(Arc::clone(&self.plan), children.swap_remove(0))))
    }

    fn merges(&self) -> bool {
        self.plan.mixed || (self.plan.overlaps && !keeps_pieces(&self.plan))
    }
}

impl DisplayAs for MergeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overlaps = if self.merges() { "merge" } else { "none" };
        write!(f, "MergeExec: overlaps={overlaps}")
    }
}

impl ExecutionPlan for MergeExec {
    run_operator!("MergeExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let work: Box<dyn Rearrange> = if self.merges() {
            Box::new(Merging::new(&self.plan))
        } else {
            Box::new(Passing::default())
        };
        Ok(drive("MergeExec", work, input, &self.metrics, partition, &context))
    }
}

/// Nothing to do.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    batch: Option<RecordBatch>,
}

impl Rearrange for Passing {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.batch = Some(batch);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.batch.take())
    }

    fn held(&self) -> usize {
        0
    }
}

/// Whether overlapping blocks stay apart.
fn keeps_pieces(plan: &ScanPlan) -> bool {
    plan.settings.dedup == Some(DedupFunc::Penalty)
}

struct Merging {
    /// For each file: which block it belongs to, if blocks stay apart.
    blocks: Option<Vec<BlockId>>,
    /// For each file: which wins on equal timestamps.
    ranks: Vec<u32>,
    series: Grouper,
    taken: Vec<Taken>,
    batch: LocatedBuilder,
    ready: VecDeque<RecordBatch>,
}

impl Merging {
    fn new(plan: &ScanPlan) -> Self {
        let mut order: Vec<usize> = (0..plan.files.len()).collect();
        order.sort_by_key(|&at| {
            let meta = &plan.files[at].open.block.meta;
            (meta.compaction.level, meta.ulid)
        });
        let mut ranks = vec![0; order.len()];
        for (rank, file) in order.into_iter().enumerate() {
            ranks[file] = rank as u32;
        }
        let blocks = keeps_pieces(plan)
            .then(|| plan.files.iter().map(|file| file.open.block.meta.ulid).collect());
        Self {
            blocks,
            ranks,
            series: Grouper::default(),
            taken: Vec::new(),
            batch: LocatedBuilder::default(),
            ready: VecDeque::new(),
        }
    }

    /// One series: the runs of each of its replicas are merged.
    fn series(&mut self, group: &Group) -> Result<()> {
        let batches = group.batches()?;
        let runs: Vec<(usize, usize)> = group.runs().collect();
        if self.batch.samples() > 0 && self.batch.samples() + group.samples() > BATCH_SAMPLES {
            self.ready.extend(self.batch.finish()?);
        }
        let replica = |&(batch, at): &(usize, usize)| batches[batch].replica[at];
        for of_replica in runs.chunk_by(|a, b| replica(a) == replica(b)) {
            let Some(blocks) = self.blocks.take() else {
                self.replica(&batches, of_replica);
                continue;
            };
            // Only the floats and the histograms of one block are merged.
            let block = |&(batch, at): &(usize, usize)| blocks[batches[batch].file[at] as usize];
            for of_block in of_replica.chunk_by(|a, b| block(a) == block(b)) {
                self.replica(&batches, of_block);
            }
            self.blocks = Some(blocks);
        }
        Ok(())
    }

    fn replica(&mut self, batches: &[Located<'_>], runs: &[(usize, usize)]) {
        let sorted: Vec<Sorted<'_>> = runs
            .iter()
            .map(|&(batch, at)| {
                let file = batches[batch].file[at] as usize;
                Sorted { ts: batches[batch].ts(at), rank: self.ranks[file] }
            })
            .collect();
        merge(&sorted, &mut self.taken);
        for taken in &self.taken {
            let (batch, at) = runs[taken.run];
            let settle = batches[batch].settle[at];
            self.batch.copy(&batches[batch], at, taken.start, taken.end, settle);
        }
    }
}

impl Rearrange for Merging {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        for group in self.series.push(batch)? {
            self.series(&group)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if let Some(group) = self.series.end() {
            self.series(&group)?;
        }
        self.ready.extend(self.batch.finish()?);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.pop_front())
    }

    fn held(&self) -> usize {
        self.series.held() + self.batch.samples() * size_of::<i64>()
    }
}
