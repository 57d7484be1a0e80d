//! A block opened: the label sets of its series as a table, and where their chunks are.

use std::ops::Range;
use std::sync::Arc;

use engine::model::{LabelTable, TimeRange};
use engine::{Error, ErrorKind, Result};

use super::files::BlockFiles;
use super::index::{ChunkMeta, Index, Version};
use super::meta::TsdbMeta;
use super::table::TableBuilder;
use super::tombstones::Tombstones;

/// A block of Prometheus, opened for reading.
#[derive(Debug)]
pub struct TsdbBlock {
    pub(super) files: Arc<dyn BlockFiles>,
    pub(super) meta: TsdbMeta,
    index: Index,
    pub(super) tombstones: Tombstones,
    pub(super) table: Arc<LabelTable>,
    /// The index' reference of each row's series.
    pub(super) series: Vec<u32>,
    pub(super) chunk_counts: Vec<u32>,
}

impl TsdbBlock {
    /// Opens a block: reads `meta.json`, tombstones, and of the index all but postings. Checks the
    /// list of every series' chunks; their data is read by [`Self::scan`].
    pub fn open(files: Arc<dyn BlockFiles>) -> Result<Self> {
        let meta = TsdbMeta::read(files.as_ref())?;
        let tombstones = Tombstones::read(files.as_ref())?;
        let index = Index::open(Arc::clone(&files))?;
        let series = index.all_series()?;
        let mut labels = TableBuilder::default();
        let mut chunk_counts = Vec::with_capacity(series.len());
        let mut chunks = Vec::new();
        let within = meta.range();
        index.each_series(&series, |_, entry| {
            chunks.clear();
            entry.chunks(&mut chunks)?;
            check_range(&chunks, within)?;
            chunk_counts.push(
                u32::try_from(chunks.len()).map_err(|_| {
                    Error::new(ErrorKind::ResourcesExhausted, "more than 2^32 chunks")
                })?,
            );
            labels.add(entry, index.symbols())
        })?;
        let table = Arc::new(labels.finish(index.symbols()));
        Ok(Self { files, meta, index, tombstones, table, series, chunk_counts })
    }

    /// `meta.json`.
    pub fn meta(&self) -> &TsdbMeta {
        &self.meta
    }

    /// What errors call the block.
    pub fn name(&self) -> &str {
        self.files.name()
    }

    /// The index' version.
    pub fn index_version(&self) -> Version {
        self.index.version()
    }

    /// The label sets, a row a series, in the block's order (by label sets).
    pub fn table(&self) -> &Arc<LabelTable> {
        &self.table
    }

    /// How many chunks the series of a row has.
    pub fn chunks(&self, row: u32) -> u32 {
        self.chunk_counts[row as usize]
    }

    /// About how many bytes of memory the block takes, its files' aside.
    pub fn memory_size(&self) -> usize {
        self.table.memory_size() + 8 * self.series.len() + self.index.symbols().memory_size()
    }

    /// Rows whose series have chunks that tombstones do not delete as a whole: the series that
    /// Prometheus' querier sees.
    pub fn live_rows(&self) -> Result<Vec<u32>> {
        // Only lists of series with tombstones are read again.
        let marked: Vec<u32> = self
            .series
            .iter()
            .copied()
            .filter(|&series| !self.tombstones.of(u64::from(series)).is_empty())
            .collect();
        let mut gone = Vec::new();
        let mut chunks = Vec::new();
        self.index.each_series(&marked, |number, entry| {
            chunks.clear();
            entry.chunks(&mut chunks)?;
            let intervals = self.tombstones.of(u64::from(marked[number]));
            if chunks.iter().all(|chunk| covered(intervals, chunk)) {
                gone.push(marked[number]);
            }
            Ok(())
        })?;
        let live = (0..self.series.len() as u32)
            .filter(|&row| {
                self.chunk_counts[row as usize] > 0
                    && gone.binary_search(&self.series[row as usize]).is_err()
            })
            .collect();
        Ok(live)
    }

    /// Those of `rows` whose series have a chunk in `range` that tombstones do not delete as a whole.
    pub fn rows_in(&self, rows: &[u32], range: TimeRange) -> Result<Vec<u32>> {
        let mut found = Vec::with_capacity(rows.len());
        for part in self.parts(rows) {
            let lists = self.chunk_lists(part)?;
            found.extend(part.iter().enumerate().filter_map(|(at, &row)| {
                let intervals = self.tombstones.of(u64::from(self.series[row as usize]));
                let mut chunks = lists.of(at).iter();
                let inside = |chunk: &ChunkMeta| {
                    chunk.min <= range.max && range.min <= chunk.max && !covered(intervals, chunk)
                };
                chunks.any(inside).then_some(row)
            }));
        }
        Ok(found)
    }

    /// The chunk lists of `rows`, which may be in any order.
    pub(super) fn chunk_lists(&self, rows: &[u32]) -> Result<ChunkLists> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by_key(|&at| rows[at as usize]);
        let series: Vec<u32> =
            order.iter().map(|&at| self.series[rows[at as usize] as usize]).collect();
        let mut lists = ChunkLists { metas: Vec::new(), ranges: vec![0..0; rows.len()] };
        self.index.each_series(&series, |number, entry| {
            let from = lists.metas.len();
            entry.chunks(&mut lists.metas)?;
            lists.ranges[order[number] as usize] = from..lists.metas.len();
            Ok(())
        })?;
        Ok(lists)
    }
}

/// Chunks of some series.
pub(super) struct ChunkLists {
    metas: Vec<ChunkMeta>,
    /// A range of `metas` a series.
    ranges: Vec<Range<usize>>,
}

impl ChunkLists {
    pub(super) fn of(&self, at: usize) -> &[ChunkMeta] {
        &self.metas[self.ranges[at].clone()]
    }

    /// The times from the first to the last sample of some series.
    pub(super) fn range(&self, series: Range<usize>) -> TimeRange {
        series.fold(TimeRange::new(i64::MAX, i64::MIN), |range, at| match self.of(at) {
            [first, .., last] => range.union(&TimeRange::new(first.min, last.max)),
            [only] => range.union(&TimeRange::new(only.min, only.max)),
            [] => range,
        })
    }
}

fn check_range(chunks: &[ChunkMeta], within: TimeRange) -> Result<()> {
    match chunks.iter().find(|chunk| chunk.min < within.min || chunk.max > within.max) {
        None => Ok(()),
        Some(chunk) => Err(Error::corrupt(format!(
            "chunk from {} to {} lies outside the block's {} to {}",
            chunk.min, chunk.max, within.min, within.max
        ))),
    }
}

fn covered(intervals: &[TimeRange], chunk: &ChunkMeta) -> bool {
    intervals.iter().any(|interval| interval.min <= chunk.min && chunk.max <= interval.max)
}
