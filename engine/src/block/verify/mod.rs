//! Re-reads a whole block and names everything that is wrong with it.
//!
//! ```text
//! meta.json ── sizes ── tails ── CRC of each page and chunk ── rows ── series ── digest
//!   figures    files                                           rows    series    (here)
//!                                                              bounds
//! ```
//!
//! | module | looks at |
//! |---|---|
//! | [`problems`] | the list of what is wrong |
//! | [`figures`] | `meta.json` by itself |
//! | [`files`] | sizes, tails, CRCs; row groups one by one |
//! | [`series`] | `series.parquet` against itself and `meta.json` |
//! | [`rows`] | order of the rows, and whether the runs of `series.parquet` find them |
//! | [`bounds`] | statistics and page index, by which other engines leave rows out |
//!
//! What stands behind damage is still looked at as far as it can be: a damaged page keeps one row
//! group from being decoded, a damaged `series.parquet` leaves the CRCs of the samples.

mod bounds;
mod figures;
mod files;
mod problems;
mod rows;
mod series;
#[cfg(test)]
mod tests;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, SchemaRef, TimestampMillisecondType};
use futures::StreamExt;

use self::bounds::Bounds;
use self::files::{Contents, Group};
use self::problems::Problems;
use self::rows::{Keys, Ledger};
use self::series::Series;
use super::digest::SeriesKey;
use super::meta::{FileMeta, MAX_META_BYTES, META_FILE};
use super::schema::{
    HISTOGRAM_GROUP_ROWS, HISTOGRAM_PAGE_ROWS, HISTOGRAMS_FILE, PAGE_ROWS, ROW_GROUP_ROWS,
    SAMPLES_FILE, SERIES_FILE, histograms_schema, metadata_schema, samples, samples_schema,
    windows_schema,
};
use super::writer::Account;
use super::{BlockId, BlockMeta, Digest, histogram, metadata, schema};
use crate::bucket::Bucket;
use crate::model::{STALE_NAN_BITS, WindowSlices};
use crate::{Error, ErrorKind, Result};

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Problems, each with the file and the place, a thousand at most. Empty means that the block is
    /// sound.
    pub problems: Vec<String>,
    /// Series read.
    pub series: u64,
    /// Samples read, histograms included.
    pub samples: u64,
    /// Bytes read.
    pub bytes: u64,
    /// The digest of the samples read.
    pub digest: Digest,
}

/// Re-reads the block `id`: CRCs, counts, order, runs, bounds and digest. An error means that storage
/// did not answer or that there is no such block; damage is in the report.
///
/// In memory it holds the series, and at most three row groups as they lie in the bucket. Decoding
/// is done by the task that calls.
pub async fn verify(bucket: &Bucket, id: BlockId) -> Result<VerifyReport> {
    let mut check = Check { bucket, problems: Problems::default(), bytes: 0, samples: 0 };
    let found = check.block(id).await.map_err(|e| e.context(format!("verify block {id}")))?;
    let (series, digest) = found.unwrap_or_default();
    Ok(VerifyReport {
        problems: check.problems.into_list(),
        series,
        samples: check.samples,
        bytes: check.bytes,
        digest,
    })
}

/// A verification under way.
struct Check<'a> {
    bucket: &'a Bucket,
    problems: Problems,
    bytes: u64,
    samples: u64,
}

/// A sample file: how its rows are read and told apart.
struct Kind {
    name: &'static str,
    schema: SchemaRef,
    page_rows: usize,
    most_group_rows: usize,
    /// The leaf that holds start timestamps, if there is one.
    start_ts: Option<usize>,
}

