//! Which pages are read together, and reading them.
//!
//! A wave is a sequence of stretches of rows and the pages that they need. Its pages are fetched at
//! once, in as few requests as the bucket makes of it, while the wave before is being decoded.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::future::try_join_all;

use super::fast::Unpacked;
use super::pages::{Number, PageTable};
use super::plan::ScanPlan;
use super::shelf::Shelf;
use super::windows::WindowColumn;
use crate::Result;

/// A column that is read: timestamps, values (of `histograms.parquet` the sums), start timestamps; a column
/// of the windows of a downsampled block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Ts,
    Values,
    Starts,
    Window(WindowColumn),
}

/// Consecutive rows of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) file: u32,
    pub(crate) start: u64,
    pub(crate) rows: u32,
}

/// A page of a wave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageUse {
    /// The page, numbered over all files of the plan ([`Pages`]).
    pub(crate) page: u32,
    pub(crate) file: u32,
    /// How many stretches of the wave read it.
    pub(crate) uses: u32,
    /// Whether it is there already, as a page of the wave before or from a shelf.
    carried: bool,
}

/// Numbers for the pages of one column over all files: those of file `f` are `base[f]..base[f+1]`.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) column: Column,
    pub(crate) plan: Arc<ScanPlan>,
    base: Vec<u32>,
    /// Bytes fetched.
    fetched: Count,
    /// Pages decoded.
    pub(super) decoded: Count,
}

impl Pages {
    /// The pages of `column`; what is done to them is counted in `metrics`.
    pub(crate) fn new(
        plan: Arc<ScanPlan>,
        column: Column,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Self {
        let mut base = Vec::with_capacity(plan.files.len() + 1);
        let mut total = 0;
        base.push(0);
        for file in &plan.files {
            total += file.table(column).pages().len() as u32;
            base.push(total);
        }
        let fetched = MetricBuilder::new(metrics).counter("bytes_fetched", partition);
        let decoded = MetricBuilder::new(metrics).counter("pages_decoded", partition);
        Self { column, plan, base, fetched, decoded }
    }

    /// How many pages there are.
    pub(crate) fn len(&self) -> usize {
        self.base.last().map_or(0, |&total| total as usize)
    }

    /// The page table of a file and the number of its first page.
    pub(crate) fn file(&self, file: u32) -> (&PageTable, u32) {
        (self.plan.files[file as usize].table(self.column), self.base[file as usize])
    }
}

/// Collects the pages of wave after wave.
#[derive(Debug)]
pub(crate) struct WavePages {
    pages: Arc<Pages>,
    /// For each page: the wave that has it last, and its place there.
    seen: Vec<(u32, u32)>,
    /// For each file: where the last row was found.
    hints: Vec<u32>,
    wave: u32,
    uses: Vec<PageUse>,
    fetch_bytes: u64,
}

impl WavePages {
    pub(crate) fn new(pages: Arc<Pages>) -> Self {
        let seen = vec![(0, 0); pages.len()];
        let hints = vec![0; pages.plan.files.len()];
        // Waves 0 and 1 stand for "never": a page of wave `w - 1` is carried over to wave `w`.
        Self { pages, seen, hints, wave: 2, uses: Vec::new(), fetch_bytes: 0 }
    }

    /// Adds the pages of `stretch` to the wave.
    pub(crate) fn add(&mut self, stretch: Stretch) -> Result<()> {
        let (table, base) = self.pages.file(stretch.file);
        let mut row = stretch.start;
        let end = stretch.start + u64::from(stretch.rows);
        while row < end {
            let hint = &mut self.hints[stretch.file as usize];
            let at = table
                .find(row, *hint as usize)
                .ok_or_else(|| self.pages.plan.no_page(stretch.file, row))?;
            *hint = at as u32;
            let page = &table.pages()[at];
            let number = base + at as u32;
            let (wave, place) = self.seen[number as usize];
            if wave == self.wave {
                self.uses[place as usize].uses += 1;
            } else {
                let carried = wave + 1 == self.wave;
                if !carried {
                    self.fetch_bytes += page.bytes.end - page.bytes.start;
                }
                self.seen[number as usize] = (self.wave, self.uses.len() as u32);
                self.uses.push(PageUse { page: number, file: stretch.file, uses: 1, carried });
            }
            row = page.first_row + u64::from(page.rows);
        }
        Ok(())
    }

