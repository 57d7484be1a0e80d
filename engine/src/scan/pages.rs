//! The pages of one column of one file: where they lie and how one is decoded.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::fast::{FastDecoder, Unpacked};
use crate::block::FileReader;
use crate::{Error, Result};

/// A number that a column holds.
pub(crate) trait Number: Copy + Default + Send + Sync + 'static {
    /// Its Parquet type.
    type Physical: DataType<T = Self>;
    /// Whether it is a whole number.
    const WHOLE: bool;

    /// The number whose bits are `word`.
    fn from_word(word: u64) -> Self;
}

impl Number for i64 {
    type Physical = Int64Type;
    const WHOLE: bool = true;

    #[inline]
    fn from_word(word: u64) -> Self {
        word as Self
    }
}

impl Number for f64 {
    type Physical = DoubleType;
    const WHOLE: bool = false;

    #[inline]
    fn from_word(word: u64) -> Self {
        Self::from_bits(word)
    }
}

/// Where one page lies.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Its first row, counted over the file.
    pub(crate) first_row: u64,
    /// Its rows.
    pub(crate) rows: u32,
    /// Its bytes, header included.
    pub(crate) bytes: Range<u64>,
    /// The chunk that it belongs to.
    chunk: u32,
}

/// What all pages of a column chunk share.
#[derive(Debug)]
struct Chunk {
    dictionary: Option<Range<u64>>,
    compression: Compression,
}

/// The pages of one column of a file, in order.
#[derive(Debug, Default)]
pub(crate) struct PageTable {
    /// None for a file that does not exist; it has no page then.
    column: Option<ColumnDescPtr>,
    pages: Vec<Page>,
    chunks: Vec<Chunk>,
}

impl PageTable {
    /// The pages of leaf `column` of `file`, from its page index. An index that is missing or
    /// contradicts itself is a [`Corrupt`](crate::ErrorKind::Corrupt) error.
    pub(crate) fn new<N: Number>(file: &FileReader, column: usize) -> Result<Self> {
        Self::of::<N>(file, column, 0)
    }

    /// The pages of leaf `column`, in which numbers may be missing: those are 0. Without pages if all
    /// are missing.
    pub(crate) fn optional<N: Number>(file: &FileReader, column: usize) -> Result<Self> {
        let missing = |group: &RowGroupMetaData| {
            let column = group.columns().get(column)?;
            let nulls = column.statistics()?.null_count_opt()?;
            Some(i64::try_from(nulls) == Ok(group.num_rows()))
        };
        let groups = file.metadata().row_groups();
        match groups.iter().all(|group| missing(group) == Some(true)) {
            true => Ok(Self::default()),
            false => Self::of::<N>(file, column, 1),
        }
    }