impl Check<'_> {
    /// Looks at everything; the number of series and the digest of all samples, if the series can be
    /// read.
    async fn block(&mut self, id: BlockId) -> Result<Option<(u64, Digest)>> {
        let json = self.bucket.get_at_most(&BlockMeta::path(id, META_FILE), MAX_META_BYTES).await;
        let json = match json {
            Ok(json) => json,
            Err(e) if e.kind() == ErrorKind::Corrupt => {
                self.problems.add(e);
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        self.bytes += json.len() as u64;
        let meta = match BlockMeta::of_block(id, &json) {
            Ok(meta) => meta,
            Err(e) => {
                self.problems.add(e);
                return Ok(None);
            }
        };
        figures::check(&meta, &mut self.problems);

        let series = match meta.file(SERIES_FILE) {
            Some(file) => self.series(&meta, file).await?,
            None => None,
        };
        let mut accounts = vec![Account::default(); series.as_ref().map_or(0, Series::len)];
        let mut digest = Digest::default();
        let mut whole = series.is_some();
        for file in meta.stoa.files.iter().filter(|file| file.name != SERIES_FILE) {
            let Some(contents) = self.open(&meta, file).await? else {
                whole = false;
                continue;
            };
            let known = (&series, Kind::of(&file.name, &meta));
            let read = match known {
                (Some(series), Some(kind)) => {
                    let rows = Rows { kind, meta: &meta, series, accounts: &mut accounts };
                    self.rows(&contents, rows, &mut digest).await?
                }
                _ if metadata::is_metadata(&file.name) => self.metadata(&contents).await?,
                _ => self.pages(&contents).await?,
            };
            whole &= read;
        }
        let Some(series) = series else { return Ok(None) };
        // After damage the sums are those of what is left: to compare them would say it twice.
        if whole {
            series.compare(&accounts, &mut self.problems);
            if digest.to_string() != meta.stoa.digest {
                self.problems.add(format!(
                    "the digest of all samples is {digest}, meta.json says {}",
                    meta.stoa.digest
                ));
            }
        }
        Ok(Some((series.len() as u64, digest)))
    }

    /// Opens a file; none if it cannot be read further, with a problem that says why.
    async fn open<'f>(
        &mut self,
        meta: &BlockMeta,
        file: &'f FileMeta,
    ) -> Result<Option<Contents<'f>>> {
        let opened = Contents::open(self.bucket, meta, file, &mut self.problems).await;
        let opened = self.answered(&file.name, opened)?.flatten();
        self.bytes += opened.as_ref().map_or(0, Contents::tail_bytes);
        Ok(opened)
    }

    /// What storage said of the file `name`; damage and absence are problems.
    fn answered<T>(&mut self, name: &str, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.problems.add(format!("{name} is missing"));
                Ok(None)
            }
            Err(e) if e.kind() == ErrorKind::Corrupt => {
                self.problems.add(e);
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    async fn series(&mut self, meta: &BlockMeta, file: &FileMeta) -> Result<Option<Series>> {
        let Some(contents) = self.open(meta, file).await? else { return Ok(None) };
        let pages = contents.all_pages(self.bucket).await;
        let Some(pages) = self.answered(&file.name, pages)? else { return Ok(None) };
        self.bytes += pages.len() as u64;
        Ok(Series::read(&contents, pages, meta, &mut self.problems))
    }

    /// Looks at the rows of the metadata: sorted, none twice. Whether all could be read.
    async fn metadata(&mut self, contents: &Contents<'_>) -> Result<bool> {
        if !contents.check_columns(&metadata_schema(), &mut self.problems) {
            self.pages(contents).await?;
            return Ok(false);
        }
        let mut sound = true;
        let mut last = None;
        let mut groups = contents.groups(self.bucket);
        while let Some(group) = groups.next().await {
            let Some(group) = self.answered(contents.name(), group)? else { return Ok(false) };
            self.bytes += group.bytes.len() as u64;
            if !contents.check(&group, &mut self.problems) {
                sound = false;
                continue;
            }
            let mut ordered = true;
            let decoded = contents.decode(&group, metadata::METRICS_MAX, &mut |batch| {
                for row in metadata::from_batch(batch)? {
                    let row = Some(row);
                    ordered &= last < row;
                    last = row;
                }
                Ok(())
            });
            if let Err(error) = decoded {
                self.problems.add(error.context(format!("row group {}", group.number)));
                sound = false;
            }
            if !ordered {
                self.problems.add(format!("{}: its rows are not in order", contents.name()));
            }
        }
        Ok(sound)
    }

    /// Looks at the CRCs of a file alone. Whether all were right.
    async fn pages(&mut self, contents: &Contents<'_>) -> Result<bool> {
        let mut sound = true;
        let mut groups = contents.groups(self.bucket);
        while let Some(group) = groups.next().await {
            let Some(group) = self.answered(contents.name(), group)? else { return Ok(false) };
            self.bytes += group.bytes.len() as u64;
            sound &= contents.check(&group, &mut self.problems);
        }
        Ok(sound)
    }

    /// Looks at the rows of a sample file. Whether all could be read.
    async fn rows(
        &mut self,
        contents: &Contents<'_>,
        mut rows: Rows<'_>,
        digest: &mut Digest,
    ) -> Result<bool> {
        let Rows { kind, series, meta, .. } = &rows;
        let (series, meta): (&Series, &BlockMeta) = (series, meta);
        if !contents.check_columns(&kind.schema, &mut self.problems) {
            self.pages(contents).await?;
            return Ok(false);
        }
        bounds::check_layout(contents, kind.page_rows, kind.most_group_rows, &mut self.problems);
        let runs = (0..series.len()).map(|row| match kind.is_histograms() {
            true => series.index.histogram_runs(row),
            false => series.index.runs(row),
        });
        let mut ledger = Ledger::new(kind.name, meta, &series.catalogue, runs.collect());
        let mut whole = true;
        let mut groups = contents.groups(self.bucket);
        while let Some(group) = groups.next().await {
            let Some(group) = self.answered(contents.name(), group)? else { return Ok(false) };
            self.bytes += group.bytes.len() as u64;
            let read = contents.check(&group, &mut self.problems)
                && self.group(contents, &group, &mut rows, &mut ledger, digest);
            if !read {
                whole = false;
                ledger.skip_to(group.rows.end);
            }
        }
        ledger.finish(&mut self.problems);
        Ok(whole)
    }

    /// Looks at the rows of a row group whose CRCs match. Whether all could be read.
    fn group(
        &mut self,
        contents: &Contents<'_>,
        group: &Group,
        rows: &mut Rows<'_>,
        ledger: &mut Ledger<'_>,
        digest: &mut Digest,
    ) -> bool {
        let Rows { kind, series, accounts, .. } = rows;
        let problems = &mut self.problems;
        let mut bounds = Bounds::new(contents, group.number, kind.start_ts);
        let mut samples = 0;
        let decoded = contents.decode(group, kind.page_rows, &mut |batch| {
            let keys = Keys::new(batch)?;
            let histograms = match kind.is_histograms() {
                true => Some(histogram::from_batch(batch)?),
                false => None,
            };
            bounds.page(&keys, problems);
            for (series_ref, range) in ledger.rows(&keys, problems) {
                let key = SeriesKey::new(
                    series.external,
                    series.index.table.fingerprints()[series_ref as usize],
                );
                let ts = &keys.ts[range.clone()];
                let starts = keys.starts.as_ref().map(|starts| &starts[range.clone()]);
                let account = &mut accounts[series_ref as usize];
                let is_stale = |value: f64| value.to_bits() == STALE_NAN_BITS;
                match &histograms {
                    Some(histograms) => {
                        let histograms = &histograms[range];
                        digest.histograms(key, ts, starts, histograms);
                        account.see(ts, histograms.iter().filter(|h| is_stale(h.sum)).count());
                        account.histograms += ts.len() as u64;
                    }
                    None if kind.is_windows() => {
                        digest.windows(key, windows(batch, keys.ts)?.part(range.clone()));
                        account.see(ts, 0);
                        account.floats += ts.len() as u64;
                    }
                    None => {
                        let values = &values(batch)?[range];
                        digest.floats(key, ts, values, starts);
                        account.see(ts, values.iter().filter(|&&v| is_stale(v)).count());
                        account.floats += ts.len() as u64;
                    }
                }
            }
            samples += batch.num_rows() as u64;
            Ok(())
        });
        self.samples += samples;
        match decoded {
            Ok(()) if ledger.row() == group.rows.end => {
                bounds.finish(&mut self.problems);
                true
            }
            Ok(()) => {
                self.problems.add(format!(
                    "{}: row group {} has {samples} rows, its footer says {}",
                    kind.name,
                    group.number,
                    group.rows.end - group.rows.start
                ));
                false
            }
            Err(error) => {
                self.problems.add(error.context(format!("row group {}", group.number)));
                false
            }
        }
    }
}

