//! The files that a scan reads: of each block the float samples, and the native histograms where they
//! are asked for. Series, replica, rows and timestamps are all that scan, merge and dedup know of a
//! run, so runs of both files are alike to them.

use std::sync::Arc;

use super::cache::OpenBlock;
use super::pages::PageTable;
use super::plan::{Piece, Pieces};
use super::wave::Column;
use crate::block::schema::{HISTOGRAMS_FILE, SAMPLES_FILE};
use crate::block::{FileReader, Run};
use crate::model::TimeRange;

/// One file of a block.
#[derive(Debug, Clone)]
pub(crate) struct PlanFile {
    pub(crate) open: Arc<OpenBlock>,
    /// Whether it is that of the native histograms.
    pub(crate) histograms: bool,
}

impl PlanFile {
    /// The file, if the block has it.
    pub(super) fn reader(&self) -> Option<&FileReader> {
        let block = &self.open.block;
        if self.histograms { block.histograms.as_ref() } else { block.samples.as_ref() }
    }

    /// Its name in the block.
    pub(super) fn name(&self) -> &'static str {
        if self.histograms { HISTOGRAMS_FILE } else { SAMPLES_FILE }
    }

    /// The pages of a column. What tells a stale marker is the value of a float and the sum of a
    /// histogram.
    pub(super) fn table(&self, column: Column) -> &PageTable {
        match (column, self.histograms) {
            (Column::Ts, false) => &self.open.ts,
            (Column::Ts, true) => &self.open.histogram_ts,
            (Column::Values, false) => &self.open.values,
            (Column::Values, true) => &self.open.histogram_sums,
            (Column::Starts, false) => &self.open.starts,
            (Column::Starts, true) => &self.open.histogram_starts,
            (Column::Window(column), _) => self.open.windows.get(column),
        }
    }

    /// Whether some of its samples have a start timestamp.
    pub(super) fn has_starts(&self) -> bool {
        !self.table(Column::Starts).pages().is_empty()
    }

    /// The runs of series `row`, each with its time bucket.
    pub(super) fn timed_runs(&self, row: u32) -> impl Iterator<Item = (TimeRange, &Run)> {
        timed_runs(&self.open, row, self.histograms)
    }

    /// The runs of series `row` that may have samples in `range`.
    pub(super) fn wanted_runs(&self, row: u32, range: TimeRange) -> impl Iterator<Item = &Run> {
        wanted_runs(&self.open, row, self.histograms, range)
    }
}

/// The runs of series `row` that may have samples in `range`.
pub(super) fn wanted_runs(
    open: &OpenBlock,
    row: u32,
    histograms: bool,
    range: TimeRange,
) -> impl Iterator<Item = &Run> {
    let runs = timed_runs(open, row, histograms);
    runs.filter(move |(bucket, _)| bucket.overlaps(&range)).map(|(_, run)| run)
}

fn timed_runs(
    open: &OpenBlock,
    row: u32,
    histograms: bool,
) -> impl Iterator<Item = (TimeRange, &Run)> {
    let meta = &open.block.meta;
    let width = meta.stoa.bucket_ms.max(1);
    let origin = meta.min_time.div_euclid(width).saturating_mul(width);
    let runs = match histograms {
        true => open.block.series.histogram_runs(row as usize),
        false => open.block.series.runs(row as usize),
    };
    runs.iter().map(move |run| {
        let start = origin.saturating_add(i64::from(run.bucket).saturating_mul(width));
        (TimeRange::new(start, start.saturating_add(width - 1)), run)
    })
}

/// Files and the pieces of series in them.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) files: Vec<PlanFile>,
    pub(super) pieces: Vec<Piece>,
    pub(super) offsets: Vec<u32>,
    /// Whether a series has floats and histograms in one block.
    pub(super) mixed: bool,
}

/// The files of the blocks of `pieces`: those of floats, and with `histograms` those of histograms
/// behind them. A piece becomes two where a series has both.
pub(super) fn filed(pieces: Pieces, histograms: bool) -> Filed {
    let Pieces { files: blocks, pieces, offsets, .. } = pieces;
    let file = |open: &Arc<OpenBlock>| PlanFile { open: Arc::clone(open), histograms: false };
    let mut files: Vec<PlanFile> = blocks.iter().map(file).collect();
    if !histograms || blocks.iter().all(|open| open.block.histograms.is_none()) {
        return Filed { files, pieces, offsets, mixed: false };
    }
    // For each block: the number of its file of histograms.
    let twins: Vec<Option<u32>> = blocks
        .iter()
        .map(|open| {
            open.block.histograms.as_ref()?;
            files.push(PlanFile { open: Arc::clone(open), histograms: true });
            Some((files.len() - 1) as u32)
        })
        .collect();
    let mut filed = Filed { files, pieces: Vec::new(), offsets: vec![0], mixed: false };
    for of_series in offsets.windows(2) {
        for &piece in &pieces[of_series[0] as usize..of_series[1] as usize] {
            let series = &blocks[piece.file as usize].block.series;
            let twin = twins[piece.file as usize]
                .filter(|_| !series.histogram_runs(piece.row as usize).is_empty());
            let has_floats = !series.runs(piece.row as usize).is_empty();
            if has_floats || twin.is_none() {
                filed.pieces.push(piece);
            }
            filed.pieces.extend(twin.map(|file| Piece { file, ..piece }));
            filed.mixed |= has_floats && twin.is_some();
        }
        filed.offsets.push(filed.pieces.len() as u32);
    }
    filed
}
