//! Windows that were picked, read and made one sequence a series.
//!
//! Blocks of windows overlap where samples came late. A day that was downsampled anew has some of its
//! sources in common with the longer block that has that day already: it takes the place of all that the
//! longer one has there. Blocks without a common source have different samples: windows of the same time
//! become one.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use datafusion::execution::TaskContext;

use super::sources::Sources;
use crate::Result;
use crate::block::BlockId;
use crate::catalog::covered::sources;
use crate::compact::downsample::{Folder, window_end};
use crate::model::{WindowSlices, Windows};
use crate::scan::{PickedRun, PickedRuns, ScanPlan, Stretch, Wanted, read_windows};

/// How many windows are read at once.
const READ_WINDOWS: usize = 64 * 1024;

/// Windows of some series, one behind the other.
#[derive(Debug, Default)]
pub(super) struct SeriesWindows {
    /// Each series of the unit, and how many windows it has here.
    pub(super) series: Vec<(u32, usize)>,
    pub(super) windows: Windows,
}

impl SeriesWindows {
    /// Adds what `fill` appends as the windows of a series.
    pub(super) fn add(&mut self, series: u32, fill: impl FnOnce(&mut Windows)) {
        let before = self.windows.len();
        fill(&mut self.windows);
        let count = self.windows.len() - before;
        if count > 0 {
            self.series.push((series, count));
        }
    }

    /// The windows of each series.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u32, WindowSlices<'_>)> {
        let mut at = 0;
        self.series.iter().map(move |&(series, count)| {
            at += count;
            (series, self.windows.slices().part(at - count..at))
        })
    }
}

/// The times in which other blocks take the place of a block of windows.
#[derive(Debug, Clone, Default)]
pub(super) struct Superseded(Vec<Range<i64>>);

impl Superseded {
    /// Those of each block of `all`.
    pub(super) fn of(all: &Sources) -> Vec<Self> {
        let ids: Vec<HashSet<BlockId>> = all.blocks.iter().map(|(meta, _)| sources(meta)).collect();
        let length = |at: usize| all.blocks[at].0.max_time - all.blocks[at].0.min_time;
        let by = |this: usize| {
            let others = (0..ids.len()).filter(|&other| {
                // Of equally long ones the later.
                let key = |at: usize| (-length(at), all.blocks[at].0.ulid);
                key(this) < key(other) && !ids[this].is_disjoint(&ids[other])
            });
            others.map(|other| all.blocks[other].0.min_time..all.blocks[other].0.max_time).collect()
        };
        (0..ids.len()).map(|this| Self(by(this))).collect()
    }

    fn has(&self, ts: i64) -> bool {
        self.0.iter().any(|range| range.contains(&ts))
    }
}

/// Reads picked windows series by series.
pub(super) struct PickedWindows<'a> {
    pub(super) sources: &'a Sources,
    pub(super) plan: &'a Arc<ScanPlan>,
    pub(super) superseded: &'a [Superseded],
    /// Milliseconds a window.
    pub(super) resolution: i64,
}

impl PickedWindows<'_> {
    /// Calls `each` with the windows of the series of some runs, and those of each run as they were
    /// read, until all runs were read.
    pub(super) async fn read(
        &self,
        picks: &dyn PickedRuns,
        context: &TaskContext,
        each: &mut (dyn AsyncEach + Send),
    ) -> Result<()> {
        let mut runs: Vec<PickedRun> = Vec::new();
        let mut rows = 0;
        for run in picks.runs()? {
            let run = run?;
            // All runs of a series in one slot are read together.
            if rows >= READ_WINDOWS && runs.last().is_some_and(|last| last.series != run.series) {
                self.some(&std::mem::take(&mut runs), context, each).await?;
                rows = 0;
            }
            rows += run.stretch.rows as usize;
            runs.push(run);
        }
        if runs.is_empty() { Ok(()) } else { self.some(&runs, context, each).await }
    }

    async fn some(
        &self,
        runs: &[PickedRun],
        context: &TaskContext,
        each: &mut (dyn AsyncEach + Send),
    ) -> Result<()> {
        let stretches: Vec<Stretch> = runs.iter().map(|run| run.stretch).collect();
        let all = read_windows(self.plan, &stretches, Wanted::ALL, context).await?;
        let mut at = 0;
        let mut out = SeriesWindows::default();
        for of_series in runs.chunk_by(|a, b| a.series == b.series) {
            let first = at;
            for run in of_series {
                let rows = run.stretch.rows as usize;
                each.read(*run, all.slices().part(at..at + rows));
                at += rows;
            }
            out.add(of_series[0].series, |out| {
                self.series(of_series, all.slices().part(first..at), out);
            });
        }
        each.series(out).await
    }

    /// The windows of one series, `windows`, which are those of `runs` one behind the other.
    fn series(&self, runs: &[PickedRun], windows: WindowSlices<'_>, out: &mut Windows) {
        let ascends = windows.ts.windows(2).all(|pair| {
            window_end(pair[0], self.resolution) < window_end(pair[1], self.resolution)
        });
        if ascends && runs.iter().all(|run| self.superseded_of(run).0.is_empty()) {
            out.extend(windows);
            return;
        }
        let mut kept: Vec<usize> = Vec::with_capacity(windows.len());
        let mut at = 0;
        for run in runs {
            let rows = at..at + run.stretch.rows as usize;
            at = rows.end;
            let superseded = self.superseded_of(run);
            kept.extend(rows.filter(|&row| !superseded.has(windows.ts[row])));
        }
        kept.sort_by_key(|&row| {
            (window_end(windows.ts[row], self.resolution), windows.first_ts[row])
        });
        let mut folder = Folder::new(self.resolution);
        for row in kept {
            folder.push(windows.part(row..row + 1), out);
        }
        folder.finish(out);
    }

    fn superseded_of(&self, run: &PickedRun) -> &Superseded {
        &self.superseded[self.sources.block_of[run.stretch.file as usize]]
    }
}

/// What is done with windows that were read.
#[async_trait::async_trait]
pub(super) trait AsyncEach {
    /// A run as it is in its block.
    fn read(&mut self, run: PickedRun, windows: WindowSlices<'_>);

    /// Windows of whole series, or of what of them is in one slot.
    async fn series(&mut self, windows: SeriesWindows) -> Result<()>;
}
