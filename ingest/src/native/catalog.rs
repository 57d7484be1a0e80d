//! Which native blocks a bucket has, and which of them are read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use engine::block::BlockId;
use engine::block::mark::{self, DeletionMark};
use engine::bucket::Bucket;
use engine::catalog::{CatalogSettings, SetAside, Snapshot, may_be_of};
use engine::{Error, ErrorKind, Result};
use futures::{StreamExt, TryStreamExt};

use super::damage::Damage;
use super::open::OpenBlocks;
use super::source::NativeSource;
use crate::tsdb::TsdbMeta;
use crate::tsdb::meta::{LONGEST, META_FILE};

/// The native blocks of a bucket, kept up to date by [`NativeCatalog::sync`].
///
/// Left out are blocks without `meta.json` (they are being written or removed) or external labels,
/// outside the settings' range, marked for deletion longer ago than the delay, and with all sources
/// inside a block of Stoa or inside another native one of the same resolution.
#[derive(Debug)]
pub struct NativeCatalog {
    bucket: Bucket,
    settings: CatalogSettings,
    open: OpenBlocks,
    damage: Arc<Damage>,
    metas: tokio::sync::Mutex<HashMap<BlockId, Result<Arc<TsdbMeta>, String>>>,
    found: RwLock<Found>,
}

/// What the last sync found.
#[derive(Debug, Clone, Default)]
struct Found {
    sources: Vec<Arc<NativeSource>>,
    bad: BTreeMap<BlockId, String>,
}

impl NativeCatalog {
    /// A catalog of the native blocks in `bucket`, empty until the first sync, which keeps about
    /// `bytes` of open blocks.
    pub fn new(bucket: Bucket, settings: CatalogSettings, bytes: u64) -> Self {
        Self {
            open: OpenBlocks::new(bucket.clone(), bytes),
            bucket,
            settings,
            damage: Arc::default(),
            metas: tokio::sync::Mutex::default(),
            found: RwLock::default(),
        }
    }

    /// Lists the bucket's top level. Blocks that `converted`, what is known of Stoa's blocks, has
    /// already are left out. If anything cannot be read for now, the old list stays whole.
    pub async fn sync(&self, converted: &Snapshot) -> Result<()> {
        let mut metas = self.metas.lock().await;
        let read = self.read_all(&mut metas).await;
        let (blocks, bad) = read.map_err(|e| e.context("sync of native blocks"))?;
        let damaged = self.damage.all();
        let sound = blocks.into_iter().filter(|meta| !damaged.contains_key(&meta.ulid));
        let sources = select(sound.collect(), converted, &self.settings).into_iter().map(|meta| {
            let external = meta.external_labels().unwrap_or_default();
            let (open, damage) = (self.open.clone(), Arc::clone(&self.damage));
            Arc::new(NativeSource::new(meta, external, open, damage))
        });
        let found = Found { sources: sources.collect(), bad };
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }

    /// The blocks to read, by time, without those that turned out damaged.
    pub fn sources(&self) -> Vec<Arc<NativeSource>> {
        let damaged = self.damage.all();
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        let sound = |source: &&Arc<NativeSource>| !damaged.contains_key(&source.meta().ulid);
        found.sources.iter().filter(sound).cloned().collect()
    }

    /// The blocks that are there and cannot be read, by id.
    pub fn set_aside(&self) -> Vec<SetAside> {
        let mut aside = self.damage.all();
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        aside.extend(found.bad.iter().map(|(id, reason)| (*id, reason.clone())));
        aside.into_iter().map(|(block, reason)| SetAside { block, reason }).collect()
    }

    /// All blocks that are not marked for deletion, and those whose `meta.json` is wrong.
    async fn read_all(
        &self,
        metas: &mut HashMap<BlockId, Result<Arc<TsdbMeta>, String>>,
    ) -> Result<(Vec<Arc<TsdbMeta>>, BTreeMap<BlockId, String>)> {
        let folders = self.bucket.list_dirs("").await?;
        // A ULID reads in lower case too, and that would be another folder.
        let id = |name: &String| name.parse().ok().filter(|id: &BlockId| id.to_string() == *name);
        let ids: HashSet<BlockId> = folders.iter().filter_map(id).collect();
        metas.retain(|id, _| ids.contains(id));
        let concurrency = self.settings.concurrency.max(1);
        let new: Vec<BlockId> = ids.iter().filter(|id| !metas.contains_key(*id)).copied().collect();
        let mut reads = futures::stream::iter(new)
            .map(|id| async move { Ok::<_, Error>((id, self.read_meta(id).await?)) })
            .buffer_unordered(concurrency);
        while let Some((id, meta)) = reads.try_next().await? {
            // Without meta.json it is no block; the next sync looks again.
            if let Some(meta) = meta {
                metas.insert(id, meta.map(Arc::new));
            }
        }
        drop(reads);
        let known: Vec<BlockId> = metas.keys().copied().collect();
        let mut marks = futures::stream::iter(known)
            .map(|id| async move { Ok::<_, Error>((id, self.is_marked(id).await?)) })
            .buffer_unordered(concurrency);
        let (mut blocks, mut bad) = (Vec::new(), BTreeMap::new());
        while let Some((id, marked)) = marks.try_next().await? {
            match &metas[&id] {
                _ if marked => {}
                Ok(meta) => blocks.push(Arc::clone(meta)),
                Err(reason) => drop(bad.insert(id, reason.clone())),
            }
        }
        Ok((blocks, bad))
    }

