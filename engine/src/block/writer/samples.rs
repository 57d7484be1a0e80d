//! `samples.parquet` while it is written: which rows make a row group, and its chunks.

use std::path::Path;
use std::sync::Arc;

use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnDescPtr;

use super::file::BlockFile;
use super::run_columns::{SeriesRun, key_chunks, push_run};
use super::series::Catalogue;
use crate::Result;
use crate::block::encode::{Chunk, OptionalTimes, Times, Values, Zstd};
use crate::block::meta::FileMeta;
use crate::block::schema::{
    CUT_ROWS, PAGE_ROWS, ROW_GROUP_ROWS, SAMPLES_FILE, samples, samples_schema,
};

/// The zstd level of pages that may be rewritten soon.
const LEVEL: i32 = 3;
/// The zstd level of pages of the compactor, which stay for years: 3 % fewer bytes for 60 % more time in zstd;
/// what levels above save is not worth theirs.
pub(super) const LASTING_LEVEL: i32 = 5;

/// Rows that are not encoded yet.
#[derive(Debug, Default)]
struct Rows {
    ts: Vec<i64>,
    values: Vec<f64>,
    /// As long as `ts`, or empty as long as no row has a start timestamp.
    start_ts: Vec<i64>,
}

impl Rows {
    fn extend(&mut self, ts: &[i64], values: &[f64], start_ts: Option<&[i64]>) {
        match start_ts {
            Some(start_ts) => {
                self.start_ts.resize(self.ts.len(), 0);
                self.start_ts.extend_from_slice(start_ts);
            }
            None if self.start_ts.is_empty() => {}
            None => self.start_ts.resize(self.ts.len() + ts.len(), 0),
        }
        self.ts.extend_from_slice(ts);
        self.values.extend_from_slice(values);
    }

    fn clear(&mut self) {
        self.ts.clear();
        self.values.clear();
        self.start_ts.clear();
    }
}

/// Writes `samples.parquet`. Row groups are cut as [`CUT_ROWS`] and [`ROW_GROUP_ROWS`] say; the rows
/// of a metric wait until it is known whether it is large enough to begin a row group.
#[derive(Debug)]
pub(super) struct SamplesFile {
    file: BlockFile,
    columns: Vec<ColumnDescPtr>,
    zstd: Zstd,
    group: Group,
    /// The metric that the rows at hand belong to, as its first series, and its last bucket.
    metric: u32,
    bucket: u32,
    /// Rows of a metric that may yet turn out to be large.
    waiting: Rows,
    waiting_runs: Vec<SeriesRun>,
    /// Whether the metric is large, so that its rows need not wait.
    large: bool,
}

impl SamplesFile {
    /// A file in `dir`; `lasting` is whether the compactor makes it.
    pub(super) fn create(dir: &Path, lasting: bool) -> Result<Self> {
        let schema = samples_schema();
        let file = BlockFile::create(dir, SAMPLES_FILE, schema, WriterProperties::builder())?;
        let columns = file.columns();
        let group = Group::new(&columns);
        Ok(Self {
            file,
            columns,
            zstd: Zstd::new(if lasting { LASTING_LEVEL } else { LEVEL })?,
            group,
            metric: u32::MAX,
            bucket: 0,
            waiting: Rows::default(),
            waiting_runs: Vec::new(),
            large: false,
        })
    }

    /// Appends rows of one series of `metric` in one time bucket.
    pub(super) fn append(
        &mut self,
        place: super::Place,
        ts: &[i64],
        values: &[f64],
        start_ts: Option<&[i64]>,
        catalogue: &Catalogue,
    ) -> Result<()> {
        if place.metric != self.metric {
            self.settle(catalogue)?;
            if self.group.rows >= CUT_ROWS {
                self.cut(catalogue)?;
            }
            self.group.values.reconsider();
            self.metric = place.metric;
            self.large = false;
        } else if place.bucket != self.bucket && self.large && self.group.rows >= CUT_ROWS {
            self.cut(catalogue)?;
        }
        self.bucket = place.bucket;
        if self.large {
            return self.rows(place.series_ref, ts, values, start_ts, catalogue);
        }
        self.waiting.extend(ts, values, start_ts);
        push_run(&mut self.waiting_runs, place.series_ref, ts.len());
        if self.waiting.ts.len() >= CUT_ROWS {
            self.large = true;
            self.cut(catalogue)?;
            self.settle(catalogue)?;
        }
        Ok(())
    }

    /// Moves the waiting rows into the row group.
    fn settle(&mut self, catalogue: &Catalogue) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let runs = std::mem::take(&mut self.waiting_runs);
        let mut at = 0;
        for run in &runs {
            let end = at + run.rows as usize;
            let start_ts = (!waiting.start_ts.is_empty()).then(|| &waiting.start_ts[at..end]);
            let (ts, values) = (&waiting.ts[at..end], &waiting.values[at..end]);
            self.rows(run.series_ref, ts, values, start_ts, catalogue)?;
            at = end;
        }
        self.waiting = waiting;
        self.waiting.clear();
        self.waiting_runs = runs;
        self.waiting_runs.clear();
        Ok(())
    }

    /// Adds rows to the row group, page by page.
    fn rows(
        &mut self,
        series_ref: u32,
        mut ts: &[i64],
        mut values: &[f64],
        mut start_ts: Option<&[i64]>,
        catalogue: &Catalogue,
    ) -> Result<()> {
        while !ts.is_empty() {
            if self.group.rows == ROW_GROUP_ROWS {
                self.cut(catalogue)?;
            }
            let taken = ts.len().min(PAGE_ROWS - self.group.page.ts.len());
            self.group.page.extend(
                &ts[..taken],
                &values[..taken],
                start_ts.map(|start_ts| &start_ts[..taken]),
            );
            push_run(&mut self.group.runs, series_ref, taken);
            self.group.rows += taken;
            if self.group.page.ts.len() == PAGE_ROWS {
                self.group.end_page(&mut self.zstd)?;
            }
            ts = &ts[taken..];
            values = &values[taken..];
            start_ts = start_ts.map(|start_ts| &start_ts[taken..]);
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
        self.settle(catalogue)?;
        self.cut(catalogue)?;
        self.file.finish(key_values)
    }
}

/// A row group in the making.
#[derive(Debug)]
struct Group {
    rows: usize,
    runs: Vec<SeriesRun>,
    page: Rows,
    times: Times,
    values: Values,
    start_times: OptionalTimes,
}

impl Group {
    fn new(columns: &[ColumnDescPtr]) -> Self {
        Self {
            rows: 0,
            runs: Vec::new(),
            page: Rows::default(),
            times: Times::new(Arc::clone(&columns[samples::TS])),
            values: Values::new(Arc::clone(&columns[samples::VALUE])),
            start_times: OptionalTimes::new(Arc::clone(&columns[samples::START_TS])),
        }
    }

    /// Encodes the rows of the page, if it has any.
    fn end_page(&mut self, zstd: &mut Zstd) -> Result<()> {
        let rows = self.page.ts.len();
        if rows == 0 {
            return Ok(());
        }
        self.times.page(&self.page.ts, zstd)?;
        self.values.page(&self.page.values, zstd)?;
        let start_ts = (!self.page.start_ts.is_empty()).then_some(self.page.start_ts.as_slice());
        self.start_times.page(rows, start_ts, zstd)?;
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
        chunks.extend([self.times.finish()?, self.values.finish()?, self.start_times.finish()?]);
        Ok(chunks)
    }
}
