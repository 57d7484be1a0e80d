//! `histograms.parquet` while it is written.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::Place;
use super::file::{ArrowGroup, BlockFile};
use super::series::Catalogue;
use crate::Result;
use crate::block::meta::FileMeta;
use crate::block::schema::{
    HISTOGRAM_GROUP_ROWS, HISTOGRAM_PAGE_ROWS, HISTOGRAMS_FILE, histograms_schema,
};
use crate::block::{failed, histogram};
use crate::model::Histogram;

/// Writes `histograms.parquet`.
#[derive(Debug)]
pub(super) struct HistogramsFile {
    file: BlockFile,
    group: Option<ArrowGroup>,
    page: Page,
}

/// Rows that are not encoded yet.
#[derive(Debug, Default)]
struct Page {
    refs: Vec<u32>,
    ts: Vec<i64>,
    start_ts: Vec<i64>,
    histograms: Vec<Histogram>,
}

impl HistogramsFile {
    pub(super) fn create(dir: &Path) -> Result<Self> {
        let schema = histograms_schema();
        let file = BlockFile::create(dir, HISTOGRAMS_FILE, schema, properties()?)?;
        Ok(Self { file, group: None, page: Page::default() })
    }

    /// Appends rows of one series.
    pub(super) fn append(
        &mut self,
        place: Place,
        ts: &[i64],
        start_ts: Option<&[i64]>,
        histograms: &[Histogram],
        catalogue: &Catalogue,
    ) -> Result<()> {
        for (at, (&ts, histogram)) in ts.iter().zip(histograms).enumerate() {
            self.page.refs.push(place.series_ref);
            self.page.ts.push(ts);
            self.page.start_ts.push(start_ts.map_or(0, |start_ts| start_ts[at]));
            self.page.histograms.push(histogram.clone());
            if self.page.ts.len() == HISTOGRAM_PAGE_ROWS {
                self.end_page(catalogue)?;
            }
        }
        Ok(())
    }

    fn end_page(&mut self, catalogue: &Catalogue) -> Result<()> {
        let page = std::mem::take(&mut self.page);
        if page.ts.is_empty() {
            return Ok(());
        }
        let refs = || page.refs.iter().copied();
        let starts = page.start_ts.iter().map(|&start| (start != 0).then_some(start));
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(refs().map(|r| catalogue.metric(r)))),
            Arc::new(Int32Array::from_iter_values(refs().map(|r| r as i32))),
            Arc::new(Int64Array::from_iter_values(refs().map(|r| catalogue.series_id(r)))),
            Arc::new(TimestampMillisecondArray::from(page.ts.clone()).with_timezone("UTC")),
            Arc::new(TimestampMillisecondArray::from_iter(starts).with_timezone("UTC")),
        ];
        debug_assert_eq!(arrays.len(), histogram::FIRST_COLUMN);
        arrays.extend(histogram::to_columns(&page.histograms)?);
        let mut group = match self.group.take() {
            Some(group) => group,
            None => self.file.arrow_group()?,
        };
        group.write(&arrays)?;
        match group.rows < HISTOGRAM_GROUP_ROWS {
            true => self.group = Some(group),
            false => self.file.finish_arrow_group(group)?,
        }
        Ok(())
    }

    /// Ends the file.
    pub(super) fn finish(
        mut self,
        catalogue: &Catalogue,
        key_values: Vec<(&str, String)>,
    ) -> Result<FileMeta> {
        self.end_page(catalogue)?;
        if let Some(group) = self.group.take() {
            self.file.finish_arrow_group(group)?;
        }
        self.file.finish(key_values)
    }
}

fn is_list(field: &Field) -> bool {
    matches!(field.data_type(), DataType::List(_))
}

fn properties() -> Result<WriterPropertiesBuilder> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
        .set_data_page_row_count_limit(HISTOGRAM_PAGE_ROWS)
        .set_write_batch_size(HISTOGRAM_PAGE_ROWS)
        .set_data_page_size_limit(1 << 30)
        .set_dictionary_page_size_limit(1 << 30)
        .set_statistics_enabled(EnabledStatistics::None);
    for column in ["metric", "series_ref", "ts"].map(ColumnPath::from) {
        properties = properties.set_column_statistics_enabled(column, EnabledStatistics::Page);
    }
    for column in ["ts", "start_ts", "count", "zero_count"].map(ColumnPath::from) {
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for column in ["sum", "count_float", "zero_count_float"].map(ColumnPath::from) {
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::BYTE_STREAM_SPLIT);
    }
    // Neighbours of one series differ by little: split bytes of whole counts take half of what deltas take.
    for side in ["positive", "negative"] {
        for counts in ["counts", "counts_float"] {
            let list = format!("{side}_{counts}");
            let column = ColumnPath::new(vec![list, "list".into(), "element".into()]);
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::BYTE_STREAM_SPLIT);
        }
    }
    // Readers leave out columns without values, which their statistics tell.
    for field in
        histogram::histogram_fields().iter().filter(|field| field.is_nullable() || is_list(field))
    {
        let mut path = vec![field.name().clone()];
        if is_list(field) {
            path.extend(["list".into(), "element".into()]);
        }
        properties = properties
            .set_column_statistics_enabled(ColumnPath::new(path), EnabledStatistics::Chunk);
    }
    Ok(properties)
}
