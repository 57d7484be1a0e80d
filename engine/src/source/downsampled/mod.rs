//! A downsampled block as a source: its windows become the chunks that Thanos keeps, so whatever reads
//! native downsampled blocks reads these. Only the columns that a query wants are read and encoded.

mod chunks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;

use self::chunks::{encode, wanted};
use super::pieces::kept_pieces;
use super::{
    BucketSource, ChunkParts, EncodedChunk, Extent, Listing, Parts, Resolved, ResolvedParts,
    Roster, Select, SelectOptions, SeriesSource,
};
use crate::Result;
use crate::block::BlockMeta;
use crate::model::{Aggregates, Labels, Matcher, TimeRange};
use crate::scan::{ScanPlan, Stretch, read_windows};

/// The windows of one block of a bucket. A block that turns out damaged is set aside in its catalog.
#[derive(Debug, Clone)]
pub struct DownsampledSource {
    meta: Arc<BlockMeta>,
    block: BucketSource,
}

impl DownsampledSource {
    /// The block `meta` of what `bucket` reads.
    pub fn new(bucket: &BucketSource, meta: Arc<BlockMeta>) -> Self {
        Self { block: bucket.only(meta.ulid), meta }
    }

    /// What the block is.
    pub fn meta(&self) -> &Arc<BlockMeta> {
        &self.meta
    }

    async fn chunks(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<(Arc<Roster>, Arc<WindowChunks>, Vec<String>)> {
        let (roster, plan, warnings) = self.block.plan(select, options).await?;
        let samples: u64 = (0..roster.len()).map(|at| roster.samples(at)).sum();
        options.limits.spend_samples(usize::try_from(samples).unwrap_or(usize::MAX))?;
        let chunks = WindowChunks { plan, range: select.range, aggregates: select.aggregates };
        Ok((Arc::new(roster), Arc::new(chunks), warnings))
    }
}

#[async_trait]
impl SeriesSource for DownsampledSource {
    fn extents(&self) -> Vec<Extent> {
        let labels = self.meta.external_labels().unwrap_or_default();
        vec![Extent { labels, range: self.meta.range() }]
    }

    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let (roster, chunks, warnings) = self.chunks(select, options).await?;
        let origin = format!("block {}", self.meta.ulid);
        Ok(Resolved { warnings, ..kept_pieces(origin, roster, chunks, select, options)? })
    }

    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let (roster, chunks, warnings) = self.chunks(select, options).await?;
        Ok(ResolvedParts::one(roster, Parts::Chunks(chunks), warnings))
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        self.block.series(matchers, range, options, limit).await
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.block.label_names(matchers, range, options, limit).await
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        self.block.label_values(name, matchers, range, options, limit).await
    }
}

/// Windows of the selected series as chunks.
#[derive(Debug)]
struct WindowChunks {
    plan: Arc<ScanPlan>,
    range: TimeRange,
    aggregates: Aggregates,
}

#[async_trait]
impl ChunkParts for WindowChunks {
    async fn part(&self, series: &[u32]) -> Result<Vec<Vec<EncodedChunk>>> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut runs = Vec::with_capacity(series.len());
        for &at in series {
            let before = stretches.len();
            for &piece in self.plan.pieces(at) {
                let wanted = self.plan.runs(piece);
                stretches.extend(wanted.map(|run| Stretch {
                    file: piece.file,
                    start: run.start_row,
                    rows: run.rows,
                }));
            }
            runs.push(before..stretches.len());
        }
        let (wanted, context) = (wanted(self.aggregates), TaskContext::default());
        let windows = read_windows(&self.plan, &stretches, wanted, &context).await?;
        let mut at = 0;
        let mut chunks = Vec::with_capacity(series.len());
        for runs in runs {
            let mut of_series = Vec::new();
            for stretch in &stretches[runs] {
                let rows = at..at + stretch.rows as usize;
                at = rows.end;
                encode(&windows, rows, self.aggregates, &mut of_series);
            }
            of_series.retain(|chunk| chunk.range.overlaps(&self.range));
            chunks.push(of_series);
        }
        Ok(chunks)
    }
}
