//! A Prometheus of the demo, its shipper, and what has come from it in this run.

use std::path::Path;

use anyhow::{Context, ensure};
use chrono::DateTime;
use engine::block::{BlockId, BlockMeta};
use engine::bucket::Bucket;
use ingest::sidecar::{HttpConfig, Prometheus, Shipper, ShipperMetrics, ShipperSettings};

/// One replica.
#[derive(Debug)]
pub(super) struct Replica {
    /// The value of its replica label.
    pub(super) name: String,
    /// How many blocks were shipped in this run.
    pub(super) blocks: usize,
    shipper: Shipper,
    bucket: Bucket,
    /// The end, in ms, of the newest block that was scraped in this run.
    newest: Option<i64>,
    /// Why the last pass did not ship all; empty if it did.
    failure: String,
}

impl Replica {
    /// The Prometheus at `url` with the data folder `dir`. Its external labels are what it says of
    /// itself; `replica_label` must be one of them.
    pub(super) async fn open(
        url: &str,
        dir: &Path,
        replica_label: &str,
        bucket: Bucket,
        metrics: ShipperMetrics,
    ) -> anyhow::Result<Self> {
        let prometheus = Prometheus::new(url, HttpConfig::default()).context("--prometheus.url")?;
        let labels = prometheus.external_labels().await.context("--prometheus.url")?;
        let name = labels.get(replica_label).to_owned();
        ensure!(!name.is_empty(), "{url} has no external label {replica_label:?}");
        let settings = ShipperSettings::new(dir, labels);
        let shipper = Shipper::new(bucket.clone(), settings, metrics)?;
        Ok(Self { name, blocks: 0, shipper, bucket, newest: None, failure: String::new() })
    }

    /// The end, in ms, of the newest block that was scraped in this run.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Why the last pass did not ship all; empty if it did.
    pub(super) fn failure(&self) -> &str {
        &self.failure
    }

    /// Ships what is finished. Returns what there is to tell.
    pub(super) async fn pass(&mut self, since_ms: i64) -> Vec<String> {
        let mut lines = Vec::new();
        let failure = match self.shipper.sync().await {
            Ok(shipped) => match self.arrived(&shipped.uploaded, since_ms).await {
                Ok(line) => {
                    lines.extend(line);
                    shipped.failed.join("; ")
                }
                Err(error) => format!("{error:#}"),
            },
            Err(error) => error.to_string(),
        };
        if !failure.is_empty() && failure != self.failure {
            lines.push(format!("  {}: {failure}", self.name));
        }
        self.failure = failure;
        lines
    }

    /// Takes note of blocks that came into the bucket.
    async fn arrived(&mut self, ids: &[BlockId], since_ms: i64) -> anyhow::Result<Option<String>> {
        let (mut samples, mut bytes, mut series) = (0, 0, 0);
        let mut times: Option<(i64, i64)> = None;
        for &id in ids {
            let meta = self.bucket.get(&BlockMeta::path(id, "meta.json")).await?;
            let meta = BlockMeta::from_json(&meta)?;
            samples += meta.stats.num_samples;
            series = meta.stats.num_series;
            bytes += meta.stoa.files.iter().map(|file| file.size_bytes).sum::<u64>();
            let (first, last) = times.unwrap_or((meta.min_time, meta.max_time));
            times = Some((first.min(meta.min_time), last.max(meta.max_time)));
            if meta.min_time >= since_ms {
                self.newest = self.newest.max(Some(meta.max_time));
            }
        }
        self.blocks += ids.len();
        let Some((first, last)) = times else { return Ok(None) };
        let what =
            if ids.len() == 1 { ids[0].to_string() } else { format!("{} blocks", ids.len()) };
        Ok(Some(format!(
            "  {}: {what}, {} to {} UTC, {samples} samples of {series} series, {} KiB",
            self.name,
            clock(first),
            clock(last),
            bytes.div_ceil(1024)
        )))
    }
}

/// A time in ms as `12:03:59`.
pub(super) fn clock(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |t| t.format("%T").to_string())
}
