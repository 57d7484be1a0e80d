//! Writes a block: runs of samples in block order become Parquet files in a local folder, row group
//! by row group, in bounded memory.
//!
//! The bytes depend on the samples, the series, the settings and the writer's version alone: no
//! clock, no threads. (Metadata, if there are any, are a file of their own.)

mod file;
mod histograms;
mod run_columns;
mod samples;
mod series;
mod windows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use self::file::BlockFile;
use self::histograms::HistogramsFile;
use self::samples::SamplesFile;
use self::series::RunLog;
pub(super) use self::series::{Account, Catalogue};
use self::windows::WindowsFile;
use super::digest::{Digest, SeriesKey};
use super::meta::{
    BlockStats, Compaction, Downsample, FORMAT_VERSION, META_FILE, StoaMeta, ThanosMeta,
    WRITER_VERSION,
};
use super::metadata::{self, MetricMetadata};
use super::schema::keys;
use super::{BlockId, BlockMeta, failed};
use crate::model::{Histogram, LabelTable, Labels, STALE_NAN_BITS, WindowSlices};
use crate::{Error, ErrorKind, Result};

/// The [`BlockSettings::source`] of blocks that the compactor makes.
pub const COMPACTOR: &str = "compactor";

/// What a block is, before any sample is seen.
#[derive(Debug, Clone)]
pub struct BlockSettings {
    /// The block's id, usually [`super::id()`].
    pub ulid: BlockId,
    /// Labels that all its series have besides their own.
    pub external_labels: Labels,
    /// Who makes it, as in `thanos.source`: `sidecar`, `bucket.upload`, …
    pub source: String,
    /// Milliseconds a downsampled window; 0 is raw.
    pub resolution_ms: i64,
    /// The earliest time in ms.
    pub min_time: i64,
    /// The end in ms, not part of the block.
    pub max_time: i64,
    /// The length of a time bucket inside the samples' order, in ms.
    pub bucket_ms: i64,
    /// Its ancestry.
    pub compaction: Compaction,
}

/// Streams sorted runs into the files of a block.
///
/// Calls come in block order: for each metric, for each time bucket, for each series ascending; a
/// run may be given in several calls. Anything else is an
/// [`Invalid`](crate::ErrorKind::Invalid) error, after which the writer is not to be used.
#[derive(Debug)]
pub struct BlockWriter {
    dir: PathBuf,
    settings: BlockSettings,
    catalogue: Catalogue,
    external: u128,
    accounts: Vec<Account>,
    digest: Digest,
    floats: Track<SamplesFile>,
    histograms: Track<HistogramsFile>,
    /// Instead of both, if the block is downsampled.
    windows: Track<WindowsFile>,
    metadata: Vec<MetricMetadata>,
}

/// One of the sample files, made when its first sample comes, and how far it is.
#[derive(Debug)]
struct Track<F> {
    file: Option<F>,
    runs: RunLog,
    last: Option<(Place, i64)>,
    rows: u64,
}

/// Where a run belongs; the order of the fields is that of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The first series of the metric.
    pub metric: u32,
    /// The time bucket, counted from the block's first.
    pub bucket: u32,
    /// The series.
    pub series_ref: u32,
}

impl BlockWriter {
    /// A writer into the existing folder `dir`, for series that are the rows of `table`, which are in
    /// block order ([`super::order::sort`]) and distinct.
    pub fn create(dir: &Path, settings: BlockSettings, table: Arc<LabelTable>) -> Result<Self> {
        let BlockSettings { min_time, max_time, bucket_ms, resolution_ms, .. } = settings;
        let buckets = BlockMeta::buckets(min_time, max_time, bucket_ms);
        if buckets.is_none() || resolution_ms < 0 {
            return Err(Error::invalid(format!(
                "block from {min_time} to {max_time} in buckets of {bucket_ms} ms at \
                 {resolution_ms} ms: empty, negative or too many buckets"
            )));
        }
        let external = settings.external_labels.clone();
        let catalogue = Catalogue::new(table, external.clone())?;
        Ok(Self {
            dir: dir.to_path_buf(),
            accounts: vec![Account::default(); catalogue.len()],
            catalogue,
            external: external.fingerprint(),
            settings,
            digest: Digest::default(),
            floats: Track::new(),
            histograms: Track::new(),
            windows: Track::new(),
            metadata: Vec::new(),
        })
    }

    /// The number of the time bucket of `ts`, counted from the block's first. Buckets lie on
    /// multiples of `bucket_ms` since 1970. A time outside the block has a bucket of no meaning.
    pub fn bucket_of(&self, ts: i64) -> u32 {
        bucket_of(ts, self.settings.min_time, self.settings.bucket_ms)
    }

