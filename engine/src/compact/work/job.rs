//! One job: blocks become one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;

use super::Compactor;
use crate::block::meta::{Compaction, Parent};
use crate::block::{self, BlockId, BlockMeta, BlockSettings, COMPACTOR};
use crate::bucket::commit;
use crate::catalog::covered::sources;
use crate::catalog::{Catalog, CatalogSettings};
use crate::compact::log::{self, Lease};
use crate::compact::plan::windows::DAY_MS;
use crate::compact::plan::{FIVE_MINUTES_MS, HOUR_MS, Job};
use crate::compact::rewrite::{RewriteOptions, Rewritten, rewrite};
use crate::model::Labels;
use crate::scan::BlockCache;
use crate::source::DedupFunc;
use crate::{Error, ErrorKind, Result};

/// The length of a time bucket of raw blocks: that of the blocks that Prometheus cuts, so that a query costs
/// as much over a day as over its parts.
const RAW_BUCKET_MS: i64 = 2 * HOUR_MS;
/// The length of a time bucket of blocks that have one for all their samples.
const WHOLE_BUCKET_MS: i64 = 1 << 52;
/// Bytes of open blocks that a job may hold: they are held by the job anyway.
const CACHE_BYTES: u64 = 64 << 20;

/// The length of a time bucket of the result. Samples are downsampled series by series, so all of a series
/// are in one bucket; months of five minutes keep the days that they are made of.
fn bucket_ms(job: &Job) -> i64 {
    let days = job.range.start.div_euclid(DAY_MS)..=(job.range.end - 1).div_euclid(DAY_MS);
    let has_days = |meta: &Arc<BlockMeta>| meta.stoa.bucket_ms == DAY_MS;
    match (job.group.resolution, job.downsamples()) {
        (0, _) => RAW_BUCKET_MS,
        (FIVE_MINUTES_MS, true) if days.start() == days.end() => DAY_MS,
        (FIVE_MINUTES_MS, false) if job.sources.iter().all(has_days) => DAY_MS,
        _ => WHOLE_BUCKET_MS,
    }
}

/// What a job is called in logs.
pub(super) fn name(job: &Job) -> String {
    format!("{}[{}, {})", job.group, job.range.start, job.range.end)
}

/// A local folder that is removed when it is not needed any more.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes an empty folder; what was there is removed.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::Unavailable, path.display().to_string()).with_source(e)
        };
        match std::fs::remove_dir_all(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        std::fs::create_dir_all(path).map_err(failed)?;
        Ok(Self(path.to_path_buf()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a folder stays");
        }
    }
}

