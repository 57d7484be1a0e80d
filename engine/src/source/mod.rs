//! The one seam behind which all samples lie.
//!
//! A query resolves its selectors first ([`SeriesSource::resolve`]): out come the series
//! ([`Roster`]) and a physical plan that streams their samples as run batches, merged over blocks
//! and deduplicated over replicas. PromQL operators stand on top of that plan; they see series as
//! roster indices and never label text.
//!
//! # Run batch
//!
//! ```text
//! series: UInt32          index into the roster, ascending over the stream of a partition
//! ts:     List<Int64>     timestamps in ms, strictly ascending
//! value:  List<Float64>   one a timestamp, bit-exact, stale markers included
//! ```
//!
//! A series is in one partition only. A run may go on in the next row or the next batch: rows of one
//! series follow each other, in order of time. A batch holds about 64 Ki samples at most, unless one
//! row alone is longer.
//!
//! # Native histograms
//!
//! They are left out where a selector asks for [`Columns::Values`]. A plan that may else have any
//! has one more column ([`histogram_run_schema`]); all other plans are as above:
//!
//! ```text
//! histogram: List<Struct>   one a timestamp; the struct's fields are the columns of histograms.parquet
//!                           from `is_float` on: kind, reset hint, schema, zero threshold, sum,
//!                           counts, spans, buckets, custom bounds
//! ```
//!
//! A row has floats (`value` is not null, `histogram` is) or histograms (the other way round), never
//! both. Rows of a series that has both alternate in order of time:
//!
//! ```text
//! series  ts           value        histogram
//! 7       0 15 30      1.0 2.0 3.0  null
//! 7       45 60        null         {…} {…}
//! 7       75           4.0          null
//! ```
//!
//! A histogram whose sum is the stale marker is a stale marker. Dedup sees it as it sees those of
//! floats: replicas are chosen by timestamps, whatever lies at them. Batches end early enough that
//! histograms, a hundred times wider than floats, take no more memory ([`HISTOGRAM_WEIGHT`]).

pub(crate) mod arrange;
mod blocking;
mod bucket;
mod chunked;
mod downsampled;
mod fanout;
mod kept;
mod limits;
mod memory;
mod metadata;
mod parts;
pub mod pieces;
mod roster;
mod runs;
mod streamed;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::physical_plan::ExecutionPlan;

use crate::chunk::whole_windows;
use crate::model::{AggregateValue, Aggregates, Labels, Matcher, TimeRange};
use crate::{Error, Result};

pub use blocking::{BlockingExec, BlockingRuns, RunSamples, RunSink};
pub use bucket::BucketSource;
pub use chunked::{ChunkBuffer, ChunkedExec, ChunkedSeries, EncodedChunk, kept_parts};
pub use downsampled::DownsampledSource;
pub use fanout::{Child, Children, FanoutExec, FanoutSource};
pub use kept::{KeptExec, keep};
pub use limits::ReadLimits;
pub use memory::MemorySource;
pub use metadata::{BlockMetadata, Metadata, MetadataSource};
pub use parts::{ChunkParts, Parts, ResolvedParts, RunParts, SourceParts};
pub use roster::{Grouping, Roster, RosterBuilder, SeriesKind};
pub use runs::{
    HISTOGRAM_WEIGHT, RunBuilder, histogram_run_schema, histograms_of, start_run_schema, starts_of,
};
pub(crate) use runs::{has_histograms, has_starts, run_schema_with};
pub use streamed::{StreamedExec, StreamedRuns};
#[cfg(test)]
pub(crate) use tests::test_block;

/// How replicas of one series are made one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DedupFunc {
    /// The leader is chosen from timestamps alone, and no hole is left that another replica fills.
    #[default]
    Coverage,
    /// Thanos' rule, its sequence of samples bit-equal (`pkg/dedup/iter.go`).
    Penalty,
    /// The union of distinct timestamps; the first replica wins on equal ones.
    Chain,
}

/// What of the samples a selector needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Columns {
    /// Timestamps and values of numbers; native histograms are left out.
    Values,
    /// Timestamps alone: `value` is null where no sample of the run is a stale marker. Native
    /// histograms are as with [`Samples`](Self::Samples), and then numbers may be too.
    Timestamps,
    /// Timestamps and values, and native histograms with theirs.
    Samples,
    /// The same, and start timestamps: when a counter began. Batches have a column for them where some
    /// sample may have one.
    All,
}

impl Columns {
    /// Whether native histograms are wanted.
    pub fn histograms(self) -> bool {
        self != Self::Values
    }

    /// Whether start timestamps are wanted.
    pub fn starts(self) -> bool {
        self == Self::All
    }
}

/// What a selector asks for.
#[derive(Debug, Clone)]
pub struct Select {
    /// All must accept a series.
    pub matchers: Vec<Matcher>,
    /// The timestamps wanted, both ends included.
    pub range: TimeRange,
    /// What of the samples is needed.
    pub columns: Columns,
    /// Which aggregates stand for the samples where those are downsampled: [`Aggregates::AVERAGE`]
    /// is one value, sum by count; with [`Aggregates::COUNTER`] the query treats the series as
    /// counters (rate, increase, irate, resets). Runs of samples have one value: another set is
    /// [`Invalid`](crate::ErrorKind::Invalid) for them.
    pub aggregates: Aggregates,
    /// The coarsest resolution that may answer, in ms; 0 is raw samples only. Where the coarsest has
    /// nothing, finer ones answer.
    pub max_resolution: i64,
}

impl Select {
    /// Whether the query treats the series as counters.
    pub fn counter(&self) -> bool {
        self.aggregates == Aggregates::COUNTER
    }

