//! Which blocks exist, and which are set aside.
//!
//! A sync lists the bucket once and reads each `meta.json` that it does not know yet; blocks never
//! change, so each is read once. What a query may read is then decided in this order:
//!
//! | a block | becomes |
//! |---|---|
//! | without `meta.json` | nothing: it is being written, or removed |
//! | whose `meta.json` is wrong, or whose objects are missing or have another size | set aside |
//! | that a reader found damaged ([`Catalog::set_aside`]) | set aside |
//! | outside the time range of the settings | left out |
//! | that the settings' selector drops | left out |
//! | marked for deletion longer ago than the delay | left out |
//! | whose sources are all inside another one that is read | left out |
//!
//! Because damaged blocks go before covered ones are looked for, the sources of a damaged block are
//! read again as long as they are there.

pub(crate) mod covered;
mod listing;
mod marks;
mod md5;
mod metrics;
mod resolution;
mod selector;
mod survey;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::{StreamExt, TryStreamExt};

use crate::block::BlockMeta;
use crate::block::mark::{DeletionMark, Mark};
use crate::block::meta::{BlockId, MAX_META_BYTES, META_FILE};
use crate::bucket::{BLOCKS_PREFIX, Bucket};
use crate::model::{Bounds, TimeRange};
use crate::{Error, ErrorKind, Result};

pub use covered::may_be_of;
pub use marks::Marks;
pub use metrics::CatalogMetrics;
pub use resolution::{Candidate, choose};
pub use selector::BlockSelector;
pub use survey::{Partial, Survey, Surveyed, Unsound};

use listing::Listed;
use marks::{Stamps, stamps};
use metrics::Counts;

/// What a catalog takes for granted.
#[derive(Debug, Clone)]
pub struct CatalogSettings {
    /// How many `meta.json` are read at once (`--block-meta-fetch-concurrency`).
    pub concurrency: usize,
    /// How long after its deletion mark a block is still read (`--ignore-deletion-marks-delay`): its
    /// replacement may not be known everywhere yet.
    pub ignore_deletion_marks_delay: Duration,
    /// Only blocks that overlap this range are kept (`--min-time`, `--max-time`).
    pub range: Bounds,
    /// Only blocks that it keeps are kept (`--selector.relabel-config`).
    pub selector: BlockSelector,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        Self {
            concurrency: 32,
            ignore_deletion_marks_delay: Duration::from_secs(24 * 3600),
            range: TimeRange::ALL.into(),
            selector: BlockSelector::default(),
        }
    }
}

/// A block that is not read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The block.
    pub block: BlockId,
    /// Why, for warnings and logs.
    pub reason: String,
}

/// The blocks at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The blocks to read, by (min_time, id).
    pub blocks: Vec<Arc<BlockMeta>>,
    /// The blocks that exist but cannot be read, by id.
    pub set_aside: Vec<SetAside>,
}

/// What the last complete sync found, before anything is left out.
#[derive(Debug, Default)]
struct Known {
    blocks: BTreeMap<BlockId, Arc<BlockMeta>>,
    /// Blocks that were marked for deletion before the delay began.
    marked: HashSet<BlockId>,
    /// Blocks whose `meta.json` or objects are wrong, and why.
    bad: BTreeMap<BlockId, String>,
    /// Folders without `meta.json`, and when each `meta.json` was written, in ms.
    partial: Vec<Partial>,
    uploaded: HashMap<BlockId, i64>,
    /// Blocks that a reader found damaged, and why.
    damaged: BTreeMap<BlockId, String>,
}

/// The list of blocks, kept up to date by [`Catalog::sync`].
#[derive(Debug)]
pub struct Catalog {
    pub(crate) bucket: Bucket,
    settings: CatalogSettings,
    metrics: CatalogMetrics,
    /// Held by a sync, so that syncs follow each other.
    syncing: tokio::sync::Mutex<Cache>,
    known: Mutex<Known>,
    snapshot: RwLock<Arc<Snapshot>>,
    ready: AtomicBool,
}

