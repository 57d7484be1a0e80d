//! The bytes of a block's files: sizes, tails, and the CRC of each page and chunk.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use parquet::DecodeResult;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;

use super::problems::Problems;
use crate::block::meta::{FORMAT_VERSION, FileMeta};
use crate::block::reader::{MAGIC, guarded};
use crate::block::schema::keys;
use crate::block::{BlockMeta, FileReader};
use crate::bucket::Bucket;
use crate::{Error, Result};

/// Row groups that are fetched while one is looked at.
const AHEAD: usize = 2;

/// A file whose size and tail are right.
pub(super) struct Contents<'a> {
    file: &'a FileMeta,
    pub(super) reader: FileReader,
}

/// The bytes of a row group.
pub(super) struct Group {
    pub(super) number: usize,
    /// Its rows, counted over the file.
    pub(super) rows: Range<u64>,
    /// Where in the file `bytes` begin: the magic bytes before the first row group are part of it.
    start: u64,
    pub(super) bytes: Bytes,
}

impl<'a> Contents<'a> {
    /// Opens the file; none if its size or tail is wrong, with the problem. Errors are those of
    /// storage.
    pub(super) async fn open(
        bucket: &Bucket,
        meta: &BlockMeta,
        file: &'a FileMeta,
        problems: &mut Problems,
    ) -> Result<Option<Self>> {
        let path = BlockMeta::path(meta.ulid, &file.name);
        let size = bucket.head(&path).await?;
        if size != file.size_bytes {
            let (name, should) = (&file.name, file.size_bytes);
            problems.add(format!("{name} has {size} bytes, meta.json says {should}"));
            return Ok(None);
        }
        let tail = bucket.get_range(&path, file.tail_offset..file.size_bytes).await?;
        let reader = FileReader::open(path, file, tail)?;
        let contents = Self { file, reader };
        contents.check_footer(meta, problems);
        if contents.chunks() != file.chunk_crc32c.len() {
            problems.add(format!(
                "{} has {} column chunks, meta.json has the CRC32C of {}",
                file.name,
                contents.chunks(),
                file.chunk_crc32c.len()
            ));
        }
        Ok(Some(contents))
    }

