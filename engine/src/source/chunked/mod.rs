//! Series that arrive as encoded chunks (remote read, StoreAPI), kept encoded until a plan streams
//! them.
//!
//! ```text
//! peer ──push──▶ ChunkBuffer ──resolve──▶ roster, sorted by labels   + ChunkedExec: run batches
//!                     └────────series───▶ series in that order, chunks as they came (for relaying)
//! ```
//!
//! What a peer says is not trusted: limits are held against each series as it arrives, chunks may
//! overlap, repeat, come in any order, or reach beyond the range that was asked for; what a caller
//! gets is sorted, cut to the range, and has each timestamp once. A chunk that does not decode is a
//! [`Corrupt`](crate::ErrorKind::Corrupt) error of the stream that names the series.
//!
//! Replicas are not told apart here. A source of several replicas is asked with `dedup` off, and
//! whoever asked deduplicates; with `dedup` on, series that are equal without the replica labels
//! become one, their samples joined by distinct timestamps.

mod decode;
mod exec;
mod kept;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Parts, Resolved, ResolvedParts, Roster, RosterBuilder, Select, SelectOptions, SeriesKind,
};
use crate::chunk::{AggregateChunks, Encoding};
use crate::model::{LabelTable, Labels, TimeRange};
use crate::{Error, ErrorKind, Result};

pub use exec::ChunkedExec;
pub(super) use kept::Kept;

/// Bytes that a series or chunk takes beside its text and data.
const OVERHEAD: usize = 64;

/// A chunk as it came, still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedChunk {
    /// The time range that the peer gives for it.
    pub range: TimeRange,
    /// How it is encoded.
    pub encoding: Encoding,
    /// Its bytes, without framing.
    pub bytes: Bytes,
}

impl EncodedChunk {
    /// How many samples its header claims.
    pub fn samples(&self) -> usize {
        match self.encoding {
            Encoding::Aggregates => {
                AggregateChunks::parse(&self.bytes).map_or(0, |chunks| chunks.samples())
            }
            encoding => encoding.claimed_samples(&self.bytes).unwrap_or(0),
        }
    }

    /// Whether its samples are floats, or stand for floats. One that is no chunk turns out damaged
    /// when it is read.
    pub(crate) fn is_float(&self) -> bool {
        match self.encoding {
            Encoding::Aggregates => {
                AggregateChunks::parse(&self.bytes).map_or(true, |chunks| chunks.is_float())
            }
            encoding => encoding.is_float(),
        }
    }
}

/// One series and its chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkedSeries {
    /// All labels, external ones included.
    pub labels: Labels,
    /// Its chunks by time, none twice.
    pub chunks: Vec<EncodedChunk>,
}

/// Takes series as they arrive, in any order, under limits.
#[derive(Debug)]
pub struct ChunkBuffer {
    series: Vec<ChunkedSeries>,
    bytes: usize,
    samples: usize,
    limits: Limits,
}

#[derive(Debug)]
struct Limits {
    series: usize,
    samples: usize,
    bytes: usize,
}

impl ChunkBuffer {
    /// A buffer under the limits of `options` that holds at most `max_bytes`.
    pub fn new(options: &SelectOptions, max_bytes: usize) -> Self {
        let limits = Limits {
            series: options.series_limit,
            samples: options.limits.most_samples(),
            bytes: max_bytes,
        };
        Self { series: Vec::new(), bytes: 0, samples: 0, limits }
    }

    /// Takes a series with all its labels; one that was given before gets more chunks. A limit that
    /// is exceeded is a [`ResourcesExhausted`](ErrorKind::ResourcesExhausted) error.
    pub fn push(&mut self, labels: Labels, chunks: Vec<EncodedChunk>) -> Result<()> {
        let text: usize = labels.iter().map(|l| l.name.len() + l.value.len() + OVERHEAD).sum();
        let data: usize = chunks.iter().map(|chunk| chunk.bytes.len() + OVERHEAD).sum();
        let samples: usize = chunks.iter().map(EncodedChunk::samples).sum();
        self.samples = self.samples.saturating_add(samples);
        if self.samples > self.limits.samples {
            return Err(exhausted("samples", self.limits.samples));
        }
        match self.series.last_mut() {
            // Peers cut long series into frames.
            Some(last) if last.labels == labels => {
                self.bytes += data;
                last.chunks.extend(chunks);
            }
            _ => {
                self.bytes += text + data + OVERHEAD;
                self.series.push(ChunkedSeries { labels, chunks });
            }
        }
        if self.series.len() > self.limits.series {
            return Err(exhausted("series", self.limits.series));
        }
        if self.bytes > self.limits.bytes {
            return Err(exhausted("bytes", self.limits.bytes));
        }
        Ok(())
    }

