//! The tail of a Parquet file of a block, and the check of its pages.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};

use crate::block::meta::FileMeta;
use crate::block::schema::keys;
use crate::{Error, Result};

/// The first bytes of a Parquet file, before the first page.
pub(in crate::block) const MAGIC: &[u8] = b"PAR1";

/// A Parquet file of a block without its pages: metadata with page index, and the CRC of each page.
#[derive(Debug)]
pub struct FileReader {
    path: String,
    rows: u64,
    metadata: Arc<ParquetMetaData>,
    /// Where each page begins, ascending, and the end of the last.
    starts: Vec<u64>,
    crcs: Vec<u32>,
}

impl FileReader {
    /// Reads the `tail` of the object `path`, which `file` describes.
    pub(in crate::block) fn open(path: String, file: &FileMeta, tail: Bytes) -> Result<Self> {
        let wrong = |what: &str| Error::corrupt(format!("{path}: {what}"));
        if tail.len() as u64 != file.size_bytes - file.tail_offset {
            return Err(wrong("the tail has another length than in meta.json"));
        }
        if crc32c::crc32c(&tail) != file.tail_crc32c {
            return Err(wrong("the CRC of the tail does not match"));
        }
        let metadata = guarded(&path, || metadata(file, tail))?;
        let rows: i64 = metadata.row_groups().iter().map(|group| group.num_rows()).sum();
        if u64::try_from(rows) != Ok(file.rows) {
            return Err(wrong(&format!("{rows} rows, {} in meta.json", file.rows)));
        }
        let starts =
            page_starts(&metadata, file).ok_or_else(|| wrong("the pages do not fill the file"))?;
        let crcs = key_value(&metadata, keys::PAGE_CRC32C)
            .and_then(|text| BASE64.decode(text).ok())
            .ok_or_else(|| wrong("the footer has no CRCs of pages"))?;
        let crcs: Vec<u32> = crcs
            .chunks_exact(4)
            .map(|crc| u32::from_le_bytes([crc[0], crc[1], crc[2], crc[3]]))
            .collect();
        if crcs.len() + 1 != starts.len() {
            return Err(wrong(&format!("{} CRCs for {} pages", crcs.len(), starts.len() - 1)));
        }
        Ok(Self { path, rows: file.rows, metadata: Arc::new(metadata), starts, crcs })
    }

    /// The object's path in the bucket.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file's metadata, with column index and offset index.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }

    /// How Arrow reads the file: strings as dictionaries, which is what they are in it. Columns that
    /// a later version has appended are among its fields.
    pub(crate) fn arrow_metadata(&self) -> Result<ArrowReaderMetadata> {
        let read = |options| {
            ArrowReaderMetadata::try_new(Arc::clone(&self.metadata), options)
                .map_err(|e| Error::corrupt("unexpected columns").with_source(e))
        };
        let plain = read(ArrowReaderOptions::new().with_skip_arrow_metadata(true))?;
        let schema = Arc::new(dictionaries(plain.schema()));
        read(ArrowReaderOptions::new().with_schema(schema))
    }

    /// How many rows the file has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The value of `key` in the footer.
    pub(in crate::block) fn key_value(&self, key: &str) -> Option<&str> {
        key_value(&self.metadata, key)
    }

    /// Checks `bytes`, read from `range` of the file, before they are decoded. The range begins and
    /// ends at edges of pages (as the offset index and the dictionary offset give them); it may span
    /// many. A mismatch is a [`Corrupt`](crate::ErrorKind::Corrupt) error that names the page.
    pub fn check(&self, range: Range<u64>, bytes: &[u8]) -> Result<()> {
        match self.damaged(range, bytes)?.next() {
            None => Ok(()),
            Some(page) => Err(Error::corrupt(format!(
                "{}: the CRC of the page at bytes {page:?} does not match",
                self.path
            ))),
        }
    }