    fn of<N: Number>(file: &FileReader, column: usize, levels: i16) -> Result<Self> {
        let bad = |what: &str| {
            Error::corrupt(format!("{}: page index of column {column}: {what}", file.path()))
        };
        let metadata = file.metadata();
        let schema = metadata.file_metadata().schema_descr();
        if column >= schema.num_columns() {
            return Err(bad("no such column"));
        }
        let descriptor = schema.column(column);
        let is_type = descriptor.physical_type() == N::Physical::get_physical_type();
        if !is_type || descriptor.max_def_level() != levels || descriptor.max_rep_level() != 0 {
            return Err(bad("unexpected type"));
        }
        let index = metadata.offset_index().ok_or_else(|| bad("missing"))?;
        let mut table = Self { column: Some(descriptor), pages: Vec::new(), chunks: Vec::new() };
        let mut group_start = 0;
        for (at, group) in metadata.row_groups().iter().enumerate() {
            let group_rows = u64::try_from(group.num_rows()).map_err(|_| bad("negative rows"))?;
            let locations =
                index.get(at).and_then(|g| g.get(column)).ok_or_else(|| bad("missing"))?;
            let chunk = group.column(column);
            table.chunks.push(Chunk {
                dictionary: dictionary(chunk).map_err(|_| bad("dictionary offset"))?,
                compression: chunk.compression(),
            });
            let locations = locations.page_locations();
            for (page, location) in locations.iter().enumerate() {
                let next = match locations.get(page + 1) {
                    Some(next) => u64::try_from(next.first_row_index).unwrap_or(0),
                    None => group_rows,
                };
                let first = u64::try_from(location.first_row_index).unwrap_or(u64::MAX);
                let rows = next.checked_sub(first).and_then(|rows| u32::try_from(rows).ok());
                let start = u64::try_from(location.offset).map_err(|_| bad("negative offset"))?;
                let size = u64::try_from(location.compressed_page_size)
                    .map_err(|_| bad("negative size"))?;
                let (Some(rows @ 1..), true) = (rows, next <= group_rows) else {
                    return Err(bad("rows do not ascend"));
                };
                let end = start.checked_add(size).ok_or_else(|| bad("offset"))?;
                table.pages.push(Page {
                    first_row: group_start + first,
                    rows,
                    bytes: start..end,
                    chunk: at as u32,
                });
            }
            group_start += group_rows;
        }
        let contiguous = table
            .pages
            .windows(2)
            .all(|pair| pair[0].first_row + u64::from(pair[0].rows) == pair[1].first_row);
        let from_zero = table.pages.first().is_none_or(|page| page.first_row == 0);
        if !contiguous || !from_zero {
            return Err(bad("rows without a page"));
        }
        Ok(table)
    }

    /// The pages.
    pub(crate) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The bytes of the dictionary that page `page` needs.
    pub(crate) fn dictionary(&self, page: usize) -> Option<Range<u64>> {
        self.chunks[self.pages[page].chunk as usize].dictionary.clone()
    }

    /// The page that holds `row`; `hint` is a page that is probably at or just before it.
    pub(crate) fn find(&self, row: u64, hint: usize) -> Option<usize> {
        let holds = |at: usize| {
            let page = self.pages.get(at)?;
            (page.first_row <= row && row - page.first_row < u64::from(page.rows)).then_some(at)
        };
        holds(hint).or_else(|| holds(hint + 1)).or_else(|| {
            holds(self.pages.partition_point(|page| page.first_row <= row).checked_sub(1)?)
        })
    }

    /// Unpacks page `page` from its bytes (and its dictionary's, if it has one).
    pub(super) fn unpack<N: Number>(
        &self,
        page: usize,
        dictionary: Option<&Bytes>,
        bytes: &Bytes,
        fast: &mut FastDecoder,
    ) -> Result<Unpacked<N>> {
        let Page { rows, chunk, .. } = self.pages[page];
        if dictionary.is_none()
            && !self.is_optional()
            && matches!(self.chunks[chunk as usize].compression, Compression::ZSTD(_))
        {
            let unpacked = fast.unpack(bytes, rows as usize);
            if let Some(unpacked) = unpacked.map_err(|e| e.context(format!("page {page}")))? {
                return Ok(unpacked);
            }
        }
        // The Parquet crate may panic on bytes that no writer makes and that have the right CRC.
        catch_unwind(AssertUnwindSafe(|| self.decode_page(page, dictionary, bytes)))
            .unwrap_or_else(|_| Err(Error::corrupt(format!("page {page}: the decoder panicked"))))
            .map(Unpacked::Numbers)
    }

