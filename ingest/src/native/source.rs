//! One native block as a source of samples.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::pieces::kept_pieces;
use engine::source::{
    BlockingExec, BlockingRuns, ChunkParts, DedupFunc, EncodedChunk, Extent, Listing, Parts,
    Resolved, ResolvedParts, Roster, RosterBuilder, RunSamples, RunSink, Select, SelectOptions,
    SeriesKind, SeriesSource,
};
use engine::{Error, ErrorKind, Result};

use super::damage::Damage;
use super::open::{OpenBlocks, blocking};
use crate::tsdb::{TsdbBlock, TsdbMeta};

/// Samples of a chunk, as Prometheus cuts them.
const CHUNK_SAMPLES: u64 = 120;

/// A native block, raw or downsampled.
///
/// A block that turns out damaged is set aside in its catalog, and is no longer listed there.
/// Replicas are not told apart inside a block: ask with `dedup` off, and deduplicate above.
#[derive(Debug, Clone)]
pub struct NativeSource {
    meta: Arc<TsdbMeta>,
    external: Labels,
    open: OpenBlocks,
    damage: Arc<Damage>,
}

impl NativeSource {
    pub(super) fn new(
        meta: Arc<TsdbMeta>,
        external: Labels,
        open: OpenBlocks,
        damage: Arc<Damage>,
    ) -> Self {
        Self { meta, external, open, damage }
    }

    /// The block's `meta.json`.
    pub fn meta(&self) -> &Arc<TsdbMeta> {
        &self.meta
    }

    /// The rows of series that `matchers` accept and that have chunks in `range`.
    async fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Option<Selection>> {
        let own = match Matcher::undecided(matchers, &self.external) {
            Some(own) if self.meta.range().overlaps(&range) => own,
            _ => return Ok(None),
        };
        let found = async {
            let block = self.open.get(self.meta.ulid.to_string()).await?;
            let (open, whole) = (Arc::clone(&block), self.meta.range());
            let rows = blocking(move || {
                let rows = open.table().select(&own);
                let inside = TimeRange::new(range.min.max(whole.min), range.max.min(whole.max));
                open.rows_in(&rows, inside)
            });
            Ok(Selection { block, rows: rows.await? })
        };
        match found.await {
            Ok(found) => Ok((!found.rows.is_empty()).then_some(found)),
            Err(error) => Err(self.damage.note(self.meta.ulid, error)),
        }
    }

    /// The selected series.
    fn roster(&self, selected: Option<&Selection>, options: &SelectOptions) -> Result<Roster> {
        let Some(Selection { block, rows }) = selected else { return Ok(Roster::default()) };
        if rows.len() > options.series_limit {
            let message = format!("{} series, the limit is {}", rows.len(), options.series_limit);
            return Err(Error::new(ErrorKind::ResourcesExhausted, message));
        }
        let mut builder = RosterBuilder::new(Vec::new());
        let table = builder.add_table(Arc::clone(block.table()));
        let external = builder.add_external(&self.external);
        for &row in rows {
            let samples = u64::from(block.chunks(row)) * CHUNK_SAMPLES;
            // What kind of chunks they are is not in the index.
            builder.push(table, row, external, SeriesKind::Float, samples);
        }
        Ok(builder.build())
    }

    /// The selected series, and their chunks in `range`.
    fn chunks(
        &self,
        selected: Option<Selection>,
        range: TimeRange,
        options: &SelectOptions,
    ) -> Result<(Arc<Roster>, Arc<KeptChunks>)> {
        let roster = self.roster(selected.as_ref(), options)?;
        let samples: u64 = (0..roster.len()).map(|at| roster.samples(at)).sum();
        options.limits.spend_samples(usize::try_from(samples).unwrap_or(usize::MAX))?;
        let chunks = KeptChunks { selected, range, source: self.clone() };
        Ok((Arc::new(roster), Arc::new(chunks)))
    }

    /// The label sets that `matchers` accept, without replica labels if replicas are made one.
    async fn labels(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
    ) -> Result<Vec<Labels>> {
        let Some(Selection { block, rows }) = self.select(matchers, range).await? else {
            return Ok(Vec::new());
        };
        let table = block.table();
        let full = rows.iter().map(|&row| table.labels(row as usize).overlay(&self.external));
        Ok(full.map(|labels| labels.filter(|name| options.keeps(name))).collect())
    }
}

#[derive(Debug)]
struct Selection {
    block: Arc<TsdbBlock>,
    /// Ascending, at least one.
    rows: Vec<u32>,
}

