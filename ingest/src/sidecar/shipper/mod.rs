//! The shipper: every finished block of a Prometheus, converted and committed to the bucket, once.
//!
//! ```text
//! <data>/<ULID>/              a finished block of Prometheus
//!    │ hard links, so that retention cannot take files away meanwhile
//! <data>/thanos/upload/<ULID>/tsdb      ──convert──▶ …/block ──commit──▶ bucket
//!    │
//! <data>/thanos.shipper.json  what needs no upload any more; Prometheus itself may read it
//! ```
//!
//! What Prometheus says of its metrics is asked for when a block is converted, and stored with it.
//!
//! It may be killed at any point: a block is in the bucket only by its `meta.json`, the id of a
//! converted block follows from its source, and work that was begun is thrown away and done again.
//! If it is wanted, the block as Prometheus wrote it is uploaded beside ([`native`]).
//! Behaviour and names are those of Thanos' `pkg/shipper`; unlike there, a block that cannot be
//! converted is counted and left, and the others go on.

pub mod compacted;
mod metrics;
mod native;
mod record;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::block::{BlockId, MetricMetadata};
use engine::bucket::{BLOCKS_PREFIX, Bucket, commit};
use engine::model::Labels;
use engine::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

use crate::convert::{ConvertOptions, convert, converted_id};
use crate::sidecar::Prometheus;
use crate::tsdb::meta::META_FILE;
use crate::tsdb::{LocalBlock, TsdbMeta};

pub use metrics::ShipperMetrics;
pub use record::{RECORD_FILE, Record};

/// What a shipper works with.
#[derive(Debug, Clone)]
pub struct ShipperSettings {
    /// Prometheus' data folder (`--tsdb.path`).
    pub data_dir: PathBuf,
    /// The labels of this Prometheus (`global.external_labels`), not empty.
    pub external_labels: Labels,
    /// Who ships, as in `thanos.source`: `sidecar`, `ruler`, …
    pub source: String,
    /// Whether blocks that Prometheus has compacted are shipped too (`--shipper.upload-compacted`).
    pub upload_compacted: bool,
    /// The record's name in the data folder (`--shipper.meta-file-name`).
    pub record_file: String,
    /// Whether the blocks as Prometheus wrote them are uploaded too
    /// (`--shipper.also-upload-tsdb`).
    pub also_upload_tsdb: bool,
    /// How many files of such a block are uploaded at once (`--shipper.upload-concurrency`).
    pub upload_concurrency: usize,
    /// Whether newer blocks are shipped when the bucket did not take an older one
    /// (`--shipper.allow-out-of-order-uploads`).
    pub allow_out_of_order: bool,
}

impl ShipperSettings {
    /// Thanos' defaults for a sidecar.
    pub fn new(data_dir: impl Into<PathBuf>, external_labels: Labels) -> Self {
        Self {
            data_dir: data_dir.into(),
            external_labels,
            source: "sidecar".to_owned(),
            upload_compacted: false,
            record_file: RECORD_FILE.to_owned(),
            also_upload_tsdb: false,
            upload_concurrency: 0,
            allow_out_of_order: false,
        }
    }
}

/// Ships the blocks of one data folder. Two shippers must not work on the same folder.
#[derive(Debug)]
pub struct Shipper {
    bucket: Bucket,
    settings: ShipperSettings,
    metrics: ShipperMetrics,
    prometheus: Option<Prometheus>,
}

/// The longest that a Prometheus may take to say what it knows of its metrics.
const METADATA_WITHIN: Duration = Duration::from_secs(10);

/// What one pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipped {
    /// The blocks that it brought into the bucket: their ids there.
    pub uploaded: Vec<BlockId>,
    /// The blocks that it could not ship, and why.
    pub failed: Vec<String>,
}

/// A finished block in the data folder.
#[derive(Debug)]
struct Found {
    dir: PathBuf,
    meta: TsdbMeta,
}

impl Shipper {
    /// A shipper into `bucket`. Without external labels it would mix up the blocks of different
    /// servers, so none is an [`Invalid`](ErrorKind::Invalid) error.
    pub fn new(bucket: Bucket, settings: ShipperSettings, metrics: ShipperMetrics) -> Result<Self> {
        if settings.external_labels.is_empty() {
            return Err(Error::invalid("a shipper needs external labels"));
        }
        Ok(Self { bucket, settings, metrics, prometheus: None })
    }

