//! A small block, and forgeries of it: the content is changed, and every CRC is right again.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, MapArray, PrimitiveArray, RecordBatch,
    StringArray, new_null_array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Encoding;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use super::super::{VerifyReport, verify};
use crate::Result;
use crate::block::meta::{Compaction, FileMeta, META_FILE};
use crate::block::schema::{
    HISTOGRAMS_FILE, PAGE_ROWS, SAMPLES_FILE, SERIES_FILE, histograms_schema, keys, samples_schema,
};
use crate::block::writer::BlockFile;
use crate::block::{BlockId, BlockMeta, BlockSettings, BlockWriter, order};
use crate::bucket::Bucket;
use crate::model::{
    CounterResetHint, Histogram, HistogramCounts, LabelTable, Labels, STALE_NAN_BITS, Span,
};

pub(super) const HOUR: i64 = 3_600_000;
/// Samples of each series in each of the two time buckets.
pub(super) const IN_BUCKET: usize = 20;

/// A block in a folder.
pub(super) struct TestBlock {
    dir: tempfile::TempDir,
    pub(super) meta: BlockMeta,
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).unwrap()
}

fn histogram(at: usize) -> Histogram {
    let positive = vec![at as i64, 2, 3];
    Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 2,
        zero_threshold: 0.001,
        sum: at as f64 * 1.5,
        positive_spans: vec![Span { offset: -1, length: 2 }, Span { offset: 3, length: 1 }],
        negative_spans: vec![],
        custom_values: vec![],
        counts: HistogramCounts::Int {
            count: at as u64 + 6,
            zero_count: 1,
            positive,
            negative: vec![],
        },
    }
}

impl TestBlock {
    /// Series 0 to 3 are floats, with start timestamps in series 0 and stale markers in series 3;
    /// series 4 has histograms.
    pub(super) fn new() -> Self {
        let sets = [
            labels(&[("__name__", "cpu"), ("job", "a"), ("pod", "0")]),
            labels(&[("__name__", "cpu"), ("job", "a"), ("pod", "1")]),
            labels(&[("__name__", "mem"), ("job", "a"), ("pod", "0")]),
            labels(&[("__name__", "mem"), ("job", "b"), ("pod", "0")]),
            labels(&[("__name__", "size"), ("job", "b")]),
        ];
        let table = LabelTable::from_labels(&sets);
        assert_eq!(order::sort(&table), [0, 1, 2, 3, 4]);
        let settings = BlockSettings {
            ulid: "01K6H00000000000000000TEST".parse().unwrap(),
            external_labels: labels(&[("replica", "a")]),
            source: "test".into(),
            resolution_ms: 0,
            min_time: 0,
            max_time: 4 * HOUR,
            bucket_ms: 2 * HOUR,
            compaction: Compaction { level: 1, ..Compaction::default() },
        };
        let dir = tempfile::tempdir().unwrap();
        let mut writer = BlockWriter::create(dir.path(), settings, Arc::new(table)).unwrap();
        for series in [&[0u32, 1][..], &[2, 3]] {
            for bucket in 0..2 {
                for &series_ref in series {
                    let ts = times(bucket);
                    let mut values: Vec<f64> =
                        (0..IN_BUCKET).map(|at| at as f64 * f64::from(series_ref + 1)).collect();
                    if series_ref == 3 {
                        values[IN_BUCKET - 1] = f64::from_bits(STALE_NAN_BITS);
                    }
                    let starts: Vec<i64> = ts.iter().map(|t| t % 7).collect();
                    let starts = (series_ref == 0).then_some(starts.as_slice());
                    writer.floats(series_ref, &ts, &values, starts).unwrap();
                }
            }
        }
        for bucket in 0..2 {
            let histograms: Vec<Histogram> = (0..IN_BUCKET).map(histogram).collect();
            writer.histograms(4, &times(bucket), None, &histograms).unwrap();
        }
        let meta = writer.finish().unwrap();
        Self { dir, meta }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn bytes(&self, name: &str) -> Bytes {
        std::fs::read(self.path(name)).unwrap().into()
    }

    /// Puts the block, with a fresh `meta.json`, into a bucket.
    pub(super) async fn upload(&self) -> Bucket {
        std::fs::write(self.path(META_FILE), self.meta.to_json().unwrap()).unwrap();
        let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = BlockMeta::path(self.meta.ulid, &name);
            bucket.put(&path, self.bytes(&name)).await.unwrap();
        }
        bucket
    }

    pub(super) async fn verify(&self) -> Result<VerifyReport> {
        verify(&self.upload().await, self.meta.ulid).await
    }

