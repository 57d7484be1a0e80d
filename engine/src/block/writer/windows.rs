//! `samples.parquet` of a downsampled block while it is written.

use std::path::Path;
use std::sync::Arc;

use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnDescPtr;

use super::file::BlockFile;
use super::run_columns::{SeriesRun, key_chunks, push_run};
use super::samples::LASTING_LEVEL;
use super::series::Catalogue;
use crate::Result;
use crate::block::encode::{Chunk, Times, Values, Zstd};
use crate::block::meta::FileMeta;
use crate::block::schema::{
    CUT_ROWS, PAGE_ROWS, ROW_GROUP_ROWS, SAMPLES_FILE, windows, windows_schema,
};
use crate::model::{WindowSlices, Windows};

/// Writes `samples.parquet` of a downsampled block. A row group with [`CUT_ROWS`] rows ends at the next edge
/// of a metric or a time bucket.
#[derive(Debug)]
pub(super) struct WindowsFile {
    file: BlockFile,
    columns: Vec<ColumnDescPtr>,
    zstd: Zstd,
    group: Group,
    /// The metric of the rows at hand, as its first series, and their bucket.
    place: (u32, u32),
}

/// A row group in the making.
#[derive(Debug)]
struct Group {
    rows: usize,
    runs: Vec<SeriesRun>,
    page: Windows,
    ts: Times,
    count: Times,
    sum: Values,
    min: Values,
    max: Values,
    counter: Values,
    first: Values,
    first_ts: Times,
    last: Values,
}

impl WindowsFile {
    pub(super) fn create(dir: &Path) -> Result<Self> {
        let schema = windows_schema();
        let file = BlockFile::create(dir, SAMPLES_FILE, schema, WriterProperties::builder())?;
        let columns = file.columns();
        let group = Group::new(&columns);
        Ok(Self { file, columns, zstd: Zstd::new(LASTING_LEVEL)?, group, place: (0, 0) })
    }

    /// Appends windows of one series in one time bucket.
    pub(super) fn append(
        &mut self,
        place: super::Place,
        mut windows: WindowSlices<'_>,
        catalogue: &Catalogue,
    ) -> Result<()> {
        let (metric, bucket) = (place.metric, place.bucket);
        if self.place != (metric, bucket) {
            if self.group.rows >= CUT_ROWS {
                self.cut(catalogue)?;
            }
            if self.place.0 != metric {
                self.group.reconsider();
            }
            self.place = (metric, bucket);
        }
        while !windows.is_empty() {
            if self.group.rows == ROW_GROUP_ROWS {
                self.cut(catalogue)?;
            }
            let taken = windows.len().min(PAGE_ROWS - self.group.page.len());
            self.group.page.extend(windows.part(0..taken));
            push_run(&mut self.group.runs, place.series_ref, taken);
            self.group.rows += taken;
            if self.group.page.len() == PAGE_ROWS {
                self.group.end_page(&mut self.zstd)?;
            }
            windows = windows.part(taken..windows.len());
        }
        Ok(())
    }

    /// Ends the row group, if it has rows.
    fn cut(&mut self, catalogue: &Catalogue) -> Result<()> {
        if self.group.rows == 0 {
            return Ok(());
        }
        let mut group = std::mem::replace(&mut self.group, Group::new(&self.columns));
        group.end_page(&mut self.zstd)?;
        let rows = group.rows;
        let chunks = group.finish(&self.columns, catalogue, &mut self.zstd)?;
        self.file.chunks(rows, chunks)
    }

    /// Ends the file.
    pub(super) fn finish(
        mut self,
        catalogue: &Catalogue,
        key_values: Vec<(&str, String)>,
    ) -> Result<FileMeta> {
        self.cut(catalogue)?;
        self.file.finish(key_values)
    }
}

impl Group {
    fn new(columns: &[ColumnDescPtr]) -> Self {
        let times = |at: usize| Times::new(Arc::clone(&columns[at]));
        let values = |at: usize| Values::new(Arc::clone(&columns[at]));
        Self {
            rows: 0,
            runs: Vec::new(),
            page: Windows::default(),
            ts: times(windows::TS),
            count: times(windows::COUNT),
            sum: values(windows::SUM),
            min: values(windows::MIN),
            max: values(windows::MAX),
            counter: values(windows::COUNTER),
            first: values(windows::FIRST),
            first_ts: times(windows::FIRST_TS),
            last: values(windows::LAST),
        }
    }

    /// The values that follow are of another kind.
    fn reconsider(&mut self) {
        let Self { sum, min, max, counter, first, last, .. } = self;
        [sum, min, max, counter, first, last].into_iter().for_each(Values::reconsider);
    }

    /// Encodes the rows of the page, if it has any.
    fn end_page(&mut self, zstd: &mut Zstd) -> Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let page = std::mem::take(&mut self.page);
        self.ts.page(&page.ts, zstd)?;
        self.count.page(&page.count, zstd)?;
        self.sum.page(&page.sum, zstd)?;
        self.min.page(&page.min, zstd)?;
        self.max.page(&page.max, zstd)?;
        self.counter.page(&page.counter, zstd)?;
        self.first.page(&page.first, zstd)?;
        self.first_ts.page(&page.first_ts, zstd)?;
        self.last.page(&page.last, zstd)?;
        self.page = page;
        self.page.clear();
        Ok(())
    }

    /// The chunks of all columns, in their order.
    fn finish(
        self,
        columns: &[ColumnDescPtr],
        catalogue: &Catalogue,
        zstd: &mut Zstd,
    ) -> Result<Vec<Chunk>> {
        let mut chunks = key_chunks(&self.runs, columns, catalogue, zstd)?;
        chunks.extend([
            self.ts.finish()?,
            self.count.finish()?,
            self.sum.finish()?,
            self.min.finish()?,
            self.max.finish()?,
            self.counter.finish()?,
            self.first.finish()?,
            self.first_ts.finish()?,
            self.last.finish()?,
        ]);
        Ok(chunks)
    }
}