/// What need not be read again.
#[derive(Debug, Default)]
struct Cache {
    metas: HashMap<BlockId, Arc<BlockMeta>>,
    marks: HashMap<BlockId, (Stamps, Marks)>,
}

impl Catalog {
    /// A catalog of the blocks in `bucket`, empty until the first sync.
    pub fn new(bucket: Bucket, settings: CatalogSettings) -> Self {
        Self {
            bucket,
            settings,
            metrics: CatalogMetrics::default(),
            syncing: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            snapshot: RwLock::default(),
            ready: AtomicBool::new(false),
        }
    }

    /// The same catalog, counting into `metrics`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: CatalogMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Lists the bucket and replaces the snapshot. If anything of it cannot be read for now (the
    /// listing, one `meta.json`), the old snapshot stays whole and the error says what.
    pub async fn sync(&self) -> Result<()> {
        let mut cache = self.syncing.lock().await;
        self.metrics.syncs.inc();
        let begin = Instant::now();
        let done = self.read_all(&mut cache).await;
        self.metrics.sync_seconds.observe(begin.elapsed().as_secs_f64());
        match done {
            Ok(found) => {
                self.install(|known| {
                    let damaged = std::mem::take(&mut known.damaged);
                    *known = found;
                    known.damaged = damaged;
                    let Known { blocks, bad, damaged, .. } = known;
                    damaged.retain(|id, _| blocks.contains_key(id) || bad.contains_key(id));
                });
                self.ready.store(true, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                self.metrics.sync_failures.inc();
                Err(error.context("sync of the block list"))
            }
        }
    }

    /// Whether a sync has succeeded.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The blocks of the last complete sync, without those set aside since.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a damaged block out of the snapshot. It stays out as long as it is in the bucket and
    /// this catalog lives; blocks that it covered come back.
    pub fn set_aside(&self, block: BlockId, reason: &str) {
        tracing::warn!(%block, reason, "block set aside");
        self.install(|known| {
            known.damaged.entry(block).or_insert_with(|| reason.to_owned());
        });
    }

    /// The blocks that readers found damaged, and why.
    pub(crate) fn damaged(&self) -> BTreeMap<BlockId, String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).damaged.clone()
    }

    /// Changes what is known and makes the snapshot of it.
    fn install(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        let (snapshot, counts) = select(&known, &self.settings);
        let mut current = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        let kept: HashSet<BlockId> = snapshot.blocks.iter().map(|meta| meta.ulid).collect();
        let gone = current.blocks.iter().filter(|meta| !kept.contains(&meta.ulid)).count();
        self.metrics.block_drops.inc_by(gone as u64);
        self.metrics.set_counts(&counts);
        *current = Arc::new(snapshot);
    }

    async fn read_all(&self, cache: &mut Cache) -> Result<Known> {
        let listed = listing::list(&self.bucket).await?;
        let has_meta = |listed: &Listed| listed.get(META_FILE).is_some();
        cache.metas.retain(|id, _| listed.get(id).is_some_and(has_meta));
        let same = |id: &BlockId, known| listed.get(id).and_then(stamps) == Some(known);
        cache.marks.retain(|id, (known, _)| same(id, *known));
        let mut known = Known::default();

        let new: Vec<(BlockId, u64)> = listed
            .iter()
            .filter(|(id, _)| !cache.metas.contains_key(*id))
            .filter_map(|(id, objects)| Some((*id, objects.get(META_FILE)?.size_bytes)))
            .collect();
        let concurrency = self.settings.concurrency.max(1);
        let mut reads = futures::stream::iter(new)
            .map(|(id, size)| async move { Ok::<_, Error>((id, self.read_meta(id, size).await?)) })
            .buffer_unordered(concurrency);
        while let Some((id, read)) = reads.try_next().await? {
            match read {
                Some(Ok(meta)) => {
                    cache.metas.insert(id, Arc::new(meta));
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    self.metrics.last_loaded.set(now.as_secs_f64().floor());
                }
                Some(Err(reason)) => {
                    self.metrics.block_load_failures.inc();
                    tracing::warn!(block = %id, reason, "block set aside");
                    known.bad.insert(id, reason);
                }
                // Removed since the listing.
                None => {}
            }
        }
        drop(reads);

        let new_marks: Vec<(BlockId, Stamps)> = listed
            .iter()
            .filter(|(id, _)| !cache.marks.contains_key(*id))
            .filter_map(|(id, objects)| Some((*id, stamps(objects)?)))
            .collect();
        let mut reads = futures::stream::iter(new_marks)
            .map(|(id, stamps)| async move {
                let marks = marks::read(&self.bucket, id, stamps).await?;
                Ok::<_, Error>((id, (stamps, marks)))
            })
            .buffer_unordered(concurrency);
        while let Some((id, marks)) = reads.try_next().await? {
            cache.marks.insert(id, marks);
        }
        drop(reads);

        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let delay = self.settings.ignore_deletion_marks_delay.as_secs();
        for (id, (_, marks)) in &cache.marks {
            let time = marks.deletion.as_ref().map(|mark| mark.deletion_time);
            if time.is_some_and(|time| now.saturating_sub(time.max(0) as u64) > delay) {
                known.marked.insert(*id);
            }
        }
        for (id, objects) in &listed {
            if let Some(meta) = objects.get(META_FILE) {
                known.uploaded.insert(*id, meta.modified);
            }
            match cache.metas.get(id) {
                Some(meta) => match objects.check(meta) {
                    Ok(()) => {
                        known.blocks.insert(*id, Arc::clone(meta));
                    }
                    Err(reason) => {
                        tracing::warn!(block = %id, reason, "block set aside");
                        known.bad.insert(*id, reason);
                    }
                },
                None if !known.bad.contains_key(id) => known.partial.push(Partial {
                    block: *id,
                    newest: objects.newest(),
                    marked: objects.get(DeletionMark::FILE).is_some(),
                    objects: objects.names().map(str::to_owned).collect(),
                }),
                None => {}
            }
        }
        Ok(known)
    }

    /// Reads one `meta.json`: none if it has gone, a reason if it is wrong. An error is a failure of
    /// the store, not of the block.
    async fn read_meta(&self, id: BlockId, size: u64) -> Result<Option<Result<BlockMeta, String>>> {
        self.metrics.block_loads.inc();
        if size > MAX_META_BYTES {
            let reason = format!("meta.json: {size} bytes, more than {MAX_META_BYTES}");
            return Ok(Some(Err(reason)));
        }
        let path = format!("{BLOCKS_PREFIX}/{id}/{META_FILE}");
        match self.bucket.get_at_most(&path, MAX_META_BYTES).await {
            Ok(text) => Ok(Some(BlockMeta::of_block(id, &text).map_err(|e| e.to_string()))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) if e.kind() == ErrorKind::Corrupt => Ok(Some(Err(e.to_string()))),
            Err(e) => Err(e),
        }
    }
}

