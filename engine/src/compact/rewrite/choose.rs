//! Which rows of the sources make the result.

use std::iter::Peekable;
use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;

use super::picks::{Picks, Slot};
use super::units::Unit;
use crate::Result;
use crate::block::Run;
use crate::dedup::DedupExec;
use crate::merge::MergeExec;
use crate::scan::located::Located;
use crate::scan::{PickedRun, ScanExec, ScanPlan, Stretch};

/// The time buckets of the result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    pub(super) min_time: i64,
    pub(super) bucket_ms: i64,
}

impl Buckets {
    /// The bucket of `ts`, counted from the block's first.
    pub(super) fn of(self, ts: i64) -> u32 {
        let first = self.min_time.div_euclid(self.bucket_ms);
        (ts.div_euclid(self.bucket_ms) - first) as u32
    }

    /// How many of the ascending `ts` lie in the bucket of the first of them.
    pub(super) fn length(self, ts: &[i64]) -> usize {
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else { return 0 };
        let end = (first.div_euclid(self.bucket_ms) + 1).saturating_mul(self.bucket_ms);
        if last < end { ts.len() } else { ts.partition_point(|&t| t < end) }
    }
}

/// What is chosen of a unit.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The rows that make the result, in the order of a block.
    pub(super) kept: Picks,
    /// All other rows.
    pub(super) left_out: Picks,
}

/// Chooses among the rows of a unit, whose reading is `plan`. Beyond `bytes` what is chosen goes to files
/// in `dir`.
pub(super) async fn choose(
    plan: &Arc<ScanPlan>,
    unit: &Unit,
    buckets: Buckets,
    bytes: usize,
    dir: &Path,
    context: &Arc<TaskContext>,
) -> Result<Chosen> {
    if reads_nothing(plan, buckets) {
        let kept = every_run(plan, unit, buckets, bytes, dir)?;
        return Ok(Chosen { kept, left_out: Picks::new(&dir.join("left-out"), bytes) });
    }
    let mut choosing = Choosing {
        plan,
        unit,
        kept: Picks::new(&dir.join("picks"), bytes),
        left_out: Picks::new(&dir.join("left-out"), bytes),
        series: 0,
        taken: Vec::new(),
    };
    choosing.deduplicated(buckets, context).await?;
    Ok(Chosen { kept: choosing.kept.seal()?, left_out: choosing.left_out.seal()? })
}

/// The operators that choose among the rows of `plan`, in order of the series.
pub(super) fn chosen(plan: &Arc<ScanPlan>) -> Arc<dyn ExecutionPlan> {
    let mut operator: Arc<dyn ExecutionPlan> = Arc::new(ScanExec::new(Arc::clone(plan)));
    operator = Arc::new(MergeExec::new(Arc::clone(plan), operator));
    match plan.settings.dedup {
        Some(func) => Arc::new(DedupExec::new(Arc::clone(plan), func, operator)),
        None => operator,
    }
}

/// All rows of a unit, in the order of a block, as the label index has them.
pub(super) fn every_run(
    plan: &Arc<ScanPlan>,
    unit: &Unit,
    buckets: Buckets,
    bytes: usize,
    dir: &Path,
) -> Result<Picks> {
    let mut kept = Picks::new(&dir.join("picks"), bytes);
    for series in 0..plan.series() as u32 {
        for &piece in plan.pieces(series) {
            for (time, run) in plan.timed_runs(piece) {
                let slot = (unit.metrics[series as usize], buckets.of(time.min));
                let stretch = stretch(piece.file, run);
                kept.push(slot, PickedRun { series, stretch })?;
            }
        }
    }
    kept.seal()
}

/// Whether all rows are chosen, and the label index says where each run belongs.
fn reads_nothing(plan: &ScanPlan, buckets: Buckets) -> bool {
    let fits = |file: u32| {
        let meta = &plan.files[file as usize].open.block.meta;
        buckets.bucket_ms % meta.stoa.bucket_ms.max(1) == 0
    };
    !plan.replicated && !plan.overlaps && (0..plan.files.len() as u32).all(fits)
}

struct Choosing<'a> {
    plan: &'a Arc<ScanPlan>,
    unit: &'a Unit,
    kept: Picks,
    left_out: Picks,
    /// The series in hand, and what was taken of it.
    series: u32,
    taken: Vec<Stretch>,
}

