//! From a block of Prometheus to a block of Stoa: the same samples, bit for bit, as columns.
//!
//! ```text
//! TsdbBlock (label table, chunk lists)
//!   │ order: rows in block order (metric, label priority, …)
//!   ▼
//! scan: metric by metric, time bucket by time bucket, series by series ── runs ──▶ BlockWriter
//! ```
//!
//! Nothing is sorted but the label table: chunks are read in windows and runs are written as they are
//! decoded. The conversion ends with a comparison of what was read with what the block says it holds
//! (`stats` of `meta.json`); a difference is an error, because samples would be missing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::block::meta::{Compaction, Parent};
use engine::block::{self, BlockId, BlockMeta, BlockSettings, BlockWriter, MetricMetadata, order};
use engine::model::{LabelTable, Labels};
use engine::{Error, Result};

use crate::tsdb::meta::TsdbStats;
use crate::tsdb::{BlockFiles, ScanCounts, TsdbBlock, TsdbMeta, tombstones};

const HOUR_MS: i64 = 3_600_000;

/// How a block is converted.
#[derive(Debug, Clone)]
pub struct ConvertOptions {
    /// Labels that all series get; empty takes those of `thanos.labels` in the block's `meta.json`.
    pub external_labels: Labels,
    /// Who converts, as in `thanos.source`: `sidecar`, `bucket.upload`, …
    pub source: String,
    /// What is known of the block's metrics; the same block with other metadata keeps its id.
    pub metadata: Vec<MetricMetadata>,
    /// Counts the samples that are written, for a display of progress.
    pub written: Arc<AtomicU64>,
}

impl ConvertOptions {
    /// Options without metadata and without a display of progress.
    pub fn new(external_labels: Labels, source: &str) -> Self {
        let (source, metadata) = (source.to_owned(), Vec::new());
        Self { external_labels, source, metadata, written: Arc::default() }
    }
}

/// Converts the block in `files` into the existing folder `out`, and returns what was made: its files
/// and its `meta.json` lie in `out`, ready for [`engine::bucket::commit`]. Blocks the thread.
///
/// # Errors
/// - [`Invalid`](engine::ErrorKind::Invalid): no external labels, or no samples.
/// - [`Corrupt`](engine::ErrorKind::Corrupt), [`Unsupported`](engine::ErrorKind::Unsupported): the
///   block; `out` then holds parts that are of no use.
pub fn convert(
    files: Arc<dyn BlockFiles>,
    out: &Path,
    options: &ConvertOptions,
) -> Result<BlockMeta> {
    let settings = settings(files.as_ref(), options)?;
    let tsdb = TsdbBlock::open(files)?;
    let (rows, table) = in_block_order(&tsdb)?;
    if rows.is_empty() {
        return Err(Error::invalid(format!("{} has no samples", tsdb.name())));
    }
    let mut series_refs = vec![u32::MAX; tsdb.table().len()];
    for (series_ref, &row) in rows.iter().enumerate() {
        series_refs[row as usize] = series_ref as u32;
    }
    let bucket_ms = settings.bucket_ms;
    let mut writer = BlockWriter::create(out, settings, table)?;
    writer.metadata(options.metadata.clone());
    let counts = tsdb.scan(&rows, Some(bucket_ms), &mut |run| {
        let series_ref = series_refs[run.row as usize];
        let (floats, histograms) = (run.floats, run.histograms);
        if !floats.is_empty() {
            writer.floats(series_ref, floats.ts(), floats.values(), floats.starts())?;
        }
        if !histograms.is_empty() {
            let (ts, starts) = (&histograms.ts, histograms.starts());
            writer.histograms(series_ref, ts, starts, &histograms.samples)?;
        }
        let samples = floats.len() + histograms.len();
        options.written.fetch_add(samples as u64, Ordering::Relaxed);
        Ok(())
    })?;
    // Series that tombstones delete as a whole are not read.
    if rows.len() == tsdb.table().len() {
        compare(&counts, &tsdb.meta().stats)
            .map_err(|e| e.context(format!("{}/meta.json", tsdb.name())))?;
    }
    writer.finish()
}

/// The id that [`convert`] gives, without reading samples: to ask whether a block is already there.
pub fn converted_id(files: &dyn BlockFiles, options: &ConvertOptions) -> Result<BlockId> {
    settings(files, options).map(|settings| settings.ulid)
}

