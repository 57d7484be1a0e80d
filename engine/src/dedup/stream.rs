//! The operator around the rules.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::algo::{Pick, Replica, SETTLED, lanes, pick};
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
        write!(f, "DedupExec: func={func}, replicated={}", self.plan.replicated)
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

/// The runs of one replica of a series, in order of time.
#[derive(Debug, Default)]
struct Runs<'a> {
    /// Batch and row of each run.
    runs: Vec<(usize, usize)>,
    /// All timestamps; a copy only if the runs do not lie side by side.
    ts: std::borrow::Cow<'a, [i64]>,
    stale: Vec<u32>,
}

impl<'a> Runs<'a> {
    fn new(batches: &[Located<'a>], runs: Vec<(usize, usize)>) -> Self {
        let side_by_side =
            runs.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1);
        let ts = match (runs.first(), runs.last()) {
            (Some(&(batch, first)), Some(&(_, last))) if side_by_side => {
                let located = batches[batch];
                let from = located.offsets[first] as usize;
                let to = located.offsets[last + 1] as usize;
                (&located.ts[from..to]).into()
            }
            _ => {
                let slices: Vec<&[i64]> =
                    runs.iter().map(|&(batch, at)| batches[batch].ts(at)).collect();
                slices.concat().into()
            }
        };
        let mut stale = Vec::new();
        let mut before = 0;
        for &(batch, at) in &runs {
            stale.extend(batches[batch].stale(at).iter().map(|marker| before + marker));
            before += batches[batch].ts(at).len() as u32;
        }
        Self { runs, ts, stale }
    }

    /// Appends samples `from..to` of the replica to `out`, run by run.
    fn copy(
        &self,
        batches: &[Located<'a>],
        from: usize,
        to: usize,
        settle: i64,
        out: &mut LocatedBuilder,
    ) {
        let mut before = 0;
        let mut settle = settle;
        for &(batch, at) in &self.runs {
            let length = batches[batch].ts(at).len();
            let (low, high) = (from.max(before), to.min(before + length));
            if low < high {
                out.copy(&batches[batch], at, low - before, high - before, settle);
                if settle <= batches[batch].ts(at)[high - before - 1] {
                    settle = SETTLED;
                }
            }
            before += length;
            if before >= to {
                return;
            }
        }
    }
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
        let slices: Vec<Replica<'_>> =
            replicas.iter().map(|r| Replica { ts: &r.ts, stale: &r.stale }).collect();
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