impl Compactor {
    /// Does a job; how many sources were marked, or none if another process works on the group.
    pub(super) async fn job(
        &self,
        job: &Job,
        now: &(dyn Fn() -> i64 + Sync),
    ) -> Result<Option<usize>> {
        let (bucket, holder) = (&self.bucket, &self.settings.holder);
        let Some(mut lease) = log::acquire(bucket, &job.group.to_string(), holder, now()).await?
        else {
            return Ok(None);
        };
        let settings = self.result(job, lease.epoch())?;
        let folder = Folder::create(&self.settings.dir.join(settings.ulid.to_string()))?;
        let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
        let made = tokio::select! {
            made = self.make(job, settings, &catalog, folder.path()) => made,
            error = self.keep(&mut lease, now) => Err(error),
        };
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                if error.kind() == ErrorKind::Corrupt {
                    self.set_aside(catalog.damaged(), now()).await?;
                }
                // Who is fenced has nothing to give back.
                let _ = lease.release(now()).await;
                return Err(error);
            }
        };
        // Whoever has taken over meanwhile finds no block of ours.
        lease.renew(now()).await?;
        commit(bucket, folder.path(), &made.meta).await?;
        let meta = Arc::new(made.meta);
        if let Err(error) = self.prove(&meta).await {
            if error.kind() == ErrorKind::Corrupt {
                self.mark(meta.ulid, "it does not read back as it was written", None, now())
                    .await?;
            }
            return Err(error);
        }
        tracing::info!(
            block = %meta.ulid,
            group = %job.group,
            sources = job.sources.len(),
            samples = meta.stats.num_samples,
            left_out = made.account.left_out(),
            "block made"
        );
        if job.downsamples() {
            lease.commit(meta.ulid, Vec::new(), now()).await?;
            lease.release(now()).await?;
            return Ok(Some(0));
        }
        let replaced = job.sources.iter().map(|meta| meta.ulid).collect();
        self.commit_and_mark(lease, meta.ulid, replaced, now).await.map(Some)
    }

    async fn make(
        &self,
        job: &Job,
        settings: BlockSettings,
        catalog: &Arc<Catalog>,
        dir: &Path,
    ) -> Result<Rewritten> {
        let cache = BlockCache::new(self.bucket.clone(), CACHE_BYTES);
        let labels = |meta: &BlockMeta| meta.thanos.labels.clone();
        let replicas = job.sources.iter().any(|meta| labels(meta) != labels(&job.sources[0]));
        let options = RewriteOptions {
            settings,
            dedup: replicas.then_some(self.settings.dedup),
            pick_bytes: self.pick_bytes(),
        };
        let context = self.context()?;
        rewrite(catalog, &cache, &job.sources, options, dir, &context).await
    }

    /// Renews a lease until that fails.
    async fn keep(&self, lease: &mut Lease, now: &(dyn Fn() -> i64 + Sync)) -> Error {
        let third = u64::try_from(self.settings.holder.ttl_ms / 3).unwrap_or(1).max(1);
        loop {
            tokio::time::sleep(Duration::from_millis(third)).await;
            if let Err(error) = lease.renew(now()).await {
                return error;
            }
        }
    }

    /// What the result of a job is.
    fn result(&self, job: &Job, epoch: u64) -> Result<BlockSettings> {
        let mut all: Vec<BlockId> = job.sources.iter().flat_map(|meta| sources(meta)).collect();
        all.sort_unstable();
        all.dedup();
        let parent = |meta: &Arc<BlockMeta>| Parent {
            ulid: meta.ulid,
            min_time: meta.min_time,
            max_time: meta.max_time,
        };
        let level = job.sources.iter().map(|meta| meta.compaction.level).max().unwrap_or(0);
        let labels = job.group.labels.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let mut settings = BlockSettings {
            ulid: BlockId::default(),
            external_labels: Labels::new(labels)?,
            source: COMPACTOR.to_owned(),
            resolution_ms: job.group.resolution,
            min_time: job.range.start,
            max_time: job.range.end,
            bucket_ms: bucket_ms(job),
            compaction: Compaction {
                level: level + u32::from(!job.downsamples()),
                sources: all,
                parents: job.sources.iter().map(parent).collect(),
            },
        };
        // What else decides on the bytes: the rule of dedup, and who may write them.
        let rule = match self.settings.dedup {
            DedupFunc::Coverage => 0,
            DedupFunc::Penalty => 1,
            DedupFunc::Chain => 2,
        };
        let made_by = BlockId(ulid::Ulid::from_parts(0, u128::from(epoch) << 8 | rule));
        let parents = job.sources.iter().map(|meta| meta.ulid);
        let made_from: Vec<BlockId> = parents.chain([made_by]).collect();
        settings.ulid = block::id(&made_from, &settings);
        Ok(settings)
    }

    /// Where operators account for their memory.
    pub(super) fn context(&self) -> Result<Arc<TaskContext>> {
        let pool = Arc::new(GreedyMemoryPool::new(self.settings.memory));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        Ok(Arc::new(TaskContext::default().with_runtime(runtime)))
    }

    /// Bytes of picks that are held in memory.
    pub(super) fn pick_bytes(&self) -> usize {
        self.settings.memory / 4
    }
}
