//! The sources of a rewrite, open: their series as one roster, and where the samples lie.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::block::BlockMeta;
use crate::block::digest::SeriesKey;
use crate::catalog::Catalog;
use crate::model::{LabelTable, Labels, TimeRange};
use crate::scan::{BlockCache, OpenBlock, ScanPlan, ScanSettings, Selection, resolve_own};
use crate::source::{Columns, DedupFunc, ReadLimits, Roster, Select, SelectOptions};
use crate::{ErrorKind, Result};

/// How many blocks are opened at once.
const OPENING: usize = 16;

/// Blocks to rewrite.
#[derive(Debug)]
pub(super) struct Sources {
    /// All series of all blocks by their own labels, in block order.
    pub(super) roster: Roster,
    /// Where their samples lie.
    pub(super) plan: ScanPlan,
    /// The own labels of the roster's series.
    pub(super) table: Arc<LabelTable>,
    /// The blocks, and the fingerprints of their external labels.
    pub(super) blocks: Vec<(Arc<BlockMeta>, u128)>,
    /// For each file of the plan: its block.
    pub(super) block_of: Vec<usize>,
}

impl Sources {
    pub(super) async fn open(
        catalog: &Arc<Catalog>,
        cache: &BlockCache,
        metas: &[Arc<BlockMeta>],
        dedup: Option<DedupFunc>,
    ) -> Result<Self> {
        let opened: Vec<Arc<OpenBlock>> = stream::iter(metas.to_vec())
            .map(|meta| async move {
                let open = cache.get(&meta).await;
                if let Err(error) = &open
                    && error.kind() == ErrorKind::Corrupt
                {
                    catalog.set_aside(meta.ulid, &error.to_string());
                }
                open
            })
            .buffered(OPENING)
            .try_collect()
            .await?;
        let all = |open: Arc<OpenBlock>| {
            let rows = (0..open.block.series.len() as u32).collect();
            Selection { open, rows }
        };
        let (roster, pieces) = resolve_own(opened.into_iter().map(all).collect())?;
        let labels: Vec<Labels> = (0..roster.len()).map(|at| roster.labels(at)).collect();
        let table = Arc::new(LabelTable::from_labels(&labels));
        drop(labels);
        let select = Select {
            matchers: Vec::new(),
            range: TimeRange::ALL,
            columns: Columns::All,
            aggregates: Default::default(),
            max_resolution: 0,
        };
        let options = SelectOptions {
            dedup: dedup.is_some(),
            dedup_func: dedup.unwrap_or_default(),
            partitions: 1,
            ..SelectOptions::default()
        };
        let settings = ScanSettings::new(&select, &options);
        let limits = ReadLimits::none();
        let plan = ScanPlan::new(cache, Arc::clone(catalog), settings, limits, &roster, pieces);
        let mut blocks: Vec<(Arc<BlockMeta>, u128)> = Vec::new();
        let mut block_of = Vec::with_capacity(plan.files.len());
        for file in &plan.files {
            let block = &file.open.block;
            let at = blocks.iter().position(|(meta, _)| meta.ulid == block.meta.ulid);
            block_of.push(at.unwrap_or_else(|| {
                blocks.push((Arc::clone(&block.meta), block.external_labels.fingerprint()));
                blocks.len() - 1
            }));
        }
        Ok(Self { roster, plan, table, blocks, block_of })
    }

    /// The key of a series' samples in the file `file` of the plan.
    pub(super) fn key(&self, file: u32, series: u32) -> SeriesKey {
        let (_, external) = self.blocks[self.block_of[file as usize]];
        SeriesKey::new(external, self.table.fingerprints()[series as usize])
    }
}