fn settings(files: &dyn BlockFiles, options: &ConvertOptions) -> Result<BlockSettings> {
    let meta = TsdbMeta::read(files)?;
    let external_labels = match options.external_labels.is_empty() {
        true => meta.external_labels().map_err(|e| e.context(files.name()))?,
        false => options.external_labels.clone(),
    };
    if external_labels.is_empty() {
        return Err(Error::invalid(format!(
            "{} has no external labels: none were given, and its meta.json has no thanos.labels",
            files.name()
        )));
    }
    if meta.resolution_ms() != 0 {
        return Err(Error::unsupported(format!(
            "{} is downsampled to {} ms: only raw blocks are converted",
            files.name(),
            meta.resolution_ms()
        )));
    }
    let span = meta.max_time.saturating_sub(meta.min_time);
    let sources = match meta.compaction.sources.is_empty() {
        true => vec![meta.ulid],
        false => meta.compaction.sources.clone(),
    };
    let parent = Parent { ulid: meta.ulid, min_time: meta.min_time, max_time: meta.max_time };
    let mut settings = BlockSettings {
        ulid: meta.ulid,
        external_labels,
        source: options.source.clone(),
        resolution_ms: 0,
        min_time: meta.min_time,
        max_time: meta.max_time,
        bucket_ms: if span <= 2 * HOUR_MS { 2 * HOUR_MS } else { 6 * HOUR_MS },
        compaction: Compaction {
            level: meta.compaction.level.max(1),
            sources,
            parents: vec![parent],
        },
    };
    // Tombstones may come after a block was written: they make another block of it.
    let mut made_from = vec![meta.ulid];
    made_from.extend(tombstones::fingerprint(files)?);
    settings.ulid = block::id(&made_from, &settings);
    Ok(settings)
}

/// The live rows in block order, and their label sets as a table in that order.
fn in_block_order(tsdb: &TsdbBlock) -> Result<(Vec<u32>, Arc<LabelTable>)> {
    let table = tsdb.table();
    let mut live = vec![false; table.len()];
    for row in tsdb.live_rows()? {
        live[row as usize] = true;
    }
    let mut rows = order::sort(table);
    rows.retain(|&row| live[row as usize]);
    let fingerprint = |row: u32| table.fingerprints()[row as usize];
    if let Some(pair) = rows.windows(2).find(|pair| fingerprint(pair[0]) == fingerprint(pair[1])) {
        return Err(Error::corrupt(format!(
            "{}/index: two series have the labels {}",
            tsdb.name(),
            table.labels(pair[0] as usize)
        )));
    }
    let table = Arc::new(table.take(&rows));
    Ok((rows, table))
}

/// Holds what was read against what `meta.json` says was written. Writers before native histograms
/// give only the sum of samples.
fn compare(counts: &ScanCounts, stats: &TsdbStats) -> Result<()> {
    let (floats, histograms) = (counts.floats, counts.histograms);
    let by_kind = stats.num_float_samples != 0 || stats.num_histogram_samples != 0;
    let said = (stats.num_float_samples, stats.num_histogram_samples);
    if floats + histograms == stats.num_samples && (!by_kind || (floats, histograms) == said) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the block says it has {} samples ({} floats, {} histograms), its chunks have {floats} \
         floats and {histograms} histograms",
        stats.num_samples, said.0, said.1
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_must_be_those_of_the_meta() {
        let counts = |floats, histograms| ScanCounts { chunks: 1, floats, histograms };
        let stats = |num_samples, num_float_samples, num_histogram_samples| TsdbStats {
            num_samples,
            num_float_samples,
            num_histogram_samples,
            ..TsdbStats::default()
        };
        assert!(compare(&counts(10, 0), &stats(10, 10, 0)).is_ok());
        assert!(compare(&counts(7, 3), &stats(10, 7, 3)).is_ok());
        assert!(compare(&counts(7, 3), &stats(10, 0, 0)).is_ok());
        assert!(compare(&counts(7, 3), &stats(10, 3, 7)).is_err());
        assert!(compare(&counts(9, 0), &stats(10, 10, 0)).is_err());
        assert!(compare(&counts(9, 0), &stats(0, 0, 0)).is_err());
    }
}