    /// Gives the block another id, in `meta.json` alone.
    pub(super) fn rename(&mut self, id: BlockId) {
        self.meta.ulid = id;
    }

    fn key_values(&self, name: &str) -> Vec<KeyValue> {
        let file = ParquetRecordBatchReaderBuilder::try_new(self.bytes(name)).unwrap();
        let all = file.metadata().file_metadata().key_value_metadata().cloned().unwrap();
        all.into_iter().filter(|pair| pair.key != keys::PAGE_CRC32C).collect()
    }

    fn schema(&self, name: &str) -> SchemaRef {
        match name {
            SAMPLES_FILE => samples_schema(),
            HISTOGRAMS_FILE => histograms_schema(),
            _ => {
                let file = ParquetRecordBatchReaderBuilder::try_new(self.bytes(name)).unwrap();
                Arc::clone(file.schema())
            }
        }
    }

    fn rows(&self, name: &str) -> RecordBatch {
        let schema = self.schema(name);
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&schema));
        let file = ParquetRecordBatchReaderBuilder::try_new_with_options(self.bytes(name), options);
        let batches: Vec<_> = file.unwrap().build().unwrap().map(Result::unwrap).collect();
        concat_batches(&schema, &batches).unwrap()
    }

    /// Writes a file anew from `columns`, in pages of `page_rows`, and names it in `meta.json`.
    fn write(
        &mut self,
        name: &'static str,
        columns: &[ArrayRef],
        page_rows: usize,
        properties: WriterPropertiesBuilder,
    ) {
        self.write_as(name, self.schema(name), columns, page_rows, properties);
    }

    /// Appends a column that this version does not know.
    pub(super) fn append_column(&mut self, name: &'static str) {
        let rows = self.rows(name);
        let (mut fields, mut columns) = (rows.schema().fields().to_vec(), rows.columns().to_vec());
        fields.push(Arc::new(Field::new("later", DataType::Utf8, true)));
        columns.push(new_null_array(&DataType::Utf8, rows.num_rows()));
        let properties = WriterProperties::builder();
        self.write_as(name, Arc::new(Schema::new(fields)), &columns, PAGE_ROWS, properties);
    }

    /// Exchanges two columns.
    pub(super) fn move_column(&mut self, name: &'static str, from: usize, to: usize) {
        let rows = self.rows(name);
        let (mut fields, mut columns) = (rows.schema().fields().to_vec(), rows.columns().to_vec());
        fields.swap(from, to);
        columns.swap(from, to);
        let properties = WriterProperties::builder();
        self.write_as(name, Arc::new(Schema::new(fields)), &columns, PAGE_ROWS, properties);
    }

    fn write_as(
        &mut self,
        name: &'static str,
        schema: SchemaRef,
        columns: &[ArrayRef],
        page_rows: usize,
        properties: WriterPropertiesBuilder,
    ) {
        let pairs = self.key_values(name);
        let properties = properties.set_data_page_row_count_limit(page_rows);
        let mut file = BlockFile::create(self.dir.path(), name, schema, properties).unwrap();
        let mut group = file.arrow_group().unwrap();
        for from in (0..columns[0].len()).step_by(page_rows) {
            let rows = page_rows.min(columns[0].len() - from);
            let page: Vec<ArrayRef> = columns.iter().map(|c| c.slice(from, rows)).collect();
            group.write(&page).unwrap();
        }
        file.finish_arrow_group(group).unwrap();
        let pairs = pairs.iter().map(|pair| (pair.key.as_str(), pair.value.clone().unwrap()));
        let written = file.finish(pairs.collect()).unwrap();
        *self.file(name) = written;
    }

    /// What `meta.json` says of a file.
    pub(super) fn file(&mut self, name: &str) -> &mut FileMeta {
        self.meta.stoa.files.iter_mut().find(|file| file.name == name).unwrap()
    }

    /// Changes the rows of a file.
    pub(super) fn rewrite(&mut self, name: &'static str, change: impl Fn(&mut Vec<ArrayRef>)) {
        self.rewrite_in_pages(name, PAGE_ROWS, change);
    }

    /// Changes the rows of a file, and the number of rows a page.
    pub(super) fn rewrite_in_pages(
        &mut self,
        name: &'static str,
        page_rows: usize,
        change: impl Fn(&mut Vec<ArrayRef>),
    ) {
        let mut columns = self.rows(name).columns().to_vec();
        change(&mut columns);
        self.write(name, &columns, page_rows, WriterProperties::builder());
    }

    /// Changes one column of a file.
    pub(super) fn rewrite_column(
        &mut self,
        name: &'static str,
        column: &str,
        change: impl Fn(&ArrayRef) -> ArrayRef,
    ) {
        let at = self.rows(name).schema().index_of(column).unwrap();
        self.rewrite(name, |columns| columns[at] = change(&columns[at]));
    }

    /// Changes one column of `samples.parquet`, but keeps the statistics and the page index that it
    /// had: plain pages have the same length whatever is in them.
    pub(super) fn rewrite_behind_the_bounds(
        &mut self,
        column: &str,
        change: impl Fn(&ArrayRef) -> ArrayRef,
    ) {
        let name = SAMPLES_FILE;
        let plain = || {
            WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::PLAIN)
        };
        let mut columns = self.rows(name).columns().to_vec();
        let at = self.rows(name).schema().index_of(column).unwrap();
        let crcs = |block: &Self| {
            let file = ParquetRecordBatchReaderBuilder::try_new(block.bytes(name)).unwrap();
            let pairs = file.metadata().file_metadata().key_value_metadata().unwrap();
            let crcs = pairs.iter().find(|pair| pair.key == keys::PAGE_CRC32C).unwrap();
            crcs.value.clone().unwrap().into_bytes()
        };
        self.write(name, &columns, PAGE_ROWS, plain());
        let (before, crcs_before, file) = (self.bytes(name), crcs(self), self.file(name).clone());
        columns[at] = change(&columns[at]);
        self.write(name, &columns, PAGE_ROWS, plain());
        let (after, crcs_after) = (self.bytes(name), crcs(self));
        assert_eq!(self.file(name).tail_offset, file.tail_offset, "pages of the same length");
        let tail_at = file.tail_offset as usize;
        let mut tail = before[tail_at..].to_vec();
        let place = tail.windows(crcs_before.len()).position(|w| w == crcs_before).unwrap();
        tail[place..place + crcs_after.len()].copy_from_slice(&crcs_after);
        let forged = [&after[..tail_at], &tail].concat();
        std::fs::write(self.path(name), &forged).unwrap();
        let written = self.file(name);
        written.size_bytes = forged.len() as u64;
        written.tail_crc32c = crc32c::crc32c(&tail);
    }
}

