//! The blocks of a bucket behind the seam of all samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, stream};
use hashbrown::HashSet;

use super::{
    Extent, Listing, Parts, Resolved, ResolvedParts, Roster, RunParts, Select, SelectOptions,
    SeriesSource,
};
use crate::block::{BlockId, BlockMeta};
use crate::catalog::Catalog;
use crate::dedup::DedupExec;
use crate::merge::MergeExec;
use crate::model::{ABSENT, Labels, Matcher, TimeRange};
use crate::scan::{
    BlockCache, OpenBlock, ScanExec, ScanPlan, ScanSettings, Selection, ValuesExec, resolve, select,
};
use crate::{Error, ErrorKind, Result};

/// How many blocks are opened at once.
const OPENING: usize = 16;

/// The raw blocks of a bucket: `ValuesExec ← DedupExec ← MergeExec ← ScanExec`.
///
/// A block that turns out damaged is set aside in the catalog: at once when it cannot be opened (the
/// answer then names it in its warnings, or fails without partial response), or while its samples
/// are read, when the plan fails with a [`Corrupt`](ErrorKind::Corrupt) error: resolve again, and
/// the block is no longer part of it.
#[derive(Debug, Clone)]
pub struct BucketSource {
    catalog: Arc<Catalog>,
    cache: BlockCache,
    /// Raw blocks that are not read.
    left_out: Arc<HashSet<BlockId>>,
    /// The one block that is read instead of all raw ones, if there is one.
    only: Option<BlockId>,
}

/// Open blocks, and what of the bucket is missing.
struct Opened {
    blocks: Vec<Arc<OpenBlock>>,
    warnings: Vec<String>,
}

impl BucketSource {
    /// The blocks that `catalog` lists, kept open by `cache`.
    pub fn new(catalog: Arc<Catalog>, cache: BlockCache) -> Self {
        Self { catalog, cache, left_out: Arc::default(), only: None }
    }

    /// The same without the blocks `left_out`: others answer for their times.
    #[must_use]
    pub fn without(&self, left_out: HashSet<BlockId>) -> Self {
        Self { left_out: Arc::new(left_out), ..self.clone() }
    }

    /// The block `id` alone, whatever its resolution.
    pub(super) fn only(&self, id: BlockId) -> Self {
        Self { only: Some(id), ..self.clone() }
    }

    /// Opens the raw blocks that overlap `range`.
    async fn open(&self, range: TimeRange, options: &SelectOptions) -> Result<Opened> {
        let snapshot = self.catalog.snapshot();
        let mut warnings = Vec::new();
        // Who reads one block only is told of that one when it is opened.
        let aside = snapshot.set_aside.iter().filter(|_| self.only.is_none());
        for aside in aside {
            missing(&mut warnings, options, format!("block {}: {}", aside.block, aside.reason))?;
        }
        let is_read = |meta: &Arc<BlockMeta>| match self.only {
            Some(only) => meta.ulid == only,
            None => meta.thanos.downsample.resolution == 0 && !self.left_out.contains(&meta.ulid),
        };
        let wanted = |meta: &&Arc<BlockMeta>| meta.range().overlaps(&range) && is_read(meta);
        let metas: Vec<Arc<BlockMeta>> = snapshot.blocks.iter().filter(wanted).cloned().collect();
        let mut opened = stream::iter(metas)
            .map(|meta| {
                let cache = self.cache.clone();
                async move {
                    let block = cache.get(&meta).await;
                    (meta, block)
                }
            })
            .buffered(OPENING);
        let mut blocks = Vec::new();
        while let Some((meta, block)) = opened.next().await {
            match block {
                Ok(block) => blocks.push(block),
                Err(error) => {
                    if error.kind() == ErrorKind::Corrupt {
                        self.catalog.set_aside(meta.ulid, &error.to_string());
                    }
                    if !options.partial_response {
                        return Err(error);
                    }
                    warnings.push(error.to_string());
                }
            }
        }
        Ok(Opened { blocks, warnings })
    }

    /// The series of `wanted`, and where their samples lie.
    pub(super) async fn plan(
        &self,
        wanted: &Select,
        options: &SelectOptions,
    ) -> Result<(Roster, Arc<ScanPlan>, Vec<String>)> {
        let (selected, warnings) = self.select(&wanted.matchers, wanted.range, options).await?;
        let limit = options.series_limit;
        let (roster, pieces) = resolve(selected, options.dropped(), wanted.range, limit)?;
        let settings = ScanSettings::new(wanted, options);
        let plan = ScanPlan::new(
            &self.cache,
            Arc::clone(&self.catalog),
            settings,
            options.limits.clone(),
            &roster,
            pieces,
        );
        Ok((roster, Arc::new(plan), warnings))
    }

