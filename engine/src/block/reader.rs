//! Opens a block: its label index in memory, and the tails of its sample files, all checked against
//! their CRCs before anything is decoded.

use std::ops::Range;
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaData;

use super::BlockMeta;
use crate::bucket::Bucket;
use crate::model::{LabelTable, Labels};
use crate::source::SeriesKind;
use crate::{Error, Result};

/// Consecutive rows of one series inside one time bucket of a sample file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The time bucket, counted from the block's first.
    pub bucket: u32,
    /// The first row in the file.
    pub start_row: u64,
    /// How many rows.
    pub rows: u32,
}

/// The series of a block in memory, in block order: what `series.parquet` holds.
#[derive(Debug, Default)]
pub struct SeriesIndex {
    /// The own labels of each series; external labels are not among them.
    pub table: Arc<LabelTable>,
    /// The hash of the own labels: equal for replicas of a series.
    pub series_id: Vec<i64>,
    /// The first timestamp of each series in ms.
    pub min_ts: Vec<i64>,
    /// The last timestamp of each series in ms.
    pub max_ts: Vec<i64>,
    /// How many samples each series has, histograms included.
    pub n_samples: Vec<u64>,
    /// How many of them are stale markers.
    pub n_stale: Vec<u64>,
    /// What kind of samples each series has.
    pub kind: Vec<SeriesKind>,
    runs: Runs,
    histogram_runs: Runs,
}

/// Runs of all series: those of `row` are `runs[offsets[row]..offsets[row + 1]]`.
#[derive(Debug, Default)]
struct Runs {
    offsets: Vec<u32>,
    runs: Vec<Run>,
}

impl Runs {
    fn of(&self, row: usize) -> &[Run] {
        &self.runs[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

impl SeriesIndex {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series_id.is_empty()
    }

    /// The runs of series `row` in `samples.parquet`, ascending by time.
    pub fn runs(&self, row: usize) -> &[Run] {
        self.runs.of(row)
    }

    /// The runs of series `row` in `histograms.parquet`, ascending by time.
    pub fn histogram_runs(&self, row: usize) -> &[Run] {
        self.histogram_runs.of(row)
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        self.len() * 64
    }
}

/// A sample file without its samples: Parquet metadata with page index, and the CRC of each page.
#[derive(Debug)]
pub struct FileReader {
    path: String,
    metadata: Arc<ParquetMetaData>,
}

impl FileReader {
    /// The object's path in the bucket.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file's metadata, with column index and offset index.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    /// How many rows the file has.
    pub fn rows(&self) -> u64 {
        0
    }

    /// Checks `bytes`, read from `range` of the file, before they are decoded. The range begins and
    /// ends at edges of pages (as the offset index and the dictionary offset give them); it may span
    /// many. A mismatch is a [`Corrupt`](crate::ErrorKind::Corrupt) error that names the page.
    pub fn check(&self, range: Range<u64>, bytes: &[u8]) -> Result<()> {
        let _ = (range, bytes);
        Err(Error::unsupported("block reader"))
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        self.metadata.memory_size()
    }
}

/// An open block.
#[derive(Debug)]
pub struct Block {
    /// What it is.
    pub meta: Arc<BlockMeta>,
    /// Labels that all its series have besides their own.
    pub external_labels: Labels,
    /// Its series.
    pub series: SeriesIndex,
    /// Its float samples, if it has any.
    pub samples: Option<FileReader>,
    /// Its native histogram samples, if it has any.
    pub histograms: Option<FileReader>,
}

impl Block {
    /// Reads the series and the tails of the sample files, in one wave of requests, and checks all
    /// CRCs. A damaged block is a [`Corrupt`](crate::ErrorKind::Corrupt) error.
    pub async fn open(bucket: &Bucket, meta: Arc<BlockMeta>) -> Result<Self> {
        let _ = (bucket, meta);
        Err(Error::unsupported("block reader"))
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        let files = [&self.samples, &self.histograms];
        self.series.memory_size()
            + files.into_iter().flatten().map(FileReader::memory_size).sum::<usize>()
    }
}
