//! A Parquet file being written, with the CRC of each page, chunk and of the tail.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::page_store::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;

use crate::block::encode::Chunk;
use crate::block::meta::{FileMeta, WRITER_VERSION};
use crate::block::{failed, schema::keys};
use crate::{Error, ErrorKind, Result};

/// A Parquet file of a block, open for writing.
pub(in crate::block) struct BlockFile {
    name: String,
    schema: SchemaRef,
    writer: SerializedFileWriter<Sink>,
    page_crcs: Vec<u32>,
    chunk_crcs: Vec<u32>,
    rows: u64,
}

impl std::fmt::Debug for BlockFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl BlockFile {
    /// Creates the file `name` in `dir`.
    pub(in crate::block) fn create(
        dir: &Path,
        name: impl Into<String>,
        schema: SchemaRef,
        properties: WriterPropertiesBuilder,
    ) -> Result<Self> {
        let name = name.into();
        let path = dir.join(&name);
        let file = File::create(&path).map_err(|e| {
            Error::new(ErrorKind::Unavailable, format!("create {}", path.display())).with_source(e)
        })?;
        let columns = ArrowSchemaConverter::new().convert(&schema).map_err(failed)?;
        let properties = properties.set_created_by(created_by()).build();
        let sink = Sink { file, crc: 0 };
        let writer =
            SerializedFileWriter::new(sink, columns.root_schema_ptr(), Arc::new(properties))
                .map_err(failed)?;
        Ok(Self { name, schema, writer, page_crcs: vec![], chunk_crcs: vec![], rows: 0 })
    }

    /// The leaf columns.
    pub(super) fn columns(&self) -> Vec<ColumnDescPtr> {
        self.writer.schema_descr().columns().to_vec()
    }

    /// Appends a row group of finished chunks, one a leaf column.
    pub(super) fn chunks(&mut self, rows: usize, chunks: Vec<Chunk>) -> Result<()> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for chunk in chunks {
            self.chunk_crcs.push(crc32c::crc32c(&chunk.bytes));
            self.page_crcs.extend(chunk.page_crcs);
            group.append_column(&chunk.bytes, chunk.close).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.rows += rows as u64;
        Ok(())
    }

    /// Begins a row group that the stock Arrow writer encodes.
    pub(in crate::block) fn arrow_group(&self) -> Result<ArrowGroup> {
        let crcs = Arc::new(Mutex::new(Vec::new()));
        let columns = ArrowRowGroupWriterFactory::new(&self.writer, Arc::clone(&self.schema))
            .with_page_store_factory(Arc::new(CrcStores(Arc::clone(&crcs))))
            .create_column_writers(self.writer.flushed_row_groups().len())
            .map_err(failed)?;
        Ok(ArrowGroup { schema: Arc::clone(&self.schema), columns, crcs, rows: 0 })
    }

    /// Appends the row group.
    pub(in crate::block) fn finish_arrow_group(&mut self, arrow: ArrowGroup) -> Result<()> {
        let mut group = self.writer.next_row_group().map_err(failed)?;
        for column in arrow.columns {
            let chunk = column.close().map_err(failed)?;
            chunk.append_to_row_group(&mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        self.rows += arrow.rows as u64;
        for blobs in arrow.crcs.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let mut chunk = 0;
            // A page is two blobs, its header and its body.
            for page in blobs.chunks(2) {
                let crc = page.iter().fold(0, |crc, blob| combine(crc, *blob));
                chunk =
                    combine(chunk, Blob { crc, length: page.iter().map(|blob| blob.length).sum() });
                self.page_crcs.push(crc);
            }
            self.chunk_crcs.push(chunk);
        }
        Ok(())
    }

    /// Writes the tail: page index and footer with `key_values` and the CRC of each page.
    pub(in crate::block) fn finish(mut self, key_values: Vec<(&str, String)>) -> Result<FileMeta> {
        let crcs: Vec<u8> = self.page_crcs.iter().flat_map(|crc| crc.to_le_bytes()).collect();
        for (key, value) in key_values.into_iter().chain([(keys::PAGE_CRC32C, BASE64.encode(crcs))])
        {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_string(), value));
        }
        self.writer.flush().map_err(failed)?;
        let tail_offset = self.writer.bytes_written() as u64;
        self.writer.inner_mut().crc = 0;
        self.writer.finish().map_err(failed)?;
        Ok(FileMeta {
            name: self.name,
            size_bytes: self.writer.bytes_written() as u64,
            rows: self.rows,
            tail_offset,
            tail_crc32c: self.writer.inner().crc,
            chunk_crc32c: self.chunk_crcs,
        })
    }
}

/// The writer's name in the form that Parquet readers parse.
fn created_by() -> String {
    format!("stoa version {WRITER_VERSION} (build stoa)")
}

/// A row group that the stock writer encodes, column by column.
pub(in crate::block) struct ArrowGroup {
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    crcs: Arc<Mutex<Vec<Vec<Blob>>>>,
    /// Rows so far.
    pub rows: usize,
}

impl std::fmt::Debug for ArrowGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrowGroup").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl ArrowGroup {
    /// Appends rows: one array a field of the schema. Pages are equal across columns if every call
    /// but the last brings exactly one page's rows.
    pub(in crate::block) fn write(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let mut columns = self.columns.iter_mut();
        for (field, array) in self.schema.fields().iter().zip(arrays) {
            for leaf in compute_leaves(field, array).map_err(failed)? {
                let column =
                    columns.next().ok_or_else(|| Error::internal("more leaves than columns"))?;
                column.write(&leaf).map_err(failed)?;
            }
        }
        self.rows += arrays.first().map_or(0, |array| array.len());
        Ok(())
    }
}

/// The file, and the CRC of what was written since it was last set to 0.
#[derive(Debug)]
struct Sink {
    file: File,
    crc: u32,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, &bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A piece of a page as the stock writer hands it out.
#[derive(Debug, Clone, Copy)]
struct Blob {
    crc: u32,
    length: usize,
}

fn combine(crc: u32, next: Blob) -> u32 {
    crc32c::crc32c_combine(crc, next.crc, next.length)
}

/// Makes [`CrcStore`]s; each leaves the CRCs of its column here when its chunk is in the file.
#[derive(Debug)]
struct CrcStores(Arc<Mutex<Vec<Vec<Blob>>>>);

impl PageStoreFactory for CrcStores {
    fn create(&self, _: &PageStoreArgs<'_>) -> parquet::errors::Result<Box<dyn PageStore>> {
        Ok(Box::new(CrcStore { blobs: vec![], taken: vec![], done: Arc::clone(&self.0) }))
    }
}

/// Keeps the pages of a column in memory until they are taken, in the order of the file.
struct CrcStore {
    blobs: Vec<Option<Bytes>>,
    taken: Vec<Blob>,
    done: Arc<Mutex<Vec<Vec<Blob>>>>,
}

impl PageStore for CrcStore {
    fn put(&mut self, value: Bytes) -> parquet::errors::Result<PageKey> {
        self.blobs.push(Some(value));
        Ok(PageKey::new(self.blobs.len() as u64 - 1))
    }

    fn take(&mut self, key: PageKey) -> parquet::errors::Result<Bytes> {
        let blob = self
            .blobs
            .get_mut(key.get() as usize)
            .and_then(Option::take)
            .ok_or_else(|| ParquetError::General(format!("page {} is not there", key.get())))?;
        self.taken.push(Blob { crc: crc32c::crc32c(&blob), length: blob.len() });
        Ok(blob)
    }
}

impl Drop for CrcStore {
    fn drop(&mut self) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(std::mem::take(&mut self.taken));
    }
}