    pub(super) fn name(&self) -> &'a str {
        &self.file.name
    }

    pub(super) fn tail_bytes(&self) -> u64 {
        self.file.size_bytes - self.file.tail_offset
    }

    fn chunks(&self) -> usize {
        self.reader.metadata().row_groups().iter().map(|group| group.num_columns()).sum()
    }

    /// Whether the footer says of which block and format it is.
    fn check_footer(&self, meta: &BlockMeta, problems: &mut Problems) {
        let mut equal = |key: &str, should: String| {
            let is = self.reader.key_value(key);
            if is != Some(should.as_str()) {
                problems.add(format!("{}: {key} is {is:?} instead of {should}", self.name()));
            }
        };
        equal(keys::FORMAT, FORMAT_VERSION.to_string());
        equal(keys::BLOCK, meta.ulid.to_string());
        let external = self.reader.key_value(keys::EXTERNAL_LABELS).unwrap_or_default();
        let external: Option<BTreeMap<String, String>> = serde_json::from_str(external).ok();
        if external.as_ref() != Some(&meta.thanos.labels) {
            let name = self.name();
            problems.add(format!("{name}: its external labels are not those of meta.json"));
        }
    }

    /// The bytes of row group `number` in the file, the magic bytes before the first included.
    fn span(&self, number: usize) -> Range<u64> {
        let columns = self.reader.metadata().row_group(number).columns();
        let bytes = |at: Option<&parquet::file::metadata::ColumnChunkMetaData>| {
            at.map_or((0, 0), |chunk| chunk.byte_range())
        };
        let ((first, _), (last, length)) = (bytes(columns.first()), bytes(columns.last()));
        // The reader has made sure that chunks follow each other from the magic bytes on.
        let start = if number == 0 { 0 } else { first };
        start..last + length
    }

    fn group(&self, number: usize, bytes: Bytes) -> Group {
        let rows = |groups: &[parquet::file::metadata::RowGroupMetaData]| -> u64 {
            groups.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).sum()
        };
        let groups = self.reader.metadata().row_groups();
        let rows = rows(&groups[..number])..rows(&groups[..=number]);
        Group { number, rows, start: self.span(number).start, bytes }
    }

    /// The row groups, one after the other.
    pub(super) fn groups(&self, bucket: &Bucket) -> impl Stream<Item = Result<Group>> + Unpin {
        let fetches: Vec<_> = (0..self.reader.metadata().num_row_groups())
            .map(|number| (number, self.span(number)))
            .collect();
        let fetched = stream::iter(fetches).map(move |(number, span)| async move {
            let bytes = bucket.get_range(self.reader.path(), span).await?;
            Ok(self.group(number, bytes))
        });
        Box::pin(fetched.buffered(AHEAD))
    }

    /// All bytes before the tail.
    pub(super) async fn all_pages(&self, bucket: &Bucket) -> Result<Bytes> {
        bucket.get_range(self.reader.path(), 0..self.file.tail_offset).await
    }

    /// The row groups that lie in `pages`, the bytes before the tail.
    pub(super) fn groups_in(&self, pages: &Bytes) -> Vec<Group> {
        let group = |number: usize| {
            let span = self.span(number);
            self.group(number, pages.slice(span.start as usize..span.end as usize))
        };
        (0..self.reader.metadata().num_row_groups()).map(group).collect()
    }

    /// Whether all CRCs of a row group are right; each that is not is a problem.
    pub(super) fn check(&self, group: &Group, problems: &mut Problems) -> bool {
        let mut sound = group.number > 0 || self.check_magic(&group.bytes, problems);
        let columns = self.reader.metadata().row_group(group.number).columns();
        let first = group.number * columns.len();
        for (at, chunk) in columns.iter().enumerate() {
            let place =
                format!("{}, row group {}, {}", self.name(), group.number, chunk.column_path());
            let (start, length) = chunk.byte_range();
            let from = (start - group.start) as usize;
            let bytes = &group.bytes[from..from + length as usize];
            match self.reader.damaged(start..start + length, bytes) {
                Ok(pages) => {
                    for page in pages {
                        sound = false;
                        problems.add(format!(
                            "{place}: the CRC32C of the page at bytes {page:?} does not match"
                        ));
                    }
                }
                Err(error) => {
                    sound = false;
                    problems.add(error.context(&place));
                }
            }
            let crc = self.file.chunk_crc32c.get(first + at);
            if crc.is_some_and(|&crc| crc != crc32c::crc32c(bytes)) {
                sound = false;
                problems.add(format!("{place}: the CRC32C of the chunk does not match"));
            }
        }
        sound
    }

    /// Whether the file begins as a Parquet file.
    pub(super) fn check_magic(&self, bytes: &[u8], problems: &mut Problems) -> bool {
        let sound = bytes.starts_with(MAGIC);
        if !sound {
            problems.add(format!("{} does not begin as a Parquet file", self.name()));
        }
        sound
    }

    /// Whether the file's columns begin with those of `schema`: a later version may append some.
    pub(super) fn check_columns(&self, schema: &Schema, problems: &mut Problems) -> bool {
        let expected = match ArrowSchemaConverter::new().convert(schema) {
            Ok(expected) => expected,
            Err(error) => {
                problems.add(Error::corrupt(self.name()).with_source(error));
                return false;
            }
        };
        let found = self.reader.metadata().file_metadata().schema();
        let mut right = true;
        for (at, field) in expected.root_schema().get_fields().iter().enumerate() {
            let other = found.get_fields().get(at);
            if other != Some(field) {
                right = false;
                let other = other.map(|field| field.name());
                problems.add(format!(
                    "{}: column {at} is {other:?}, not {:?} as the format has it",
                    self.name(),
                    field.name()
                ));
            }
        }
        right
    }

    /// Decodes a row group, at most `rows` rows at a time; strings are dictionaries.
    pub(super) fn decode(
        &self,
        group: &Group,
        rows: usize,
        each: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        guarded(self.name(), || {
            let unreadable = |e: parquet::errors::ParquetError| {
                Error::corrupt("cannot be decoded").with_source(e)
            };
            let metadata = self.reader.arrow_metadata()?;
            let mut decoder = ParquetPushDecoderBuilder::new_with_metadata(metadata)
                .with_row_groups(vec![group.number])
                .with_batch_size(rows)
                .build()
                .map_err(unreadable)?;
            loop {
                match decoder.try_decode().map_err(unreadable)? {
                    DecodeResult::NeedsData(ranges) => {
                        for range in ranges {
                            let bytes = group.slice(&range).ok_or_else(|| {
                                Error::corrupt(format!("bytes {range:?} are not in the row group"))
                            })?;
                            decoder.push_range(range, bytes).map_err(unreadable)?;
                        }
                    }
                    DecodeResult::Data(batch) => each(&batch)?,
                    DecodeResult::Finished => return Ok(()),
                }
            }
        })
    }
}

impl Group {
    fn slice(&self, range: &Range<u64>) -> Option<Bytes> {
        let from = usize::try_from(range.start.checked_sub(self.start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(self.start)?).ok()?;
        (from <= to && to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}