    /// How many samples the chunks claim.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The series in order of their labels, each once.
    pub fn series(self) -> Vec<ChunkedSeries> {
        let mut series = self.series;
        if !series.is_sorted_by(|a, b| a.labels < b.labels) {
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            series.dedup_by(|next, kept| {
                let same = next.labels == kept.labels;
                if same {
                    kept.chunks.append(&mut next.chunks);
                }
                same
            });
        }
        for one in &mut series {
            in_order(&mut one.chunks);
        }
        series
    }

    /// The roster, in order of the series' labels (without replica labels if `options` deduplicates),
    /// and the plan that decodes the chunks in that order.
    pub fn resolve(
        self,
        select: &Select,
        options: &SelectOptions,
        warnings: Vec<String>,
    ) -> Result<Resolved> {
        let dropped = options.dropped();
        let mut buffer = self;
        if !dropped.is_empty() {
            for one in &mut buffer.series {
                one.labels = one.labels.filter(|name| options.keeps(name));
            }
        }
        let series = overlapping(buffer.series(), select.range);
        let roster = Arc::new(roster(&series, dropped));
        let runs = ChunkedExec::new(series, select.range, select.columns, options.partitions);
        Ok(Resolved { roster, runs: Arc::new(runs), warnings })
    }
}

/// Series as they came, to be sent on: their chunks that overlap `range`, still encoded. What `held`
/// is, is kept as long as they are.
pub fn kept_parts(
    series: Vec<ChunkedSeries>,
    range: TimeRange,
    warnings: Vec<String>,
    held: Box<dyn Send + Sync>,
) -> ResolvedParts {
    let series = overlapping(series, range);
    let roster = Arc::new(roster(&series, &[]));
    let chunks = series.into_iter().map(|one| one.chunks).collect();
    ResolvedParts::one(roster, Parts::Chunks(Arc::new(Kept::new(chunks, held))), warnings)
}

/// The series that have chunks in `range`, with those.
fn overlapping(mut series: Vec<ChunkedSeries>, range: TimeRange) -> Vec<ChunkedSeries> {
    for one in &mut series {
        one.chunks.retain(|chunk| chunk.range.overlaps(&range));
    }
    series.retain(|one| !one.chunks.is_empty());
    series
}

/// Sorted series as a roster whose label sets lack the `dropped` labels.
fn roster(series: &[ChunkedSeries], dropped: &[String]) -> Roster {
    let table = Arc::new(LabelTable::from_labels(series.iter().map(|one| &one.labels)));
    let mut builder = RosterBuilder::new(dropped.to_vec());
    let table = builder.add_table(table);
    let external = builder.add_external(&Labels::empty());
    for (row, one) in series.iter().enumerate() {
        let samples = one.chunks.iter().map(|chunk| chunk.samples() as u64).sum();
        builder.push(table, row as u32, external, kind(&one.chunks), samples);
    }
    builder.build()
}

/// Sorts chunks by time and drops those that came twice.
fn in_order(chunks: &mut Vec<EncodedChunk>) {
    let key = |chunk: &EncodedChunk| (chunk.range.min, chunk.range.max);
    if !chunks.is_sorted_by(|a, b| key(a) < key(b)) {
        chunks.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.bytes.cmp(&b.bytes)));
        chunks.dedup();
    }
}

/// What kind of samples the chunks of a series have.
pub(super) fn kind(chunks: &[EncodedChunk]) -> SeriesKind {
    let floats = chunks.iter().filter(|chunk| chunk.is_float()).count();
    match floats {
        0 => SeriesKind::Histogram,
        all if all == chunks.len() => SeriesKind::Float,
        _ => SeriesKind::Mixed,
    }
}

fn exhausted(what: &str, limit: usize) -> Error {
    Error::new(ErrorKind::ResourcesExhausted, format!("more than {limit} {what} are selected"))
}
