//! The work itself: turn after turn, each of which looks at the bucket, and does some of what is to be done.
//!
//! ```text
//! survey ─▶ clean ─▶ plan ─▶ ┌ compactions    ┐ ─▶ retention ─▶ list of live files
//!                            └ downsamplings  ┘
//! ```
//!
//! A turn does a few compactions and a few downsamplings, beside each other, and then the rest: however
//! much there is of one, it does not starve the other, nor retention. What fails is named, left alone for a
//! while, and stops nothing else.
//!
//! A job writes a block and commits it; reads it back, every sample; says so in the log of its group;
//! and only then marks its sources. Cut off anywhere, the next turn finds either no block, and does the
//! job again, or a block beside its sources, and goes on from there.

mod damage;
mod job;
mod metrics;
mod pauses;
mod replace;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;

pub use self::metrics::CompactMetrics;
use self::pauses::Pauses;
use super::clean;
use super::live;
use super::log::Holder;
use super::plan::{Job, Plan, PlanBlock, PlanSettings, plan};
use super::retention::{self, RetentionPolicy};
use crate::block::mark::{self, DeletionMark};
use crate::block::{BlockId, BlockMeta};
use crate::bucket::Bucket;
use crate::catalog::{BlockSelector, Catalog, CatalogSettings, Survey};
use crate::source::DedupFunc;
use crate::{Error, Result};

/// How a bucket is looked after.
#[derive(Debug, Clone)]
pub struct CompactSettings {
    /// What is to be done.
    pub plan: PlanSettings,
    /// How replicas are made one.
    pub dedup: DedupFunc,
    /// How long samples are kept.
    pub retention: RetentionPolicy,
    /// How long after its mark a block is removed, in ms (`--delete-delay`).
    pub delete_delay_ms: i64,
    /// Only blocks that it keeps are looked after (`--selector.relabel-config`).
    pub selector: BlockSelector,
    /// How many compactions are done at once (`--compact.concurrency`).
    pub compactions: usize,
    /// How many downsamplings are done at once (`--downsample.concurrency`).
    pub downsamplings: usize,
    /// Bytes that a job may hold.
    pub memory: usize,
    /// A folder for blocks in the making and for what memory does not hold.
    pub dir: PathBuf,
    /// How this process takes leases.
    pub holder: Holder,
}

/// What a turn did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Blocks made by merging.
    pub compacted: usize,
    /// Blocks made by downsampling.
    pub downsampled: usize,
    /// Blocks marked for deletion, for whatever reason.
    pub marked: usize,
    /// Blocks and unfinished folders removed.
    pub removed: usize,
    /// What failed.
    pub failed: usize,
    /// Whether there is more to do now.
    pub more: bool,
}

impl CompactSettings {
    /// Settings that do nothing by themselves: to be changed to what is wanted. Files go to `dir`.
    pub fn idle(dir: PathBuf) -> Self {
        Self {
            plan: PlanSettings { compact: false, downsample: None, ..PlanSettings::default() },
            dedup: DedupFunc::default(),
            retention: RetentionPolicy::default(),
            delete_delay_ms: i64::MAX,
            selector: BlockSelector::default(),
            compactions: 1,
            downsamplings: 1,
            memory: 256 << 20,
            dir,
            holder: Holder::new(5 * 60_000),
        }
    }
}

/// Looks after a bucket.
#[derive(Debug)]
pub struct Compactor {
    bucket: Bucket,
    catalog: Catalog,
    settings: CompactSettings,
    metrics: CompactMetrics,
    /// Blocks that were read back.
    proven: Mutex<HashSet<BlockId>>,
    pauses: Mutex<Pauses>,
    /// The list of live files as it was last written.
    listed: Mutex<Option<String>>,
}

