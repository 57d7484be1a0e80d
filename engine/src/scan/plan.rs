//! What a scan reads: for each series of the roster, its rows in each block.

use std::ops::Range;
use std::sync::Arc;

use super::cache::{BlockCache, OpenBlock};
use super::files::{Filed, PlanFile, filed};
use super::located::BATCH_SAMPLES;
use super::shelf::Shelf;
use crate::block::Run;
use crate::bucket::Bucket;
use crate::catalog::Catalog;
use crate::model::TimeRange;
use crate::source::{Columns, DedupFunc, ReadLimits, Roster, Select, SelectOptions};
use crate::{Error, ErrorKind};

/// One series in one block, as one replica has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Index into the plan's files.
    pub(crate) file: u32,
    /// Its row in the block's label table.
    pub(crate) row: u32,
    /// The rank of the replica, by its labels.
    pub(crate) replica: u32,
}

/// What the selector and the query ask of a scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScanSettings {
    /// The timestamps wanted.
    pub(crate) range: TimeRange,
    /// Whether values are wanted, or timestamps alone where no stale marker may be.
    pub(crate) columns: Columns,
    /// Whether samples below the last value are left out after a change of replicas.
    pub(crate) counter: bool,
    /// How replicas are made one; none if they are not.
    pub(crate) dedup: Option<DedupFunc>,
    partitions: usize,
}

impl ScanSettings {
    pub(crate) fn new(select: &Select, options: &SelectOptions) -> Self {
        Self {
            range: select.range,
            columns: select.columns,
            counter: select.counter(),
            dedup: options.dedup.then_some(options.dedup_func),
            partitions: options.partitions,
        }
    }
}

/// The reading of one selector.
#[derive(Debug)]
pub(crate) struct ScanPlan {
    pub(crate) bucket: Bucket,
    pub(crate) files: Vec<PlanFile>,
    pub(crate) settings: ScanSettings,
    /// Whether a replica may have several samples of one time, in different blocks.
    pub(crate) overlaps: bool,
    /// Whether a series has floats and histograms in one block: its runs of both files alternate.
    pub(crate) mixed: bool,
    /// Whether some series has more than one replica.
    pub(crate) replicated: bool,
    /// By series, then replica, then time.
    pieces: Vec<Piece>,
    /// The pieces of series `s` are `pieces[offsets[s]..offsets[s + 1]]`.
    offsets: Vec<u32>,
    partitions: Vec<Range<u32>>,
    /// One a partition.
    shelves: Vec<Arc<Shelf<f64>>>,
    catalog: Arc<Catalog>,
    /// Shared by all plans of a query.
    pub(crate) limits: ReadLimits,
}

/// The pieces of all series of a roster.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) files: Vec<Arc<OpenBlock>>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) offsets: Vec<u32>,
    pub(crate) overlaps: bool,
}

impl ScanPlan {
    pub(crate) fn new(
        cache: &BlockCache,
        catalog: Arc<Catalog>,
        settings: ScanSettings,
        limits: ReadLimits,
        roster: &Roster,
        pieces: Pieces,
    ) -> Self {
        let overlaps = pieces.overlaps;
        let histograms = settings.columns.histograms();
        let Filed { files, pieces, offsets, mixed } = filed(pieces, histograms);
        let replicated = offsets.windows(2).any(|w| {
            let of_series = &pieces[w[0] as usize..w[1] as usize];
            of_series.windows(2).any(|pair| pair[0].replica != pair[1].replica)
        });
        let partitions = cut(roster.len(), |at| roster.samples(at), settings.partitions);
        Self {
            bucket: cache.bucket().clone(),
            files,
            settings,
            overlaps,
            mixed,
            replicated,
            pieces,
            offsets,
            shelves: partitions.iter().map(|_| Arc::default()).collect(),
            partitions,
            catalog,
            limits,
        }
    }

    /// The reading of some `series` of the `roster` that this plan was made for, ascending; they are
    /// numbered anew from 0.
    pub(crate) fn part(&self, roster: &Roster, series: &[u32]) -> Self {
        let mut pieces = Vec::new();
        let mut offsets = Vec::with_capacity(series.len() + 1);
        offsets.push(0);
        for &at in series {
            pieces.extend_from_slice(self.pieces(at));
            offsets.push(pieces.len() as u32);
        }
        let samples = |at: usize| roster.samples(series[at] as usize);
        let partitions = cut(series.len(), samples, self.settings.partitions);
        Self {
            bucket: self.bucket.clone(),
            files: self.files.clone(),
            settings: self.settings,
            overlaps: self.overlaps,
            mixed: self.mixed,
            replicated: self.replicated,
            pieces,
            offsets,
            shelves: partitions.iter().map(|_| Arc::default()).collect(),
            partitions,
            catalog: Arc::clone(&self.catalog),
            limits: self.limits.clone(),
        }
    }

    /// Whether some file has native histograms: then its batches have a column for them.
    pub(crate) fn has_histograms(&self) -> bool {
        self.files.last().is_some_and(|file| file.histograms)
    }