    /// Appends float samples of one series inside one time bucket: `ts` strictly ascending and in the
    /// block's range, one value each. `start_ts` has one start timestamp each, 0 where there is none.
    pub fn floats(
        &mut self,
        series_ref: u32,
        ts: &[i64],
        values: &[f64],
        start_ts: Option<&[i64]>,
    ) -> Result<()> {
        self.of_raw(true)?;
        let Some(place) = self.place(series_ref, ts, values.len(), start_ts)? else {
            return Ok(());
        };
        self.floats.advance(place, ts)?;
        self.digest.floats(self.key(series_ref), ts, values, start_ts);
        let stale = values.iter().filter(|value| value.to_bits() == STALE_NAN_BITS).count();
        let account = &mut self.accounts[series_ref as usize];
        account.see(ts, stale);
        account.floats += ts.len() as u64;
        if self.floats.file.is_none() {
            let lasting = self.settings.source == COMPACTOR;
            self.floats.file = Some(SamplesFile::create(&self.dir, lasting)?);
        }
        match &mut self.floats.file {
            Some(file) => file.append(place, ts, values, start_ts, &self.catalogue),
            None => Ok(()),
        }
    }

    /// Appends native histogram samples of one series inside one time bucket; else as
    /// [`Self::floats`].
    pub fn histograms(
        &mut self,
        series_ref: u32,
        ts: &[i64],
        start_ts: Option<&[i64]>,
        histograms: &[Histogram],
    ) -> Result<()> {
        self.of_raw(true)?;
        let Some(place) = self.place(series_ref, ts, histograms.len(), start_ts)? else {
            return Ok(());
        };
        self.histograms.advance(place, ts)?;
        self.digest.histograms(self.key(series_ref), ts, start_ts, histograms);
        let stale = histograms.iter().filter(|h| h.sum.to_bits() == STALE_NAN_BITS).count();
        let account = &mut self.accounts[series_ref as usize];
        account.see(ts, stale);
        account.histograms += ts.len() as u64;
        if self.histograms.file.is_none() {
            self.histograms.file = Some(HistogramsFile::create(&self.dir)?);
        }
        match &mut self.histograms.file {
            Some(file) => file.append(place, ts, start_ts, histograms, &self.catalogue),
            None => Ok(()),
        }
    }

    /// Appends windows of one series of a downsampled block, inside one time bucket; else as
    /// [`Self::floats`].
    pub fn windows(&mut self, series_ref: u32, windows: WindowSlices<'_>) -> Result<()> {
        self.of_raw(false)?;
        let values = if windows.is_whole() { windows.len() } else { usize::MAX };
        let Some(place) = self.place(series_ref, windows.ts, values, None)? else {
            return Ok(());
        };
        self.windows.advance(place, windows.ts)?;
        self.digest.windows(self.key(series_ref), windows);
        let account = &mut self.accounts[series_ref as usize];
        account.see(windows.ts, 0);
        account.floats += windows.len() as u64;
        if self.windows.file.is_none() {
            self.windows.file = Some(WindowsFile::create(&self.dir)?);
        }
        match &mut self.windows.file {
            Some(file) => file.append(place, windows, &self.catalogue),
            None => Ok(()),
        }
    }