    /// The bytes that the wave has to fetch so far.
    pub(crate) fn fetch_bytes(&self) -> u64 {
        self.fetch_bytes
    }

    /// The pages of the wave; the next one begins.
    pub(crate) fn close(&mut self) -> Vec<PageUse> {
        self.wave += 1;
        self.fetch_bytes = 0;
        std::mem::take(&mut self.uses)
    }
}

/// Takes the pages of a wave that lie on `shelf`: they need not be fetched.
pub(crate) fn shelved<N: Number>(
    uses: &mut [PageUse],
    shelf: &Shelf<N>,
) -> Vec<(u32, Arc<Unpacked<N>>)> {
    let new = uses.iter_mut().filter(|page| !page.carried);
    let taken = new.filter_map(|page| {
        let unpacked = shelf.take(page.page)?;
        page.carried = true;
        Some((page.page, unpacked))
    });
    taken.collect()
}

/// The bytes of a page, checked.
#[derive(Debug, Clone)]
pub(crate) struct PageBytes {
    pub(crate) page: u32,
    pub(crate) dictionary: Option<Bytes>,
    pub(crate) bytes: Bytes,
}

/// Fetches the pages of a wave that are not carried over, and checks their CRCs.
pub(crate) async fn fetch(pages: &Pages, uses: &[PageUse]) -> Result<Vec<PageBytes>> {
    let mut wanted: Vec<(u32, u32)> =
        uses.iter().filter(|u| !u.carried).map(|u| (u.file, u.page)).collect();
    wanted.sort_unstable();
    let files = wanted.chunk_by(|a, b| a.0 == b.0);
    let fetched = try_join_all(files.map(|of_file| fetch_file(pages, of_file))).await?;
    Ok(fetched.into_iter().flatten().collect())
}

async fn fetch_file(pages: &Pages, wanted: &[(u32, u32)]) -> Result<Vec<PageBytes>> {
    let plan = &pages.plan;
    let file = wanted[0].0;
    let Some(reader) = plan.files[file as usize].reader() else { return Ok(Vec::new()) };
    let (table, base) = pages.file(file);
    let mut ranges: Vec<Range<u64>> = Vec::with_capacity(wanted.len());
    // Where each page and its dictionary are among the ranges.
    let mut places: Vec<(Option<usize>, usize)> = Vec::with_capacity(wanted.len());
    let mut last: Option<(Range<u64>, usize)> = None;
    for &(_, page) in wanted {
        let at = (page - base) as usize;
        let dictionary = table.dictionary(at).map(|range| match &last {
            Some((known, place)) if *known == range => *place,
            _ => {
                ranges.push(range.clone());
                last = Some((range, ranges.len() - 1));
                ranges.len() - 1
            }
        });
        places.push((dictionary, ranges.len()));
        ranges.push(table.pages()[at].bytes.clone());
    }
    plan.limits.spend_bytes(ranges.iter().map(|range| (range.end - range.start) as usize).sum())?;
    let parts = plan
        .bucket
        .get_ranges(reader.path(), &ranges)
        .await
        .map_err(|error| plan.blame(file, error))?;
    for (range, bytes) in ranges.iter().zip(&parts) {
        reader.check(range.clone(), bytes).map_err(|error| plan.blame(file, error))?;
    }
    pages.fetched.add(parts.iter().map(Bytes::len).sum());
    let bytes_of = |(&(_, page), &(dictionary, place)): (&(u32, u32), &(Option<usize>, usize))| {
        let dictionary = dictionary.map(|at| parts[at].clone());
        PageBytes { page, dictionary, bytes: parts[place].clone() }
    };
    Ok(wanted.iter().zip(&places).map(bytes_of).collect())
}