    /// The series that match, block by block.
    async fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
    ) -> Result<(Vec<Selection>, Vec<String>)> {
        let Opened { blocks, warnings } = self.open(range, options).await?;
        let selected = blocks.into_iter().filter_map(|open| select(open, matchers, range));
        Ok((selected.collect(), warnings))
    }
}

/// The operators that read `plan`.
fn operators(plan: Arc<ScanPlan>) -> Arc<dyn ExecutionPlan> {
    let mut runs: Arc<dyn ExecutionPlan> = Arc::new(ScanExec::new(Arc::clone(&plan)));
    runs = Arc::new(MergeExec::new(Arc::clone(&plan), runs));
    if let Some(func) = plan.settings.dedup {
        runs = Arc::new(DedupExec::new(Arc::clone(&plan), func, runs));
    }
    Arc::new(ValuesExec::new(plan, runs))
}

/// The reading of blocks, series by series as they are asked for.
#[derive(Debug)]
struct BlockParts {
    plan: Arc<ScanPlan>,
    roster: Arc<Roster>,
}

impl RunParts for BlockParts {
    fn part(&self, series: &[u32]) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(operators(Arc::new(self.plan.part(&self.roster, series))))
    }
}

/// Something cannot be read: a warning, or an error without partial response.
fn missing(warnings: &mut Vec<String>, options: &SelectOptions, what: String) -> Result<()> {
    if !options.partial_response {
        return Err(Error::corrupt(what));
    }
    warnings.push(what);
    Ok(())
}

#[async_trait]
impl SeriesSource for BucketSource {
    fn extents(&self) -> Vec<Extent> {
        let mut ranges: BTreeMap<Labels, TimeRange> = BTreeMap::new();
        for meta in &self.catalog.snapshot().blocks {
            // The catalog sets a block aside whose labels are none.
            let Ok(labels) = meta.external_labels() else { continue };
            let range = ranges.entry(labels).or_insert_with(|| meta.range());
            *range = range.union(&meta.range());
        }
        ranges.into_iter().map(|(labels, range)| Extent { labels, range }).collect()
    }

    async fn resolve(&self, wanted: &Select, options: &SelectOptions) -> Result<Resolved> {
        let (roster, plan, warnings) = self.plan(wanted, options).await?;
        Ok(Resolved { roster: Arc::new(roster), runs: operators(plan), warnings })
    }

    async fn resolve_parts(
        &self,
        wanted: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let (roster, plan, warnings) =
            self.plan(&wanted.in_whole_windows(), &options.apart()).await?;
        let roster = Arc::new(roster);
        let parts = Parts::Runs(Arc::new(BlockParts { plan, roster: Arc::clone(&roster) }));
        Ok(ResolvedParts::one(roster, parts, warnings))
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        let (selected, warnings) = self.select(matchers, range, options).await?;
        let (roster, _) = resolve(selected, options.dropped(), range, options.series_limit)?;
        let series = (0..roster.len()).map(|at| roster.labels(at)).collect();
        Ok(Listing::new(series, limit, warnings))
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let (selected, warnings) = self.select(matchers, range, options).await?;
        let mut names: HashSet<&str> = HashSet::new();
        for selection in &selected {
            let block = &selection.open.block;
            names.extend(block.external_labels.iter().map(|label| label.name.as_ref()));
            for column in block.series.table.columns() {
                let used = |&row: &u32| column.codes[row as usize] != ABSENT;
                if !names.contains(column.name.as_ref()) && selection.rows.iter().any(used) {
                    names.insert(&column.name);
                }
            }
        }
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.retain(|name| options.keeps(name));
        Ok(Listing::new(names, limit, warnings))
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let (selected, warnings) = self.select(matchers, range, options).await?;
        if !options.keeps(name) {
            return Ok(Listing::new(Vec::new(), limit, warnings));
        }
        let mut values: HashSet<&str> = HashSet::new();
        for selection in &selected {
            let block = &selection.open.block;
            match block.external_labels.get(name) {
                "" => {}
                value => {
                    values.insert(value);
                    continue;
                }
            }
            let Some(column) = block.series.table.column(name) else { continue };
            let mut used = vec![false; column.values.len()];
            for &row in &selection.rows {
                if let Some(used) = used.get_mut(column.codes[row as usize] as usize) {
                    *used = true;
                }
            }
            let used = column.values.iter().zip(&used).filter(|&(_, &used)| used);
            values.extend(used.map(|(value, _)| value.as_ref()));
        }
        let values = values.into_iter().map(str::to_owned).collect();
        Ok(Listing::new(values, limit, warnings))
    }
}