    /// The same shipper, which asks `prometheus` for its metrics' types, units and help texts and stores
    /// them with each block. A Prometheus that gives none holds no block back.
    #[must_use]
    pub fn with_metadata_of(mut self, prometheus: Prometheus) -> Self {
        self.prometheus = Some(prometheus);
        self
    }

    async fn metadata(&self) -> Vec<MetricMetadata> {
        let Some(prometheus) = &self.prometheus else { return Vec::new() };
        match tokio::time::timeout(METADATA_WITHIN, prometheus.metadata()).await {
            Ok(Ok(metadata)) => metadata,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a block is shipped without metadata");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!("a block is shipped without metadata: {METADATA_WITHIN:?} are over");
                Vec::new()
            }
        }
    }

    /// Makes a pass each `interval` (Thanos: 30 s) until `stop`, under the external labels that `labels`
    /// gives then; while there are none, nothing is shipped. Errors are logged and counted.
    pub async fn run(
        &mut self,
        interval: Duration,
        labels: impl Fn() -> Labels,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let labels = labels();
            if labels.is_empty() {
                tracing::warn!("nothing is shipped: Prometheus has no external labels any more");
                continue;
            }
            self.settings.external_labels = labels;
            tokio::select! {
                () = stop.cancelled() => return,
                synced = self.sync() => if let Err(error) = synced {
                    tracing::error!(%error, "shipping blocks");
                }
            }
        }
    }

    /// Makes one pass: ships every finished block that is not yet in the bucket, oldest first.
    ///
    /// A block that is damaged does not stop the others; a bucket that does not answer ends the pass
    /// with an error, so that blocks arrive in order.
    pub async fn sync(&self) -> Result<Shipped> {
        let synced = self.pass().await;
        match &synced {
            Ok(_) => self.metrics.dir_syncs.inc(),
            Err(_) => self.metrics.dir_sync_failures.inc(),
        };
        synced
    }

    async fn pass(&self) -> Result<Shipped> {
        let upload_dir = self.settings.data_dir.join("thanos/upload");
        remove(&upload_dir)?;
        let record_path = self.settings.data_dir.join(&self.settings.record_file);
        let known = Record::read(&record_path).unwrap_or_else(|error| {
            tracing::warn!(%error, "the record of uploads is written anew");
            Record::default()
        });
        let mut shipped = Shipped::default();
        let found = self.find(&mut shipped)?;
        // Only blocks that still exist stay in the record.
        let here: BTreeSet<BlockId> = found.iter().map(|block| block.meta.ulid).collect();
        let mut done: Vec<BlockId> =
            known.uploaded.iter().copied().filter(|id| here.contains(id)).collect();
        let mut compacted_left = false;
        for block in &found {
            let id = block.meta.ulid;
            if done.contains(&id) || block.meta.stats.num_samples == 0 {
                continue;
            }
            if block.meta.compaction.level > 1 && !self.settings.upload_compacted {
                continue;
            }
            match self.ship(block, &upload_dir.join(id.to_string())).await {
                Ok(new) => {
                    if let Some(new) = new {
                        tracing::info!(source = %id, block = %new, "shipped a block");
                        self.metrics.uploads.inc();
                        shipped.uploaded.push(new);
                    }
                    done.push(id);
                    Record::new(&done).write(&record_path)?;
                }
                Err(error) => {
                    self.metrics.upload_failures.inc();
                    compacted_left |= block.meta.compaction.level > 1;
                    if error.kind() == ErrorKind::Unavailable && !self.settings.allow_out_of_order {
                        return Err(error.context(format!("ship {id}")));
                    }
                    if error.kind() == ErrorKind::Corrupt {
                        self.metrics.corrupted_blocks.inc();
                    }
                    tracing::error!(source = %id, %error, "a block cannot be shipped");
                    shipped.failed.push(error.to_string());
                }
            }
        }
        if done != known.uploaded {
            Record::new(&done).write(&record_path)?;
        }
        if self.settings.upload_compacted {
            self.metrics.upload_compacted_done.set(i64::from(!compacted_left));
        }
        Ok(shipped)
    }

    /// The finished blocks, oldest first. Prometheus writes a block under another name and renames it
    /// when it is complete, so a folder named by a ULID is a finished block.
    fn find(&self, shipped: &mut Shipped) -> Result<Vec<Found>> {
        let data_dir = &self.settings.data_dir;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(data_dir).map_err(|e| unreadable(data_dir, e))? {
            let dir = entry.map_err(|e| unreadable(data_dir, e))?.path();
            let name = dir.file_name().and_then(|name| name.to_str());
            let is_block = name.is_some_and(|name| name.parse::<BlockId>().is_ok());
            if !is_block || !dir.join(META_FILE).is_file() {
                continue;
            }
            match TsdbMeta::read(&LocalBlock::new(&dir)) {
                Ok(meta) => found.push(Found { dir, meta }),
                // Prometheus deletes old blocks under our feet.
                Err(_) if !dir.exists() => {}
                Err(error) => {
                    self.metrics.upload_failures.inc();
                    self.metrics.corrupted_blocks.inc();
                    tracing::error!(%error, "a block cannot be shipped");
                    shipped.failed.push(error.to_string());
                }
            }
        }
        found.sort_by_key(|block| (block.meta.min_time, block.meta.ulid));
        Ok(found)
    }

    /// Brings one block into the bucket; `None` if it is there already.
    async fn ship(&self, block: &Found, work_dir: &Path) -> Result<Option<BlockId>> {
        let (linked, out) = (work_dir.join("tsdb"), work_dir.join("block"));
        link_block(&block.dir, &linked)?;
        std::fs::create_dir_all(&out).map_err(|e| unreadable(&out, e))?;
        let files = LocalBlock::new(&linked).called(block.dir.display().to_string());
        let files = Arc::new(files);
        let options =
            ConvertOptions::new(self.settings.external_labels.clone(), &self.settings.source);
        let id = converted_id(files.as_ref(), &options)?;
        let there = match self.bucket.head(&format!("{BLOCKS_PREFIX}/{id}/{META_FILE}")).await {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let shipped = if there {
            None
        } else {
            if block.meta.compaction.level > 1 {
                compacted::check(&self.bucket, &block.meta, &self.settings.external_labels).await?;
            }
            let metadata = self.metadata().await;
            let made = {
                let (out, options) = (out.clone(), ConvertOptions { metadata, ..options });
                tokio::task::spawn_blocking(move || convert(files, &out, &options))
                    .await
                    .map_err(|e| Error::internal("converting a block").with_source(e))??
            };
            commit(&self.bucket, &out, &made).await?;
            Some(id)
        };
        if self.settings.also_upload_tsdb {
            let ShipperSettings { external_labels: labels, source, upload_concurrency, .. } =
                &self.settings;
            let meta = &block.meta;
            native::upload(&self.bucket, &linked, meta, labels, source, *upload_concurrency)
                .await?;
        }
        remove(work_dir)?;
        Ok(shipped)
    }
}

/// Links a block's files into `to`: they stay even if Prometheus deletes the block.
fn link_block(from: &Path, to: &Path) -> Result<()> {
    let chunks = to.join("chunks");
    std::fs::create_dir_all(&chunks).map_err(|e| unreadable(&chunks, e))?;
    let link = |file: &Path| {
        let linked = std::fs::hard_link(from.join(file), to.join(file));
        linked.map_err(|e| unreadable(&from.join(file), e))
    };
    for file in ["meta.json", "index"] {
        link(Path::new(file))?;
    }
    if from.join("tombstones").is_file() {
        link(Path::new("tombstones"))?;
    }
    let segments = from.join("chunks");
    for entry in std::fs::read_dir(&segments).map_err(|e| unreadable(&segments, e))? {
        let name = entry.map_err(|e| unreadable(&segments, e))?.file_name();
        link(&Path::new("chunks").join(name))?;
    }
    Ok(())
}

fn remove(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unreadable(dir, e)),
        _ => Ok(()),
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, path.display().to_string()).with_source(error)
}