/// The timestamps of a series in a time bucket.
pub(super) fn times(bucket: i64) -> Vec<i64> {
    (0..IN_BUCKET as i64).map(|at| bucket * 2 * HOUR + at * 60_000).collect()
}

/// Changes the numbers of a column.
pub(super) fn numbers<T: ArrowPrimitiveType>(
    change: impl Fn(&mut [T::Native]),
) -> impl Fn(&ArrayRef) -> ArrayRef {
    move |array| {
        let before = array.as_primitive::<T>();
        let mut values = before.values().to_vec();
        change(&mut values);
        let after = PrimitiveArray::<T>::new(values.into(), before.nulls().cloned());
        Arc::new(after.with_data_type(array.data_type().clone()))
    }
}

/// Changes the texts of a column.
pub(super) fn texts(change: impl Fn(&mut [Option<String>])) -> impl Fn(&ArrayRef) -> ArrayRef {
    move |array| {
        let before = array.as_string::<i32>().iter();
        let mut values: Vec<Option<String>> = before.map(|v| v.map(str::to_owned)).collect();
        change(&mut values);
        Arc::new(values.into_iter().collect::<StringArray>())
    }
}

/// Changes the numbers inside a column of lists; their lengths stay.
pub(super) fn elements<T: ArrowPrimitiveType>(
    change: impl Fn(&mut [T::Native]),
) -> impl Fn(&ArrayRef) -> ArrayRef {
    move |array| {
        let (field, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
        Arc::new(ListArray::new(field, offsets, numbers::<T>(&change)(&values), nulls))
    }
}

/// Changes the values of a column of maps.
pub(super) fn map_values(change: impl Fn(&mut [Option<String>])) -> impl Fn(&ArrayRef) -> ArrayRef {
    move |array| {
        let (field, offsets, entries, nulls, ordered) = array.as_map().clone().into_parts();
        let (fields, mut columns, entry_nulls) = entries.into_parts();
        columns[1] = texts(&change)(&columns[1]);
        let entries = arrow::array::StructArray::new(fields, columns, entry_nulls);
        Arc::new(MapArray::new(field, offsets, entries, nulls, ordered))
    }
}

/// All files of the block but `meta.json`.
pub(super) const FILES: [&str; 3] = [SERIES_FILE, SAMPLES_FILE, HISTOGRAMS_FILE];
