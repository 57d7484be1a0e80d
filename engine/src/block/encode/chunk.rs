//! A column chunk in memory: pages with their headers, CRCs and page index.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::Result;
use crate::block::failed;

/// The zstd level that is written in a file's metadata; readers do not need it.
const NOMINAL_LEVEL: i32 = 3;

/// A finished column chunk.
#[derive(Debug)]
pub(in crate::block) struct Chunk {
    /// Its bytes as in the file.
    pub bytes: Bytes,
    /// CRC32C of each page, header included, dictionary page first.
    pub page_crcs: Vec<u32>,
    /// What the Parquet writer must know.
    pub close: ColumnCloseResult,
}

/// Makes a column chunk from the bodies of its pages.
pub(super) struct ChunkBuilder {
    column: ColumnDescPtr,
    compressed: bool,
    bytes: Vec<u8>,
    page_crcs: Vec<u32>,
    uncompressed: usize,
    rows: usize,
    dictionary_at: Option<i64>,
    data_at: Option<i64>,
    encodings: Vec<Encoding>,
    offsets: OffsetIndexBuilder,
}

impl std::fmt::Debug for ChunkBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkBuilder").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// The bounds of a page as bytes (PLAIN, without length), for the column index.
#[derive(Debug, Clone, Default)]
pub(super) struct PageBounds {
    pub min: Vec<u8>,
    pub max: Vec<u8>,
    pub nulls: usize,
    pub all_null: bool,
}

impl ChunkBuilder {
    /// A chunk of `column` whose page bodies are zstd frames, or not compressed.
    pub(super) fn new(column: ColumnDescPtr, compressed: bool) -> Self {
        Self {
            column,
            compressed,
            bytes: Vec::new(),
            page_crcs: Vec::new(),
            uncompressed: 0,
            rows: 0,
            dictionary_at: None,
            data_at: None,
            encodings: Vec::new(),
            offsets: OffsetIndexBuilder::new(),
        }
    }

    /// The dictionary page, before all data pages: `body` as it goes into the file, made of `plain`
    /// bytes, with `values` entries.
    pub(super) fn dictionary(&mut self, body: &[u8], plain: usize, values: usize) -> Result<()> {
        self.dictionary_at = Some(self.bytes.len() as i64);
        self.encoding(Encoding::PLAIN);
        let page = Page::DictionaryPage {
            buf: Bytes::copy_from_slice(body),
            num_values: values as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.page(page, plain)?;
        Ok(())
    }

    /// A data page of `rows` rows: `body` as it goes into the file, made of `plain` bytes.
    pub(super) fn data(
        &mut self,
        body: &[u8],
        plain: usize,
        rows: usize,
        encoding: Encoding,
    ) -> Result<()> {
        let offset = self.bytes.len() as i64;
        self.data_at.get_or_insert(offset);
        self.encoding(encoding);
        let page = Page::DataPage {
            buf: Bytes::copy_from_slice(body),
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let size = self.page(page, plain)?;
        self.rows += rows;
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(offset, size as i32);
        self.offsets.append_unencoded_byte_array_data_bytes(None);
        Ok(())
    }

    fn encoding(&mut self, encoding: Encoding) {
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
    }

    fn page(&mut self, page: Page, plain: usize) -> Result<usize> {
        let start = self.bytes.len();
        let mut sink = TrackedWrite::new(&mut self.bytes);
        let spec = SerializedPageWriter::new(&mut sink)
            .write_page(CompressedPage::new(page, plain))
            .map_err(failed)?;
        sink.into_inner().map_err(failed)?;
        self.uncompressed += spec.uncompressed_size;
        self.page_crcs.push(crc32c::crc32c(&self.bytes[start..]));
        Ok(self.bytes.len() - start)
    }

    /// The finished chunk. `bounds` has one entry a data page, or none at all for a column that is
    /// not pruned by.
    pub(super) fn finish(
        mut self,
        statistics: Option<Statistics>,
        bounds: Option<Vec<PageBounds>>,
    ) -> Result<Chunk> {
        self.encoding(Encoding::RLE);
        let codec = match self.compressed {
            true => Compression::ZSTD(ZstdLevel::try_new(NOMINAL_LEVEL).map_err(failed)?),
            false => Compression::UNCOMPRESSED,
        };
        let mut metadata = ColumnChunkMetaData::builder(self.column.clone())
            .set_encodings(self.encodings)
            .set_compression(codec)
            .set_total_compressed_size(self.bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(self.data_at.unwrap_or(0))
            .set_dictionary_page_offset(self.dictionary_at);
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let column_index = match bounds {
            None => None,
            Some(bounds) => {
                let mut index = ColumnIndexBuilder::new(self.column.physical_type());
                for page in bounds {
                    index.append(page.all_null, page.min, page.max, page.nulls as i64);
                }
                Some(index.build().map_err(failed)?)
            }
        };
        Ok(Chunk {
            close: ColumnCloseResult {
                bytes_written: self.bytes.len() as u64,
                rows_written: self.rows as u64,
                metadata: metadata.build().map_err(failed)?,
                bloom_filter: None,
                column_index,
                offset_index: Some(self.offsets.build()),
            },
            bytes: self.bytes.into(),
            page_crcs: self.page_crcs,
        })
    }
}