    /// Whether a source that has chunks hands them out whole, whatever the range: where some are
    /// downsampled, the total of a counter begins with the first chunk, and [`FanoutExec`] cuts what
    /// it makes of them.
    pub fn whole_chunks(&self) -> bool {
        self.counter() && self.max_resolution > 0
    }

    /// The same, of [whole windows](crate::chunk::whole_windows).
    pub(crate) fn in_whole_windows(&self) -> Self {
        Self { range: whole_windows(self.range), ..self.clone() }
    }

    /// The value that stands for downsampled samples.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the aggregates are not one value.
    pub fn value(&self) -> Result<AggregateValue> {
        self.aggregates.value().ok_or_else(|| {
            let all: Vec<_> = self.aggregates.iter().collect();
            Error::invalid(format!("the aggregates {all:?} are not one value"))
        })
    }
}

/// What holds for all selectors of a query.
#[derive(Debug, Clone)]
pub struct SelectOptions {
    /// Whether replicas are made one.
    pub dedup: bool,
    /// How.
    pub dedup_func: DedupFunc,
    /// Labels that tell replicas apart; removed from the series when `dedup` is set.
    pub replica_labels: Vec<String>,
    /// Whether a part that cannot be read becomes a warning (true) or an error (false).
    pub partial_response: bool,
    /// Most series a selector may match.
    pub series_limit: usize,
    /// What the query may read.
    pub limits: ReadLimits,
    /// How many partitions a plan may have.
    pub partitions: usize,
    /// Labels that are external labels of some source of the query. A source that may choose the
    /// order of its roster leaves them out of block order, as a bucket does: then nothing has to be
    /// sorted where sources meet.
    pub trailing_labels: Vec<String>,
    /// Which of several sources are asked: those whose `__address__` one of these selectors accepts;
    /// all of them without a selector (Thanos' `storeMatch[]`).
    pub source_matchers: Vec<Vec<Matcher>>,
}

impl SelectOptions {
    /// Whether label `name` takes no part in the order of a roster.
    pub(crate) fn trails(&self, name: &str) -> bool {
        let is = |label: &String| label == name;
        self.replica_labels.iter().any(is) || self.trailing_labels.iter().any(is)
    }
}

impl Default for SelectOptions {
    fn default() -> Self {
        Self {
            dedup: true,
            dedup_func: DedupFunc::Coverage,
            replica_labels: Vec::new(),
            partial_response: true,
            series_limit: 500_000,
            limits: ReadLimits::default(),
            partitions: 2,
            trailing_labels: Vec::new(),
            source_matchers: Vec::new(),
        }
    }
}

impl SelectOptions {
    /// The labels that are taken off the series: none while replicas stay apart.
    pub fn dropped(&self) -> &[String] {
        if self.dedup { &self.replica_labels } else { &[] }
    }

    /// Whether series keep the label `name`. One that is taken off is not listed either, nor are its
    /// values, as in Thanos (`WithoutReplicaLabels` of `LabelNames` and `LabelValues`).
    pub fn keeps(&self, name: &str) -> bool {
        !self.dropped().iter().any(|label| label == name)
    }

    /// The same, with replicas apart.
    pub(crate) fn apart(&self) -> Self {
        Self { dedup: false, ..self.clone() }
    }
}

/// A selector's series, and the plan that streams their samples.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The matching series.
    pub roster: Arc<Roster>,
    /// A plan whose partitions stream run batches ([`run_schema`]), cut by contiguous ranges of the
    /// roster.
    pub runs: Arc<dyn ExecutionPlan>,
    /// What could not be read, if partial answers are wanted.
    pub warnings: Vec<String>,
}

/// Where a source has samples: under which external labels, and from when to when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// External labels that all its series have.
    pub labels: Labels,
    /// From the earliest sample that it may have to the latest.
    pub range: TimeRange,
}

/// Anything that has samples: blocks of a bucket, memory, and later remote stores.
#[async_trait]
pub trait SeriesSource: std::fmt::Debug + Send + Sync {
    /// What the source has now, one entry a set of external labels, in their order. Nothing if it has
    /// no samples; a source that does not know may have anything at any time.
    fn extents(&self) -> Vec<Extent> {
        vec![Extent { labels: Labels::empty(), range: TimeRange::ALL }]
    }

    /// Finds the series of `select` and plans the reading of their samples.
    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved>;

    /// Finds the series of `select` for a reader who wants them in another order, or as chunks: each
    /// source that this one is made of answers for itself, and its samples are read a part at a time
    /// where it can do that. Replicas and copies stay apart, whatever `options` say of dedup.
    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let select = select.in_whole_windows();
        let Resolved { roster, runs, warnings } = self.resolve(&select, &options.apart()).await?;
        Ok(ResolvedParts::one(roster, Parts::Whole(runs), warnings))
    }

    /// The label sets of the series that `matchers` accept and that have samples in `range`, sorted,
    /// each once; at most `limit` if it is not 0.
    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>>;

    /// The label names of those series, sorted.
    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>>;

    /// The values of label `name` in those series, sorted.
    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>>;
}

/// A metadata answer.
#[derive(Debug, Clone, Default)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether a limit cut items off.
    pub truncated: bool,
    /// What could not be read.
    pub warnings: Vec<String>,
}

impl<T: Ord> Listing<T> {
    /// `items` sorted, each once, at most `limit` of them if it is not 0.
    pub fn new(mut items: Vec<T>, limit: usize, warnings: Vec<String>) -> Self {
        items.sort_unstable();
        items.dedup();
        let truncated = limit > 0 && items.len() > limit;
        if truncated {
            items.truncate(limit);
        }
        Self { items, truncated, warnings }
    }
}

/// The schema of run batches.
pub fn run_schema() -> SchemaRef {
    let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, false)));
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("ts", list(DataType::Int64), false),
        Field::new("value", list(DataType::Float64), true),
    ]))
}