    /// Whether start timestamps are read: then its batches have a column for them.
    pub(crate) fn has_starts(&self) -> bool {
        self.settings.columns.starts() && self.files.iter().any(PlanFile::has_starts)
    }

    /// How many blocks are read.
    pub(crate) fn blocks(&self) -> usize {
        self.files.iter().filter(|file| !file.histograms).count()
    }

    /// The series of each partition.
    pub(crate) fn partitions(&self) -> &[Range<u32>] {
        &self.partitions
    }

    /// Where a partition's pages of values are left for those who read values later.
    pub(crate) fn shelf(&self, partition: usize) -> &Arc<Shelf<f64>> {
        &self.shelves[partition]
    }

    /// The pieces of a series, by replica, then by time.
    pub(crate) fn pieces(&self, series: u32) -> &[Piece] {
        let at = series as usize;
        &self.pieces[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The timestamps to take from a file: what is wanted, inside of what the block stands for.
    pub(crate) fn range_of(&self, file: u32) -> TimeRange {
        let block = self.files[file as usize].open.block.meta.range();
        let wanted = self.settings.range;
        TimeRange::new(wanted.min.max(block.min), wanted.max.min(block.max))
    }

    /// Whether the scan reads the first replica of each series only. Coverage looks at the others just
    /// where that one has a hole; but where blocks of a replica overlap, or its floats and histograms
    /// alternate, who has a hole is known only after they are merged.
    pub(crate) fn follows(&self) -> bool {
        let one_run_a_time = !self.overlaps && !self.mixed;
        self.settings.dedup == Some(DedupFunc::Coverage) && self.replicated && one_run_a_time
    }

    /// The pieces of a series that the scan reads, and those that are read where the first replica has
    /// a hole.
    pub(crate) fn led(&self, series: u32) -> (&[Piece], &[Piece]) {
        let pieces = self.pieces(series);
        if !self.follows() {
            return (pieces, &[]);
        }
        let leader = pieces.first().map(|piece| piece.replica);
        pieces.split_at(pieces.partition_point(|piece| Some(piece.replica) <= leader))
    }

    /// The row runs of a piece that may have samples in the wanted range.
    pub(crate) fn runs(&self, piece: Piece) -> impl Iterator<Item = &Run> {
        self.files[piece.file as usize].wanted_runs(piece.row, self.settings.range)
    }

    /// All row runs of a piece, and the times between which their samples lie.
    pub(crate) fn timed_runs(&self, piece: Piece) -> impl Iterator<Item = (TimeRange, &Run)> {
        let file = &self.files[piece.file as usize];
        let (index, row) = (&file.open.block.series, piece.row as usize);
        let (first, last) = (index.min_ts[row], index.max_ts[row]);
        file.timed_runs(piece.row).map(move |(bucket, run)| {
            (TimeRange::new(bucket.min.max(first), bucket.max.min(last)), run)
        })
    }

    /// Whether a stale marker may be among the samples of `piece`.
    pub(crate) fn may_be_stale(&self, piece: Piece) -> bool {
        self.files[piece.file as usize].open.block.series.n_stale[piece.row as usize] > 0
    }

    /// Whether the scan must tell where stale markers are: dedup by coverage passes over them.
    pub(crate) fn marks_stale(&self) -> bool {
        self.settings.dedup == Some(DedupFunc::Coverage) && self.replicated
    }

    /// Whether the values of a series are read.
    pub(crate) fn reads_values(&self, series: u32) -> bool {
        match self.settings.columns {
            Columns::Values | Columns::Samples | Columns::All => true,
            Columns::Timestamps if self.has_histograms() => true,
            Columns::Timestamps => self.pieces(series).iter().any(|&p| self.may_be_stale(p)),
        }
    }

    /// The error with its block's name; a block that is found damaged is set aside.
    pub(crate) fn blame(&self, file: u32, error: Error) -> Error {
        let id = self.files[file as usize].open.block.meta.ulid;
        if error.kind() == ErrorKind::Corrupt {
            self.catalog.set_aside(id, &error.to_string());
        }
        error.context(format!("block {id}"))
    }

    /// The label index names a row that the page index does not know.
    pub(crate) fn no_page(&self, file: u32, row: u64) -> Error {
        let name = self.files[file as usize].name();
        self.blame(file, Error::corrupt(format!("{name}: no page has row {row}")))
    }
}

/// Contiguous ranges of series with about equal numbers of samples; none so small that the
/// work would not pay for another partition.
pub(crate) fn cut(series: usize, samples: impl Fn(usize) -> u64, most: usize) -> Vec<Range<u32>> {
    let total: u64 = (0..series).map(&samples).sum();
    let worth = (total / BATCH_SAMPLES as u64 / 2) as usize;
    let count = most.min(worth).min(series).max(1);
    let share = total.div_ceil(count as u64).max(1);
    let mut ranges = Vec::with_capacity(count);
    let (mut start, mut sum) = (0, 0);
    for at in 0..series {
        sum += samples(at);
        if sum >= share && ranges.len() + 1 < count {
            ranges.push(start as u32..at as u32 + 1);
            (start, sum) = (at + 1, 0);
        }
    }
    ranges.push(start as u32..series as u32);
    ranges
}
