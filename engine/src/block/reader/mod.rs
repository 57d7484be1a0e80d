//! Opens a block: its label index in memory, and the tails of its sample files, all checked against
//! their CRCs before anything is decoded.

mod file;
mod series;

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::try_join3;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

pub use self::file::FileReader;
pub(super) use self::file::MAGIC;
pub(crate) use self::file::guarded;
pub(super) use self::series::label_columns;
pub use self::series::{Run, SeriesIndex};
use super::BlockMeta;
use super::meta::FileMeta;
use super::schema::{HISTOGRAMS_FILE, SAMPLES_FILE, SERIES_FILE};
use crate::bucket::Bucket;
use crate::model::Labels;
use crate::{Error, Result};

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
        let context = |e: Error| e.context(format!("block {}", meta.ulid));
        let series = meta
            .file(SERIES_FILE)
            .ok_or_else(|| context(Error::corrupt("meta.json names no series.parquet")))?;
        let (series, samples, histograms) = try_join3(
            read(bucket, &meta, series, 0),
            read_tail(bucket, &meta, SAMPLES_FILE),
            read_tail(bucket, &meta, HISTOGRAMS_FILE),
        )
        .await
        .map_err(context)?;
        let series = decode_series(&meta, series).map_err(context)?;
        Ok(Self {
            external_labels: meta.external_labels().map_err(context)?,
            series,
            samples,
            histograms,
            meta,
        })
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        let files = [&self.samples, &self.histograms];
        self.series.memory_size()
            + files.into_iter().flatten().map(FileReader::memory_size).sum::<usize>()
    }
}

/// Reads a file of the block from `offset` to its end. An object that is gone or has another size is
/// damage.
async fn read(bucket: &Bucket, meta: &BlockMeta, file: &FileMeta, offset: u64) -> Result<Bytes> {
    let path = BlockMeta::path(meta.ulid, &file.name);
    bucket.get_range(&path, offset..file.size_bytes).await
}

async fn read_tail(bucket: &Bucket, meta: &BlockMeta, name: &str) -> Result<Option<FileReader>> {
    let Some(file) = meta.file(name) else {
        return Ok(None);
    };
    let tail = read(bucket, meta, file, file.tail_offset).await?;
    FileReader::open(BlockMeta::path(meta.ulid, name), file, tail).map(Some)
}

/// Checks and decodes the whole `series.parquet`.
fn decode_series(meta: &BlockMeta, bytes: Bytes) -> Result<SeriesIndex> {
    let path = BlockMeta::path(meta.ulid, SERIES_FILE);
    let file = meta
        .file(SERIES_FILE)
        .ok_or_else(|| Error::corrupt("meta.json names no series.parquet"))?;
    if bytes.len() as u64 != file.size_bytes || !bytes.starts_with(MAGIC) {
        return Err(Error::corrupt(format!("{path}: not the file that meta.json names")));
    }
    let tail_offset = file.tail_offset as usize;
    let reader = FileReader::open(path, file, bytes.slice(tail_offset..))?;
    let pages = MAGIC.len()..tail_offset;
    reader.check(pages.start as u64..pages.end as u64, &bytes[pages])?;
    SeriesIndex::decode(&reader, bytes, meta)
}

/// Reads a small file of the block as a whole, checks all its CRCs, and decodes it: strings are
/// dictionaries.
pub(super) async fn read_rows(
    bucket: &Bucket,
    meta: &BlockMeta,
    file: &FileMeta,
    each: &mut (dyn FnMut(&RecordBatch) -> Result<()> + Send),
) -> Result<()> {
    let path = BlockMeta::path(meta.ulid, &file.name);
    let bytes = read(bucket, meta, file, 0).await?;
    if bytes.len() as u64 != file.size_bytes || !bytes.starts_with(MAGIC) {
        return Err(Error::corrupt(format!("{path}: not the file that meta.json names")));
    }
    let tail_offset = file.tail_offset as usize;
    let reader = FileReader::open(path.clone(), file, bytes.slice(tail_offset..))?;
    let pages = MAGIC.len()..tail_offset;
    reader.check(pages.start as u64..pages.end as u64, &bytes[pages])?;
    guarded(&path, || {
        let unreadable = |e| Error::corrupt("cannot be decoded").with_source(e);
        let metadata = reader.arrow_metadata()?;
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata)
            .build()
            .map_err(|e| Error::corrupt("cannot be decoded").with_source(e))?;
        for batch in batches {
            each(&batch.map_err(unreadable)?)?;
        }
        Ok(())
    })
}