/// What the rows of a sample file are read with, and what they are added to.
struct Rows<'a> {
    kind: Kind,
    meta: &'a BlockMeta,
    series: &'a Series,
    accounts: &'a mut [Account],
}

impl Kind {
    fn of(name: &str, meta: &BlockMeta) -> Option<Self> {
        match name {
            SAMPLES_FILE if meta.thanos.downsample.resolution > 0 => Some(Self {
                name: SAMPLES_FILE,
                schema: windows_schema(),
                page_rows: PAGE_ROWS,
                most_group_rows: ROW_GROUP_ROWS,
                start_ts: None,
            }),
            SAMPLES_FILE => Some(Self {
                name: SAMPLES_FILE,
                schema: samples_schema(),
                page_rows: PAGE_ROWS,
                most_group_rows: ROW_GROUP_ROWS,
                start_ts: Some(samples::START_TS),
            }),
            HISTOGRAMS_FILE => Some(Self {
                name: HISTOGRAMS_FILE,
                schema: histograms_schema(),
                page_rows: HISTOGRAM_PAGE_ROWS,
                most_group_rows: HISTOGRAM_GROUP_ROWS,
                start_ts: Some(histogram::FIRST_COLUMN - 1),
            }),
            _ => None,
        }
    }

    fn is_histograms(&self) -> bool {
        self.name == HISTOGRAMS_FILE
    }

    fn is_windows(&self) -> bool {
        self.start_ts.is_none()
    }
}

/// The windows of a batch, whose timestamps are `ts`.
fn windows<'a>(batch: &'a RecordBatch, ts: &'a [i64]) -> Result<WindowSlices<'a>> {
    let wrong = || Error::corrupt("a column of windows has another type");
    let floats = |at: usize| {
        let column = batch.column(at).as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
        Ok::<_, Error>(column.values().as_ref())
    };
    let count = batch.column(schema::windows::COUNT).as_primitive_opt::<Int64Type>();
    let first_ts = batch.column(schema::windows::FIRST_TS);
    let first_ts = first_ts.as_primitive_opt::<TimestampMillisecondType>();
    Ok(WindowSlices {
        ts,
        count: count.ok_or_else(wrong)?.values(),
        sum: floats(schema::windows::SUM)?,
        min: floats(schema::windows::MIN)?,
        max: floats(schema::windows::MAX)?,
        counter: floats(schema::windows::COUNTER)?,
        first: floats(schema::windows::FIRST)?,
        first_ts: first_ts.ok_or_else(wrong)?.values(),
        last: floats(schema::windows::LAST)?,
    })
}

fn values(batch: &RecordBatch) -> Result<&[f64]> {
    let values = batch.column(samples::VALUE).as_primitive_opt::<Float64Type>();
    Ok(values.ok_or_else(|| Error::corrupt("column value is no f64"))?.values())
}