    /// The pages whose CRC does not match; else as [`Self::check`].
    pub(in crate::block) fn damaged<'a>(
        &'a self,
        range: Range<u64>,
        bytes: &'a [u8],
    ) -> Result<impl Iterator<Item = Range<u64>> + 'a> {
        let wrong = |what: String| Error::corrupt(format!("{}: {what}", self.path));
        let edge = |at: u64| {
            self.starts
                .binary_search(&at)
                .map_err(|_| wrong(format!("no page begins or ends at byte {at}")))
        };
        let (first, last) = (edge(range.start)?, edge(range.end)?);
        if range.end.checked_sub(range.start) != Some(bytes.len() as u64) {
            return Err(wrong(format!("{} bytes for {range:?}", bytes.len())));
        }
        Ok((first..last).filter_map(move |page| {
            let page_bytes = self.starts[page]..self.starts[page + 1];
            let from = (page_bytes.start - range.start) as usize;
            let to = (page_bytes.end - range.start) as usize;
            (crc32c::crc32c(&bytes[from..to]) != self.crcs[page]).then_some(page_bytes)
        }))
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        self.metadata.memory_size() + self.starts.len() * 12
    }
}

fn dictionaries(schema: &Schema) -> Schema {
    let strings = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = |field: &Arc<Field>| match field.data_type() {
        DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(strings.clone())),
        _ => Arc::clone(field),
    };
    Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>())
}

fn metadata(file: &FileMeta, tail: Bytes) -> Result<ParquetMetaData> {
    let unreadable = |e| Error::corrupt("the footer cannot be read").with_source(e);
    let mut decoder = ParquetMetaDataPushDecoder::try_new(file.size_bytes)
        .map_err(unreadable)?
        .with_page_index_policy(PageIndexPolicy::Required);
    decoder.push_range(file.tail_offset..file.size_bytes, tail).map_err(unreadable)?;
    match decoder.try_decode().map_err(unreadable)? {
        DecodeResult::Data(metadata) => Ok(metadata),
        DecodeResult::NeedsData(_) => Err(Error::corrupt("the footer reaches before the tail")),
        DecodeResult::Finished => Err(Error::corrupt("there is no footer")),
    }
}

/// Where the pages begin, and the end of the last one; they must fill the file from the magic bytes to
/// the tail.
fn page_starts(metadata: &ParquetMetaData, file: &FileMeta) -> Option<Vec<u64>> {
    let mut starts = Vec::new();
    let mut end = MAGIC.len() as u64;
    let index = match metadata.num_row_groups() {
        0 => &[][..],
        _ => metadata.offset_index()?.as_slice(),
    };
    if index.len() != metadata.num_row_groups() {
        return None;
    }
    for (group, offsets) in metadata.row_groups().iter().zip(index) {
        if offsets.len() != group.num_columns() {
            return None;
        }
        for (chunk, offsets) in group.columns().iter().zip(offsets) {
            let pages = offsets.page_locations();
            let first = u64::try_from(pages.first()?.offset).ok()?;
            let chunk_start = end;
            if let Some(dictionary) = chunk.dictionary_page_offset() {
                let dictionary = u64::try_from(dictionary).ok()?;
                if dictionary != end || first <= dictionary {
                    return None;
                }
                starts.push(dictionary);
                end = first;
            }
            for page in pages {
                let start = u64::try_from(page.offset).ok()?;
                let size = u64::try_from(page.compressed_page_size).ok().filter(|&s| s > 0)?;
                if start != end {
                    return None;
                }
                starts.push(start);
                end = start.checked_add(size)?;
            }
            if chunk.byte_range() != (chunk_start, end - chunk_start) {
                return None;
            }
        }
    }
    starts.push(end);
    (end == file.tail_offset).then_some(starts)
}

fn key_value<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let all = metadata.file_metadata().key_value_metadata()?;
    all.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// Runs `decode`, which may panic on bytes that no writer of this project makes: the Parquet crate
/// does not promise otherwise. CRCs come first, so this is about forged files.
pub(crate) fn guarded<T>(path: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|e| e.context(path)),
        Err(_) => Err(Error::corrupt(format!("{path}: the decoder panicked"))),
    }
}