    /// Reads one `meta.json`: none if there is none, a reason if it is wrong.
    async fn read_meta(&self, id: BlockId) -> Result<Option<Result<TsdbMeta, String>>> {
        let read = match self.bucket.get_at_most(&format!("{id}/{META_FILE}"), LONGEST).await {
            Ok(text) => TsdbMeta::parse(&text).and_then(|meta| {
                if meta.ulid != id {
                    return Err(Error::corrupt(format!("ulid is {}", meta.ulid)));
                }
                meta.external_labels()?;
                Ok(meta)
            }),
            Err(error) => Err(error),
        };
        match read {
            Ok(meta) => Ok(Some(Ok(meta))),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) if matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::Internal) => Err(e),
            Err(e) => Ok(Some(Err(e.context(META_FILE).to_string()))),
        }
    }

    /// Whether a block was marked for deletion before the delay began. A mark that makes no sense
    /// marks nothing: reading a block too long is the smaller mistake.
    async fn is_marked(&self, id: BlockId) -> Result<bool> {
        let mark = match mark::read::<DeletionMark>(&self.bucket, &id.to_string(), id).await {
            Ok(Some(mark)) => mark,
            Ok(None) => return Ok(false),
            Err(e) if e.kind() == ErrorKind::Corrupt => return Ok(false),
            Err(e) => return Err(e),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let since = now.saturating_sub(u64::try_from(mark.deletion_time).unwrap_or(0));
        Ok(since > self.settings.ignore_deletion_marks_delay.as_secs())
    }
}

/// The sources of a block; one that names none is its own.
fn sources(meta: &TsdbMeta) -> HashSet<BlockId> {
    match meta.compaction.sources.as_slice() {
        [] => HashSet::from([meta.ulid]),
        sources => sources.iter().copied().collect(),
    }
}

/// Where the samples of a source are: at which resolution (ms), and under which external labels.
type Held = HashMap<(i64, BlockId), Vec<BTreeMap<String, String>>>;

/// The blocks that are read, by time.
fn select(
    mut blocks: Vec<Arc<TsdbMeta>>,
    converted: &Snapshot,
    settings: &CatalogSettings,
) -> Vec<Arc<TsdbMeta>> {
    let mut held = Held::new();
    for meta in &converted.blocks {
        for &source in &meta.compaction.sources {
            let held = held.entry((meta.thanos.downsample.resolution, source)).or_default();
            held.push(meta.thanos.labels.clone());
        }
    }
    let range = settings.range.range();
    blocks.retain(|meta| meta.range().overlaps(&range) && !meta.labels().is_empty());
    // The block with most sources first: it covers others.
    blocks.sort_by_cached_key(|meta| (std::cmp::Reverse(sources(meta).len()), meta.ulid));
    blocks.retain(|meta| {
        let own = sources(meta);
        let holds = |labels: &BTreeMap<String, String>| may_be_of(labels, meta.labels());
        let is_held = |&source: &BlockId| {
            held.get(&(meta.resolution_ms(), source)).is_some_and(|all| all.iter().any(holds))
        };
        if own.iter().all(is_held) {
            return false;
        }
        for source in own {
            held.entry((meta.resolution_ms(), source)).or_default().push(meta.labels().clone());
        }
        true
    });
    blocks.sort_by_key(|meta| (meta.min_time, meta.ulid));
    blocks
}

#[cfg(test)]
mod tests {
    use engine::model::TimeRange;

    use super::*;

    fn id(number: u8) -> BlockId {
        format!("01K6H000000000000000000{number:03}").parse().unwrap()
    }

    fn block(
        number: u8,
        replica: &str,
        resolution: i64,
        hours: i64,
        sources: &[u8],
    ) -> Arc<TsdbMeta> {
        let sources: Vec<String> = sources.iter().map(|&n| id(n).to_string()).collect();
        let meta = serde_json::json!({
            "ulid": id(number).to_string(),
            "minTime": hours * 3_600_000,
            "maxTime": (hours + 2) * 3_600_000,
            "version": 1,
            "compaction": {"level": 1, "sources": sources},
            "thanos": {"labels": {"replica": replica}, "downsample": {"resolution": resolution}},
        });
        Arc::new(TsdbMeta::parse(meta.to_string().as_bytes()).unwrap())
    }

    fn kept(blocks: Vec<Arc<TsdbMeta>>, settings: &CatalogSettings) -> Vec<BlockId> {
        let kept = select(blocks, &Snapshot::default(), settings);
        kept.iter().map(|meta| meta.ulid).collect()
    }

    #[test]
    fn blocks_inside_others_are_left_out() {
        let settings = CatalogSettings::default();
        let blocks = vec![
            block(1, "a", 0, 0, &[1]),
            block(2, "a", 0, 2, &[2]),
            block(3, "b", 0, 0, &[1]),
            block(4, "a", 0, 0, &[1, 2]),
            block(5, "a", 0, 4, &[5]),
            block(6, "a", 300_000, 0, &[1, 2]),
            block(7, "a", 0, 6, &[]),
        ];
        assert_eq!(kept(blocks, &settings), [id(3), id(4), id(6), id(5), id(7)]);
    }

    #[test]
    fn blocks_outside_the_range_and_without_labels_are_left_out() {
        let range = TimeRange::new(2 * 3_600_000, 4 * 3_600_000 - 1);
        let settings = CatalogSettings { range: range.into(), ..CatalogSettings::default() };
        let mut unlabelled = TsdbMeta::clone(&block(9, "a", 0, 2, &[9]));
        unlabelled.thanos = None;
        let of = |number: u8, hours| block(number, "a", 0, hours, &[number]);
        let blocks = vec![of(1, 0), of(2, 2), of(3, 4), Arc::new(unlabelled)];
        assert_eq!(kept(blocks, &settings), [id(2)]);
    }
}