/// Decides what is read.
fn select(known: &Known, settings: &CatalogSettings) -> (Snapshot, Counts) {
    let mut counts =
        Counts { no_meta: known.partial.len(), corrupted: known.bad.len(), ..Counts::default() };
    let range = settings.range.range();
    let mut set_aside = known.bad.clone();
    let mut blocks = Vec::with_capacity(known.blocks.len());
    for (id, meta) in &known.blocks {
        if let Some(reason) = known.damaged.get(id) {
            counts.set_aside += 1;
            set_aside.insert(*id, reason.clone());
        } else if !meta.range().overlaps(&range) {
            counts.excluded_by_time += 1;
        } else if !settings.selector.keeps(meta) {
            counts.excluded_by_labels += 1;
        } else if known.marked.contains(id) {
            counts.marked += 1;
        } else {
            blocks.push(Arc::clone(meta));
        }
    }
    let (mut blocks, duplicate) = covered::drop_covered(blocks);
    counts.duplicate = duplicate;
    counts.loaded = blocks.len();
    blocks.sort_by_key(|meta| (meta.min_time, meta.ulid));
    let set_aside =
        set_aside.into_iter().map(|(block, reason)| SetAside { block, reason }).collect();
    (Snapshot { blocks, set_aside }, counts)
}

#[cfg(test)]
mod tests;
