//! The operator around the rules.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::algo::{Pick, Replica, lanes, pick};
use super::follow::follow;
use super::replica::Runs;
use crate::Result;
use crate::merge::Passing;
use crate::scan::ScanPlan;
use crate::scan::frame::{Rearrange, drive, properties, run_operator};
use crate::scan::group::{Group, Grouper};
use crate::scan::located::{BATCH_SAMPLES, Located, LocatedBuilder, located_schema};
use crate::source::DedupFunc;

/// Makes the replicas of a series one.
#[derive(Debug)]
pub struct DedupExec {
    plan: Arc<ScanPlan>,
    func: DedupFunc,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl DedupExec {
    pub(crate) fn new(plan: Arc<ScanPlan>, func: DedupFunc, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = properties(located_schema(), plan.partitions().len());
        Self { plan, func, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(Arc::clone(&self.plan), self.func, children.swap_remove(0))))
    }

    /// Whether overlapping pieces of a replica come unmerged.
    fn deals(&self) -> bool {
        self.func == DedupFunc::Penalty && self.plan.overlaps
    }
}

impl DisplayAs for DedupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let func = match self.func {
            DedupFunc::Coverage => "coverage",
            DedupFunc::Penalty => "penalty",
            DedupFunc::Chain => "chain",
        };
        write!(f, "DedupExec: func={func}, replicated={}", self.plan.replicated)?;
        if self.plan.follows() { write!(f, ", others=where the first has holes") } else { Ok(()) }
    }
}

impl ExecutionPlan for DedupExec {
    run_operator!("DedupExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        if self.plan.follows() {
            return Ok(follow(&self.plan, input, &self.metrics, partition, &context)?);
        }
        let work: Box<dyn Rearrange> = if self.plan.replicated || self.deals() {
            Box::new(Deduplicating {
                func: self.func,
                deals: self.deals(),
                series: Grouper::default(),
                picks: Vec::new(),
                batch: LocatedBuilder::default(),
                ready: VecDeque::new(),
            })
        } else {
            Box::new(Passing::default())
        };
        Ok(drive("DedupExec", work, input, &self.metrics, partition, &context))
    }
}

struct Deduplicating {
    func: DedupFunc,
    deals: bool,
    series: Grouper,
    picks: Vec<Pick>,
    batch: LocatedBuilder,
    ready: VecDeque<RecordBatch>,
}

impl Deduplicating {
    fn series(&mut self, group: &Group) -> Result<()> {
        let batches = group.batches()?;
        if self.batch.samples() > 0 && self.batch.samples() + group.samples() > BATCH_SAMPLES {
            self.ready.extend(self.batch.finish()?);
        }
        let runs: Vec<(usize, usize)> = group.runs().collect();
        let replica = |&(batch, at): &(usize, usize)| batches[batch].replica[at];
        let mut replicas: Vec<Runs<'_>> = Vec::new();
        for of_replica in runs.chunk_by(|a, b| replica(a) == replica(b)) {
            if self.deals {
                for lane in deal(&batches, of_replica) {
                    replicas.push(Runs::new(&batches, lane));
                }
            } else {
                replicas.push(Runs::new(&batches, of_replica.to_vec()));
            }
        }
        self.picks.clear();
        let slices: Vec<Replica<'_>> = replicas.iter().map(Runs::replica).collect();
        pick(self.func, &slices, &mut self.picks);
        for p in &self.picks {
            replicas[p.replica].copy(&batches, p.start, p.end, p.settle, &mut self.batch);
        }
        Ok(())
    }
}

/// Deals the runs of a replica to lanes in which they do not overlap.
fn deal(batches: &[Located<'_>], runs: &[(usize, usize)]) -> Vec<Vec<(usize, usize)>> {
    let ends = |&(batch, at): &(usize, usize)| {
        let ts = batches[batch].ts(at);
        (ts.first().copied().unwrap_or(0), ts.last().copied().unwrap_or(0))
    };
    let mut sorted = runs.to_vec();
    sorted.sort_by_key(ends);
    let mut dealt: Vec<Vec<(usize, usize)>> = Vec::new();
    for (run, lane) in sorted.iter().zip(lanes(sorted.iter().map(ends))) {
        if lane == dealt.len() {
            dealt.push(Vec::new());
        }
        dealt[lane].push(*run);
    }
    dealt
}

impl Rearrange for Deduplicating {
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