impl Compactor {
    /// A compactor of `bucket` that counts into `metrics`.
    pub fn new(bucket: Bucket, settings: CompactSettings, metrics: CompactMetrics) -> Self {
        Self {
            catalog: Catalog::new(bucket.clone(), CatalogSettings::default()),
            bucket,
            settings,
            metrics,
            proven: Mutex::default(),
            pauses: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    /// Does some of what is to be done. `now` gives ms since 1970.
    ///
    /// # Errors
    /// If the bucket cannot be listed; nothing was done then. What else fails is counted and logged.
    pub async fn turn(&self, now: &(dyn Fn() -> i64 + Sync)) -> Result<Turn> {
        self.metrics.iterations.inc();
        let mut turn = Turn::default();
        self.clean(now(), &mut turn).await?;
        let survey = self.survey().await?;
        let blocks = plan_blocks(&survey);
        let mut planned = plan(&blocks, now(), &self.settings.plan);
        // What would be too old at once is not made.
        planned.downsamplings.retain(|job| {
            let kept = self.settings.retention.of(&job.group.labels).at(job.group.resolution);
            kept == 0 || job.range.end.saturating_add(kept) >= now()
        });
        self.metrics.planned(&planned);
        self.replace(&planned, now, &mut turn).await;
        self.work(planned, now, &mut turn).await;
        self.retire(now(), &mut turn).await?;
        self.list_files().await;
        Ok(turn)
    }

    /// Only the removal of what is marked or unfinished (`--compact.cleanup-interval`, `tools bucket cleanup`).
    ///
    /// # Errors
    /// If the bucket cannot be listed.
    pub async fn clean(&self, now: i64, turn: &mut Turn) -> Result<()> {
        let cleaning = clean::decide(&self.survey().await?, now, self.settings.delete_delay_ms);
        let (removed, failed) = clean::clean(&self.bucket, &cleaning).await;
        self.metrics.cleaned.inc_by(removed as u64);
        self.metrics.clean_failures.inc_by(failed.len() as u64);
        turn.removed += removed;
        for error in failed {
            tracing::error!(%error, "removal of a block");
            turn.failed += 1;
        }
        Ok(())
    }

    /// What the bucket has, as far as it is looked after.
    async fn survey(&self) -> Result<Survey> {
        let mut survey = self.catalog.survey().await?;
        survey.blocks.retain(|block| self.settings.selector.keeps(&block.meta));
        for unsound in &survey.set_aside {
            tracing::warn!(block = %unsound.block, reason = unsound.reason, "block is not sound");
        }
        self.metrics.unsound.set(survey.set_aside.len() as i64);
        Ok(survey)
    }

    /// Marks blocks that another one has replaced, but for what was cut off.
    async fn replace(&self, planned: &Plan, now: &(dyn Fn() -> i64 + Sync), turn: &mut Turn) {
        let mut covered = planned.covered.clone();
        covered.sort_by_key(|covered| covered.by.ulid);
        for of_one in covered.chunk_by(|a, b| a.by.ulid == b.by.ulid) {
            let by = &of_one[0].by;
            if self.is_paused(&by.ulid.to_string(), now()) {
                turn.failed += 1;
                continue;
            }
            let blocks: Vec<Arc<BlockMeta>> = of_one.iter().map(|c| Arc::clone(&c.block)).collect();
            match self.replace_by(by, &blocks, now).await {
                Ok(marked) => turn.marked += marked,
                Err(error) => {
                    self.failed(&by.ulid.to_string(), &error, now());
                    turn.failed += 1;
                }
            }
        }
    }

    /// Does the first jobs of each kind, beside each other.
    async fn work(&self, planned: Plan, now: &(dyn Fn() -> i64 + Sync), turn: &mut Turn) {
        let mut groups = HashSet::new();
        let mut due = |jobs: Vec<Job>, most: usize| -> Vec<Job> {
            let (paused, mut due): (Vec<Job>, Vec<Job>) =
                jobs.into_iter().partition(|job| self.is_paused(&job::name(job), now()));
            turn.failed += paused.len();
            turn.more |= !due.is_empty();
            // A group is worked on by one.
            due.retain(|job| groups.insert(job.group.clone()));
            due.truncate(most.max(1));
            due
        };
        let compactions = due(planned.compactions, self.settings.compactions);
        let downsamplings = due(planned.downsamplings, self.settings.downsamplings);
        let jobs: Vec<Job> = compactions.into_iter().chain(downsamplings).collect();
        let most = self.settings.compactions.max(1) + self.settings.downsamplings.max(1);
        let before = turn.compacted + turn.downsampled;
        let mut done = futures::stream::iter(jobs)
            .map(|job| async move {
                let result = self.job(&job, now).await;
                (job, result)
            })
            .buffer_unordered(most);
        while let Some((job, result)) = done.next().await {
            match result {
                Ok(Some(marked)) => {
                    self.metrics.done(&job);
                    turn.marked += marked;
                    match job.downsamples() {
                        true => turn.downsampled += 1,
                        false => turn.compacted += 1,
                    }
                }
                // Another process works on the group.
                Ok(None) => {}
                Err(error) => {
                    self.metrics.failed(&job);
                    self.failed(&job::name(&job), &error, now());
                    turn.failed += 1;
                }
            }
        }
        // What another process does, or what failed, is not done sooner by looking again at once.
        turn.more &= turn.compacted + turn.downsampled > before;
    }

    /// Only the marking of what is old enough and may go (`tools bucket retention`).
    ///
    /// # Errors
    /// If the bucket cannot be listed.
    pub async fn retire(&self, now: i64, turn: &mut Turn) -> Result<()> {
        let downsampling = self.settings.plan.downsample.is_some();
        let blocks = plan_blocks(&self.survey().await?);
        let retired = retention::decide(&blocks, now, &self.settings.retention, downsampling);
        for aged in &retired.stay {
            tracing::warn!(block = %aged.block, why = aged.why, "block past its retention stays");
        }
        self.metrics.held_back.set(retired.stay.len() as i64);
        for aged in &retired.go {
            match self.mark(aged.block, &aged.why, None, now).await {
                Ok(marked) => turn.marked += usize::from(marked),
                Err(error) => {
                    tracing::error!(block = %aged.block, %error, "mark for deletion");
                    turn.failed += 1;
                }
            }
        }
        Ok(())
    }

    /// Marks a block for deletion; whether it was not marked before.
    async fn mark(
        &self,
        block: BlockId,
        details: &str,
        replaced_by: Option<BlockId>,
        now: i64,
    ) -> Result<bool> {
        let deletion = DeletionMark::new(block, details, replaced_by, now);
        let new = mark::put(&self.bucket, &BlockMeta::folder(block), &deletion).await?;
        if new {
            tracing::info!(%block, details, "block marked for deletion");
            self.metrics.marked("deletion-mark.json");
        }
        Ok(new)
    }

    /// Replaces the list of live files, if it has changed.
    async fn list_files(&self) {
        let list = async {
            let list = live::list(&self.survey().await?)?;
            let known = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if known.as_ref() != Some(&list) {
                self.bucket.put(live::FILES, list.clone().into()).await?;
                *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(list);
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = list.await {
            tracing::error!(%error, "list of live files");
        }
    }

    fn is_paused(&self, name: &str, now: i64) -> bool {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).is_paused(name, now)
    }

    /// Takes note that something failed: it is left alone for a while.
    fn failed(&self, name: &str, error: &Error, now: i64) {
        let pause = self.pauses.lock().unwrap_or_else(PoisonError::into_inner).add(name, now);
        tracing::error!(work = name, %error, again_in_s = pause / 1000, "compaction failed");
    }
}

/// The blocks of a survey as far as planning goes.
fn plan_blocks(survey: &Survey) -> Vec<PlanBlock> {
    let block = |block: &crate::catalog::Surveyed| PlanBlock {
        meta: Arc::clone(&block.meta),
        uploaded: block.uploaded,
        marked: block.is_marked(),
        no_compact: block.marks.no_compact.is_some(),
        no_downsample: block.marks.no_downsample.is_some(),
    };
    survey.blocks.iter().map(block).collect()
}