#[async_trait]
impl SeriesSource for NativeSource {
    fn extents(&self) -> Vec<Extent> {
        vec![Extent { labels: self.external.clone(), range: self.meta.range() }]
    }

    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let selected = self.select(&select.matchers, select.range).await?;
        // Thanos' rule chooses among chunks.
        let penalty = options.dedup_func == DedupFunc::Penalty;
        if penalty || self.meta.resolution_ms() > 0 || select.whole_chunks() {
            let (roster, chunks) = self.chunks(selected, select.range, options)?;
            let origin = format!("block {}", self.meta.ulid);
            return kept_pieces(origin, roster, chunks, select, options);
        }
        let roster = self.roster(selected.as_ref(), options)?;
        let (block, rows) = match selected {
            Some(Selection { block, rows }) => (Some(block), rows),
            None => (None, Vec::new()),
        };
        let reader = Reader {
            id: self.meta.ulid.to_string(),
            block,
            rows,
            range: select.range,
            histograms: select.columns.histograms(),
            starts: select.columns.starts(),
            source: self.clone(),
        };
        let runs = Arc::new(BlockingExec::new(Arc::new(reader), options.partitions));
        Ok(Resolved { roster: Arc::new(roster), runs, warnings: Vec::new() })
    }

    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let selected = self.select(&select.matchers, select.range).await?;
        let (roster, chunks) = self.chunks(selected, select.range, options)?;
        Ok(ResolvedParts::one(roster, Parts::Chunks(chunks), Vec::new()))
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        Ok(Listing::new(self.labels(matchers, range, options).await?, limit, Vec::new()))
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let series = self.labels(matchers, range, options).await?;
        let names = series.iter().flat_map(|s| s.iter().map(|label| label.name.to_string()));
        Ok(Listing::new(names.collect(), limit, Vec::new()))
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let series = self.labels(matchers, range, options).await?;
        let values = series.iter().map(|s| s.get(name).to_owned()).filter(|v| !v.is_empty());
        Ok(Listing::new(values.collect(), limit, Vec::new()))
    }
}

/// Chunks of the selected rows of a block.
#[derive(Debug)]
struct KeptChunks {
    /// None if there is no row.
    selected: Option<Selection>,
    range: TimeRange,
    source: NativeSource,
}

#[async_trait]
impl ChunkParts for KeptChunks {
    async fn part(&self, series: &[u32]) -> Result<Vec<Vec<EncodedChunk>>> {
        let Some(Selection { block, rows }) = &self.selected else { return Ok(Vec::new()) };
        let row = |&at: &u32| {
            let row = rows.get(at as usize).copied();
            row.ok_or_else(|| Error::internal(format!("no series {at}")))
        };
        let rows = series.iter().map(row).collect::<Result<Vec<u32>>>()?;
        let (block, range) = (Arc::clone(block), self.range);
        let read = blocking(move || block.encoded(&rows, range)).await;
        read.map_err(|error| self.damaged(error))
    }

    fn damaged(&self, error: Error) -> Error {
        self.source.damage.note(self.source.meta.ulid, error)
    }
}

/// Reads the selected rows of a block.
#[derive(Debug)]
struct Reader {
    id: String,
    /// None if nothing is selected.
    block: Option<Arc<TsdbBlock>>,
    rows: Vec<u32>,
    range: TimeRange,
    /// Whether native histograms are asked for.
    histograms: bool,
    /// Whether start timestamps are.
    starts: bool,
    source: NativeSource,
}

impl BlockingRuns for Reader {
    fn describe(&self) -> String {
        let TimeRange { min, max } = self.range;
        format!("native block={}, series={}, range=[{min}, {max}]", self.id, self.rows.len())
    }

    fn samples(&self) -> Vec<u64> {
        let chunks = |&row| self.block.as_ref().map_or(0, |block| u64::from(block.chunks(row)));
        self.rows.iter().map(chunks).collect()
    }

    fn has_histograms(&self) -> bool {
        self.histograms
    }

    fn has_starts(&self) -> bool {
        self.starts
    }

    fn read(&self, series: Range<usize>, sink: &mut RunSink<'_>) -> Result<()> {
        let Some(block) = &self.block else { return Ok(()) };
        let rows = &self.rows[series.clone()];
        let read = block.read(rows, self.range, &mut |run| {
            let at = rows.binary_search(&run.row);
            let at = at.map_err(|_| Error::internal("a row that was not asked for"))?;
            let at = (series.start + at) as u32;
            if run.histograms.is_empty() {
                let samples = RunSamples::Floats(run.floats.values());
                return sink(at, run.floats.ts(), samples, run.floats.starts());
            }
            // Only who asks for them is known to see them.
            if !self.histograms {
                return Err(Error::unsupported("native histograms of a native block"));
            }
            let histograms = &run.histograms;
            let samples = RunSamples::Histograms(&histograms.samples);
            sink(at, &histograms.ts, samples, histograms.starts())
        });
        read.map_err(|error| self.source.damage.note(self.source.meta.ulid, error))
    }
}