    /// Refuses samples in a downsampled block, and windows in a raw one.
    fn of_raw(&self, samples: bool) -> Result<()> {
        match samples == (self.settings.resolution_ms == 0) {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "a block of resolution {} has {}",
                self.settings.resolution_ms,
                if samples { "no samples, but windows" } else { "no windows, but samples" }
            ))),
        }
    }

    /// What is known of the metrics. It is not part of what the block's id stands for: see
    /// [`super::metadata`].
    pub fn metadata(&mut self, rows: Vec<MetricMetadata>) {
        self.metadata = rows;
    }

    /// Ends the files, writes `series.parquet` and `meta.json`, and returns the latter's content. A
    /// series of the table without any sample is in the block with `n_samples` 0.
    pub fn finish(self) -> Result<BlockMeta> {
        let key_values = self.key_values()?;
        let Self {
            dir,
            settings,
            catalogue,
            accounts,
            digest,
            floats,
            histograms,
            windows,
            metadata,
            ..
        } = self;
        let rows = floats.rows + windows.rows;
        let (series, label_columns) = series::write(
            &dir,
            &catalogue,
            &accounts,
            if settings.resolution_ms == 0 { floats.runs } else { windows.runs },
            histograms.runs,
            key_values.clone(),
        )?;
        let mut files = vec![series];
        if let Some(file) = floats.file {
            files.push(file.finish(&catalogue, key_values.clone())?);
        }
        if let Some(file) = windows.file {
            files.push(file.finish(&catalogue, key_values.clone())?);
        }
        if let Some(file) = histograms.file {
            files.push(file.finish(&catalogue, key_values.clone())?);
        }
        files.extend(metadata::write(&dir, metadata, key_values)?);
        let meta = BlockMeta {
            ulid: settings.ulid,
            min_time: settings.min_time,
            max_time: settings.max_time,
            stats: BlockStats {
                num_samples: rows + histograms.rows,
                num_float_samples: rows,
                num_histogram_samples: histograms.rows,
                num_series: catalogue.len() as u64,
                num_chunks: 0,
            },
            compaction: settings.compaction,
            version: 1,
            thanos: ThanosMeta {
                version: 1,
                labels: settings
                    .external_labels
                    .iter()
                    .map(|label| (label.name.to_string(), label.value.to_string()))
                    .collect(),
                downsample: Downsample { resolution: settings.resolution_ms },
                source: settings.source,
            },
            stoa: StoaMeta {
                format: FORMAT_VERSION,
                writer: WRITER_VERSION.to_string(),
                bucket_ms: settings.bucket_ms,
                label_columns,
                files,
                digest: digest.to_string(),
            },
        };
        let path = dir.join(META_FILE);
        std::fs::write(&path, meta.to_json()?).map_err(|e| {
            Error::new(ErrorKind::Unavailable, format!("write {}", path.display())).with_source(e)
        })?;
        Ok(meta)
    }

    /// Checks a call by itself and says where its run belongs; nothing, if it has no sample.
    fn place(
        &self,
        series_ref: u32,
        ts: &[i64],
        values: usize,
        start_ts: Option<&[i64]>,
    ) -> Result<Option<Place>> {
        let wrong = |what: &str| Err(Error::invalid(format!("series {series_ref}: {what}")));
        if series_ref as usize >= self.catalogue.len() {
            return wrong("is not in the block's table");
        }
        if values != ts.len() || start_ts.is_some_and(|start_ts| start_ts.len() != ts.len()) {
            return wrong("timestamps and values differ in number");
        }
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else {
            return Ok(None);
        };
        if ts.windows(2).any(|pair| pair[0] >= pair[1]) {
            return wrong("timestamps do not ascend");
        }
        if first < self.settings.min_time || last >= self.settings.max_time {
            return wrong(&format!("samples from {first} to {last} lie outside the block"));
        }
        let bucket = self.bucket_of(first);
        if bucket != self.bucket_of(last) {
            return wrong(&format!("samples from {first} to {last} lie in two time buckets"));
        }
        let metric = self.catalogue.metric_of(series_ref);
        Ok(Some(Place { metric, bucket, series_ref }))
    }

    fn key(&self, series_ref: u32) -> SeriesKey {
        SeriesKey::new(self.external, self.catalogue.table.fingerprints()[series_ref as usize])
    }

    fn key_values(&self) -> Result<Vec<(&'static str, String)>> {
        let external: serde_json::Map<String, serde_json::Value> = self
            .settings
            .external_labels
            .iter()
            .map(|label| (label.name.to_string(), label.value.as_ref().into()))
            .collect();
        Ok(vec![
            (keys::FORMAT, FORMAT_VERSION.to_string()),
            (keys::BLOCK, self.settings.ulid.to_string()),
            (keys::EXTERNAL_LABELS, serde_json::to_string(&external).map_err(failed)?),
        ])
    }
}

impl<F> Track<F> {
    fn new() -> Self {
        Self { file: None, runs: RunLog::default(), last: None, rows: 0 }
    }

    /// Notes a run; it must not come before the last one.
    fn advance(&mut self, place: Place, ts: &[i64]) -> Result<()> {
        let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else {
            return Ok(());
        };
        if let Some(before) = self.last
            && before >= (place, first)
        {
            let (before, ts) = before;
            return Err(Error::invalid(format!(
                "series {} in bucket {} at {first} comes after series {} in bucket {} at {ts}",
                place.series_ref, place.bucket, before.series_ref, before.bucket
            )));
        }
        self.last = Some((place, last));
        self.runs.push(place.series_ref, place.bucket, self.rows, ts.len())?;
        self.rows += ts.len() as u64;
        Ok(())
    }
}

/// The number of the time bucket of `ts` in a block that begins at `min_time`.
pub(super) fn bucket_of(ts: i64, min_time: i64, bucket_ms: i64) -> u32 {
    (ts.div_euclid(bucket_ms) - min_time.div_euclid(bucket_ms)) as u32
}