impl Choosing<'_> {
    /// What merge and dedup take.
    async fn deduplicated(&mut self, buckets: Buckets, context: &Arc<TaskContext>) -> Result<()> {
        let mut batches = chosen(self.plan).execute(0, Arc::clone(context))?;
        while let Some(batch) = batches.next().await {
            self.take(&batch?, buckets)?;
        }
        self.end_series(self.plan.series() as u32)
    }

    /// Takes the located runs of a batch.
    fn take(&mut self, batch: &RecordBatch, buckets: Buckets) -> Result<()> {
        let runs = Located::of(batch)?;
        for at in 0..runs.len() {
            let series = runs.series[at];
            self.end_series(series)?;
            let (mut ts, mut start) = (runs.ts(at), runs.row[at] as u64);
            while let Some(&first) = ts.first() {
                let length = buckets.length(ts);
                let stretch = Stretch { file: runs.file[at], start, rows: length as u32 };
                self.kept
                    .push(self.slot(series, buckets.of(first)), PickedRun { series, stretch })?;
                self.taken.push(stretch);
                ts = &ts[length..];
                start += length as u64;
            }
        }
        Ok(())
    }

    /// Ends all series before `next`: what was not taken of them is left out.
    fn end_series(&mut self, next: u32) -> Result<()> {
        while self.series < next {
            let series = self.series;
            self.taken.sort_unstable_by_key(|taken| (taken.file, taken.start));
            for &piece in self.plan.pieces(series) {
                let from = self.taken.partition_point(|taken| taken.file < piece.file);
                let mut taken = self.taken[from..].iter().copied().peekable();
                for (_, run) in self.plan.timed_runs(piece) {
                    let left = &mut self.left_out;
                    rest(stretch(piece.file, run), &mut taken, &mut |stretch| {
                        left.push((0, 0), PickedRun { series, stretch })
                    })?;
                }
            }
            self.taken.clear();
            self.series += 1;
        }
        Ok(())
    }

    fn slot(&self, series: u32, bucket: u32) -> Slot {
        (self.unit.metrics[series as usize], bucket)
    }
}

fn stretch(file: u32, run: &Run) -> Stretch {
    Stretch { file, start: run.start_row, rows: run.rows }
}

/// Calls `each` with the parts of `run` that are not among `taken`, which ascend; those of the run are
/// consumed.
fn rest(
    run: Stretch,
    taken: &mut Peekable<impl Iterator<Item = Stretch>>,
    each: &mut dyn FnMut(Stretch) -> Result<()>,
) -> Result<()> {
    let end = run.start + u64::from(run.rows);
    let mut at = run.start;
    let inside = |taken: &Stretch| taken.file == run.file && taken.start < end;
    while let Some(taken) = taken.next_if(inside) {
        if at < taken.start {
            each(Stretch { start: at, rows: (taken.start - at) as u32, ..run })?;
        }
        at = taken.start + u64::from(taken.rows);
    }
    if at < end { each(Stretch { start: at, rows: (end - at) as u32, ..run }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_at_a_multiple_of_its_length() {
        let buckets = Buckets { min_time: 150, bucket_ms: 100 };
        assert_eq!([150, 199, 200, 399].map(|t| buckets.of(t)), [0, 0, 1, 2]);
        assert_eq!(buckets.length(&[150, 160, 199, 200, 201]), 3);
        assert_eq!(buckets.length(&[200, 299]), 2);
        assert_eq!(buckets.length(&[]), 0);
        let before = Buckets { min_time: -150, bucket_ms: 100 };
        assert_eq!([-150, -101, -100, -1, 0].map(|t| before.of(t)), [0, 0, 1, 1, 2]);
        assert_eq!(before.length(&[-150, -101, -100]), 2);
    }

    #[test]
    fn the_rest_of_a_run_is_what_was_not_taken() {
        let stretch = |file, start, rows| Stretch { file, start, rows };
        let taken = [stretch(0, 10, 5), stretch(0, 20, 5), stretch(0, 40, 10), stretch(1, 0, 9)];
        let mut taken = taken.into_iter().peekable();
        let mut left = |run| {
            let mut parts = Vec::new();
            let mut each = |part| {
                parts.push(part);
                Ok(())
            };
            rest(run, &mut taken, &mut each).unwrap();
            parts
        };
        let first = left(stretch(0, 5, 25));
        assert_eq!(first, [stretch(0, 5, 5), stretch(0, 15, 5), stretch(0, 25, 5)]);
        assert_eq!(left(stretch(0, 30, 5)), [stretch(0, 30, 5)]);
        assert_eq!(left(stretch(0, 40, 10)), []);
    }
}