    fn decode_page<N: Number>(
        &self,
        page: usize,
        dictionary: Option<&Bytes>,
        bytes: &Bytes,
    ) -> Result<Vec<N>> {
        let rows = self.pages[page].rows as usize;
        let chunk = &self.chunks[self.pages[page].chunk as usize];
        let corrupt = |e: &dyn std::fmt::Display| Error::corrupt(format!("page {page}: {e}"));
        let (input, data_at) = match dictionary {
            None => (bytes.clone(), 0),
            Some(dictionary) => {
                let both = [dictionary.as_ref(), bytes.as_ref()].concat();
                (Bytes::from(both), dictionary.len() as i64)
            }
        };
        let column = self.column.as_ref().ok_or_else(|| corrupt(&"no such file"))?;
        let mut metadata = ColumnChunkMetaData::builder(Arc::clone(column))
            .set_compression(chunk.compression)
            .set_num_values(rows as i64)
            .set_total_compressed_size(input.len() as i64)
            .set_data_page_offset(data_at);
        if dictionary.is_some() {
            metadata = metadata.set_dictionary_page_offset(Some(0));
        }
        let metadata = metadata.build().map_err(|e| corrupt(&e))?;
        let pages = SerializedPageReader::new(Arc::new(input), &metadata, rows, None)
            .map_err(|e| corrupt(&e))?;
        let reader = get_column_reader(Arc::clone(column), Box::new(pages));
        let mut reader: ColumnReaderImpl<N::Physical> = get_typed_column_reader(reader);
        let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::new());
        let level = self.is_optional().then_some(&mut levels);
        let (read, ..) =
            reader.read_records(rows, level, None, &mut values).map_err(|e| corrupt(&e))?;
        let there = levels.iter().filter(|&&level| level > 0).count();
        let expected = if self.is_optional() { (rows, there) } else { (0, rows) };
        if read != rows || (levels.len(), values.len()) != expected {
            return Err(corrupt(&format_args!("{read} rows instead of {rows}")));
        }
        if !self.is_optional() {
            return Ok(values);
        }
        let mut values = values.into_iter();
        let number = |level: i16| if level > 0 { values.next() } else { None };
        Ok(levels.into_iter().map(number).map(Option::unwrap_or_default).collect())
    }

    /// Whether numbers may be missing.
    fn is_optional(&self) -> bool {
        self.column.as_ref().is_some_and(|column| column.max_def_level() > 0)
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn memory_size(&self) -> usize {
        self.pages.capacity() * size_of::<Page>() + self.chunks.capacity() * size_of::<Chunk>()
    }
}

fn dictionary(chunk: &ColumnChunkMetaData) -> Result<Option<Range<u64>>, ()> {
    let Some(start) = chunk.dictionary_page_offset() else { return Ok(None) };
    let start = u64::try_from(start).map_err(|_| ())?;
    let end = u64::try_from(chunk.data_page_offset()).map_err(|_| ())?;
    if start < end { Ok(Some(start..end)) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::schema::samples;
    use crate::source::test_block;

    /// The pages of a real file: this decoder and the Parquet crate's give the same bits.
    #[tokio::test]
    async fn the_fast_decoder_is_the_parquet_crate() {
        let (bucket, block) = test_block().await;
        let file = block.samples.as_ref().unwrap();
        let whole = bucket.get(file.path()).await.unwrap();
        let mut fast = FastDecoder::new().unwrap();
        let mut pages = 0;
        for column in [samples::TS, samples::VALUE] {
            let ts = column == samples::TS;
            let table = match ts {
                true => PageTable::new::<i64>(file, column).unwrap(),
                false => PageTable::new::<f64>(file, column).unwrap(),
            };
            for (at, page) in table.pages().iter().enumerate() {
                let bytes = whole.slice(page.bytes.start as usize..page.bytes.end as usize);
                let rows = page.rows as usize;
                if ts {
                    let mut ours = Vec::new();
                    fast.unpack::<i64>(&bytes, rows).unwrap().unwrap().append(0..rows, &mut ours);
                    assert_eq!(ours, table.decode_page::<i64>(at, None, &bytes).unwrap());
                } else {
                    let mut ours = Vec::new();
                    fast.unpack::<f64>(&bytes, rows).unwrap().unwrap().append(0..rows, &mut ours);
                    let theirs = table.decode_page::<f64>(at, None, &bytes).unwrap();
                    let bits = |v: Vec<f64>| v.into_iter().map(f64::to_bits).collect::<Vec<_>>();
                    assert_eq!(bits(ours), bits(theirs));
                }
                pages += 1;
            }
        }
        assert!(pages > 20, "{pages} pages");
    }
}
