//! `metadata-….parquet`: type, unit and help of the metrics, as the Prometheus said that made the block.
//!
//! What a Prometheus says of its metrics changes with its targets, so two attempts to write the same
//! block may have other metadata, and a block's id does not depend on them. Therefore the file's name
//! has a hash of its content: the attempt whose `meta.json` is created names its own file, and no other
//! attempt can have written over it. What another attempt left is a file that nothing names.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayAccessor, ArrayRef, AsArray, RecordBatch, StringArray, TypedDictionaryArray,
};
use arrow::datatypes::Int32Type;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use xxhash_rust::xxh3::Xxh3;

use super::meta::FileMeta;
use super::reader::read_rows;
use super::schema::{METADATA_PREFIX, METADATA_SUFFIX, metadata_schema};
use super::writer::BlockFile;
use super::{BlockMeta, failed};
use crate::bucket::Bucket;
use crate::{Error, Result};

/// The most metrics of a block that are kept, and the most bytes that are read.
pub const METRICS_MAX: usize = 200_000;
const BYTES_MAX: u64 = 64 << 20;

/// What is said of a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricMetadata {
    /// The metric's name (that of the family: without `_bucket`, `_sum`, `_count`).
    pub metric: String,
    /// `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset`, `unknown`.
    pub kind: String,
    /// The unit; often empty.
    pub unit: String,
    /// The help text.
    pub help: String,
}

/// Sorts `rows`, each once, at most [`METRICS_MAX`].
fn sorted(mut rows: Vec<MetricMetadata>) -> Vec<MetricMetadata> {
    rows.sort_unstable();
    rows.dedup();
    rows.truncate(METRICS_MAX);
    rows
}

/// The name of the file with `rows`.
fn file_name(rows: &[MetricMetadata]) -> String {
    let mut hash = Xxh3::new();
    for row in rows {
        for text in [&row.metric, &row.kind, &row.unit, &row.help] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
    }
    format!("{METADATA_PREFIX}{:016x}{METADATA_SUFFIX}", hash.digest())
}

/// Whether `name` is that of a file with metadata.
pub(super) fn is_metadata(name: &str) -> bool {
    let hash = name.strip_prefix(METADATA_PREFIX).and_then(|n| n.strip_suffix(METADATA_SUFFIX));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether the block has a file with metadata.
pub fn is_in(meta: &BlockMeta) -> bool {
    meta.stoa.files.iter().any(|file| is_metadata(&file.name))
}

/// Writes the file; none if there is nothing to say.
pub(super) fn write(
    dir: &Path,
    rows: Vec<MetricMetadata>,
    key_values: Vec<(&str, String)>,
) -> Result<Option<FileMeta>> {
    let rows = sorted(rows);
    if rows.is_empty() {
        return Ok(None);
    }
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
        .set_data_page_row_count_limit(rows.len())
        .set_write_batch_size(rows.len())
        .set_data_page_size_limit(1 << 30)
        .set_dictionary_page_size_limit(1 << 30);
    let mut file = BlockFile::create(dir, file_name(&rows), metadata_schema(), properties)?;
    let column = |of: fn(&MetricMetadata) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let mut group = file.arrow_group()?;
    group.write(&[
        column(|row| &row.metric),
        column(|row| &row.kind),
        column(|row| &row.unit),
        column(|row| &row.help),
    ])?;
    file.finish_arrow_group(group)?;
    file.finish(key_values).map(Some)
}

/// What the block `meta` says of its metrics, sorted; nothing if it has no such file. All CRCs are
/// checked; damage is a [`Corrupt`](crate::ErrorKind::Corrupt) error.
pub async fn read(bucket: &Bucket, meta: &BlockMeta) -> Result<Vec<MetricMetadata>> {
    let Some(file) = meta.stoa.files.iter().find(|file| is_metadata(&file.name)) else {
        return Ok(Vec::new());
    };
    if file.size_bytes > BYTES_MAX {
        return Err(Error::corrupt(format!("{} has {} bytes", file.name, file.size_bytes)));
    }
    let mut rows = Vec::new();
    read_rows(bucket, meta, file, &mut |batch| {
        rows.extend(from_batch(batch)?);
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// The rows of a batch whose strings are dictionaries.
pub(super) fn from_batch(batch: &RecordBatch) -> Result<Vec<MetricMetadata>> {
    let wrong = || Error::corrupt("a column of metadata is no text");
    let text = |at: usize| {
        let column = batch.columns().get(at).ok_or_else(wrong)?;
        let column = column.as_dictionary_opt::<Int32Type>().ok_or_else(wrong)?;
        column.downcast_dict::<StringArray>().ok_or_else(wrong)
    };
    let (metric, kind, unit, help) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let value = |column: &TypedDictionaryArray<'_, Int32Type, StringArray>, row| {
        column.value(row).to_owned()
    };
    let rows = (0..batch.num_rows()).map(|row| MetricMetadata {
        metric: value(&metric, row),
        kind: value(&kind, row),
        unit: value(&unit, row),
        help: value(&help, row),
    });
    Ok(rows.collect())
}
