//! The encoded chunks of an answer as pieces for a fan-out: one row a chunk, with the chunk's bounds.
//!
//! ```text
//! answer       series, each with its chunks by time
//! members      chunks that overlap in time are dealt to lanes; each lane is a member of the roster
//! PiecesExec   decodes a member's chunks one after the other, one row a chunk; of downsampled ones the
//!              aggregates that the query asks for
//! ```
//!
//! Where the chunks lie in a block, whose series have none that overlap, the members are its series,
//! and their chunks are read a part at a time ([`kept_pieces`]).
//!
//! Two members of a roster may therefore have equal labels: copies of one series that overlap in
//! time. Thanos makes pseudo replicas of them (`dedup.NewOverlapSplit`), out of the chunks of all
//! replicas and stores at once; here that is left to [`FanoutExec`](super::FanoutExec), which is why
//! each row also says the bounds of the chunk that it came from ([`piece_schema`]). (A
//! [`ChunkBuffer`](super::ChunkBuffer) by itself joins what overlaps.)
//!
//! A chunk that cannot be decoded is noted in [`Damaged`], and the plan fails with a
//! [`Corrupt`](ErrorKind::Corrupt) error: resolve again, and the chunk is left out with a warning, or
//! refused without partial response.

mod rows;
mod stream;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use hashbrown::HashSet;
use xxhash_rust::xxh64::xxh64;

use super::arrange::Arrangement;
use super::chunked::{Kept, kind};
use super::{
    ChunkParts, ChunkedSeries, EncodedChunk, Resolved, Roster, Select, SelectOptions, SeriesKind,
    run_schema_with,
};
use crate::chunk::Encoding;
use crate::dedup::lanes;
use crate::model::{Labels, TimeRange};
use crate::{Error, ErrorKind, Result};

use self::rows::{Reading, Rows};
use self::stream::Pieces;

pub use stream::PiecesExec;

/// Chunks that turned out damaged, by their hashes; shared by all answers of one origin.
#[derive(Debug, Clone, Default)]
pub struct Damaged(Arc<Mutex<HashSet<u64>>>);

/// How many damaged chunks are remembered; an origin with more is not worth reading.
const DAMAGED_MAX: usize = 4096;

impl Damaged {
    fn note(&self, chunk: &EncodedChunk) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DAMAGED_MAX {
            known.clear();
        }
        known.insert(hash(chunk));
    }

    fn snapshot(&self) -> HashSet<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn hash(chunk: &EncodedChunk) -> u64 {
    xxh64(&chunk.bytes, 0)
}

/// What was answered.
pub struct PieceAnswer {
    /// Who answered; errors and warnings name it.
    pub origin: String,
    /// The series, each once ([`ChunkBuffer::series`](super::ChunkBuffer::series)).
    pub series: Vec<ChunkedSeries>,
    /// What could not be read.
    pub warnings: Vec<String>,
    /// Chunks of that origin known to be damaged.
    pub damaged: Damaged,
    /// Dropped with the last use of the chunks: whoever accounts for them learns it so.
    pub held: Box<dyn Send + Sync>,
}

impl fmt::Debug for PieceAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceAnswer({}: {} series)", self.origin, self.series.len())
    }
}

/// A lane of a series.
#[derive(Debug)]
struct Member {
    labels: Labels,
    kind: SeriesKind,
    /// By time, none overlapping.
    chunks: Vec<EncodedChunk>,
}

impl Member {
    fn samples(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.samples() as u64).sum()
    }
}

/// The chunks of an answer, by member.
#[derive(Debug)]
struct Answered {
    kept: Kept,
    reading: Reading,
    damaged: Damaged,
}

#[async_trait]
impl ChunkParts for Answered {
    async fn part(&self, series: &[u32]) -> Result<Vec<Vec<EncodedChunk>>> {
        self.kept.part(series).await
    }

    /// Finds all damage at once: the next attempt is then the last.
    fn damaged(&self, error: Error) -> Error {
        for chunk in self.kept.chunks() {
            if Rows::new(&self.reading).push(0, chunk, &self.reading).is_err() {
                self.damaged.note(chunk);
            }
        }
        error
    }

    fn held(&self) -> usize {
        let chunks = self.kept.chunks();
        chunks.map(|chunk| chunk.bytes.len() + size_of::<EncodedChunk>()).sum()
    }
}

/// Names of the columns that say which chunk a row came from.
pub(super) mod column {
    pub(in crate::source) const MIN: &str = "chunk_min";
    pub(in crate::source) const MAX: &str = "chunk_max";
    pub(in crate::source) const ENCODING: &str = "chunk_encoding";
    pub(in crate::source) const KEY: &str = "chunk_key";
}

/// The schema of [`PiecesExec`]: run batches, with native histograms and start timestamps or without,
/// and the chunk that a row came from.
///
/// ```text
/// chunk_min, chunk_max: Int64   its bounds in ms
/// chunk_encoding: UInt8         its encoding byte; 255 where its samples are downsampled
/// chunk_key: Binary             its bytes, or those of the aggregates asked for; null unless `penalty`
///                               needs them, which orders chunks of equal bounds by them
/// ```
///
/// Rows of counters out of downsampled samples are as [`Downsampled`](crate::chunk::Downsampled) says:
/// a timestamp may repeat, and [`Select::whole_chunks`] tells whether rows reach beyond the range.
pub fn piece_schema(histograms: bool, starts: bool) -> SchemaRef {
    let runs = run_schema_with(histograms, starts);
    let mut fields: Vec<_> = runs.fields().iter().cloned().collect();
    for (name, kind, nullable) in [
        (column::MIN, DataType::Int64, false),
        (column::MAX, DataType::Int64, false),
        (column::ENCODING, DataType::UInt8, false),
        (column::KEY, DataType::Binary, true),
    ] {
        fields.push(Arc::new(Field::new(name, kind, nullable)));
    }
    Arc::new(Schema::new(fields))
}

/// The roster of an answer, without its replicas made one, and the plan of its samples.
///
/// # Errors
/// [`Unavailable`](ErrorKind::Unavailable) for damaged chunks without partial response;
/// [`Invalid`](ErrorKind::Invalid) if the aggregates of `select` are not one value.
pub fn resolve_pieces(
    answer: PieceAnswer,
    select: &Select,
    options: &SelectOptions,
) -> Result<Resolved> {
    let PieceAnswer { origin, series, mut warnings, damaged, held } = answer;
    let reading = Reading::new(select, options, TimeRange::ALL)?;
    let known = damaged.snapshot();
    let mut members = Vec::with_capacity(series.len());
    let wanted = select.columns.histograms();
    let (mut histograms, mut left_out) = (0, 0usize);
    for ChunkedSeries { labels, mut chunks } in series {
        chunks.retain(|chunk| chunk.range.overlaps(&select.range));
        if !known.is_empty() {
            let before = chunks.len();
            chunks.retain(|chunk| !known.contains(&hash(chunk)));
            left_out += before - chunks.len();
        }
        if chunks.is_empty() {
            continue;
        }
        let kind = kind(&chunks);
        histograms += usize::from(kind != SeriesKind::Float);
        // Aggregates of native histograms are not read.
        let read = |c: &EncodedChunk| wanted && c.encoding != Encoding::Aggregates;
        chunks.retain(|chunk| chunk.is_float() || read(chunk));
        in_order(&mut chunks);
        members.extend(dealt(chunks).into_iter().map(|chunks| Member {
            labels: labels.clone(),
            kind,
            chunks,
        }));
    }
    if left_out > 0 {
        let message = format!("{origin}: {left_out} damaged chunks are left out");
        if !options.partial_response {
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        warnings.push(message);
    }
    if histograms > 0 && !wanted {
        warnings.push(format!("{origin}: native histograms of {histograms} series are left out"));
    }
    let sets: Vec<Labels> = members.iter().map(|member| member.labels.clone()).collect();
    let arrangement = Arrangement::new(&sets, |name| options.trails(name));
    let roster = arrangement.roster(|at| (members[at].kind, members[at].samples()));
    let mut slots: Vec<Option<Member>> = members.into_iter().map(Some).collect();
    let members = arrangement.order.iter().filter_map(|&at| slots[at as usize].take());
    let members = members.map(|member| member.chunks).collect();
    let reading = reading.with(wanted && histograms > 0, select.columns.starts());
    let chunks = Arc::new(Answered { kept: Kept::new(members, held), reading, damaged });
    let roster = Arc::new(roster);
    let pieces = Pieces::new(origin, Arc::clone(&roster), chunks, reading, options);
    Ok(Resolved { roster, runs: Arc::new(PiecesExec::new(pieces)), warnings })
}

/// The plan of the samples of a roster in label order whose chunks lie somewhere: of one series none
/// overlap, or that is damage. `origin` is what errors call the place.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if the aggregates of `select` are not one value; the plan's is
/// [`Unsupported`](ErrorKind::Unsupported) if there are native histograms, and they are not asked for.
pub fn kept_pieces(
    origin: String,
    roster: Arc<Roster>,
    chunks: Arc<dyn ChunkParts>,
    select: &Select,
    options: &SelectOptions,
) -> Result<Resolved> {
    let reading = Reading::new(select, options, TimeRange::ALL)?;
    let reading = reading.with(select.columns.histograms(), select.columns.starts());
    let pieces = Pieces::new(origin, Arc::clone(&roster), chunks, reading, options);
    Ok(Resolved { roster, runs: Arc::new(PiecesExec::new(pieces)), warnings: Vec::new() })
}

/// Chunks in Thanos' order (`AggrChunk.Compare`: data descends), each once.
fn in_order(chunks: &mut Vec<EncodedChunk>) {
    let key = |chunk: &EncodedChunk| (chunk.range.min, chunk.range.max);
    chunks.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| b.bytes.cmp(&a.bytes)));
    chunks.dedup();
}

/// Sorted chunks, dealt to lanes in which none overlap.
fn dealt(chunks: Vec<EncodedChunk>) -> Vec<Vec<EncodedChunk>> {
    if chunks.windows(2).all(|pair| pair[0].range.max < pair[1].range.min) {
        return vec![chunks];
    }
    let lanes = lanes(chunks.iter().map(|chunk| (chunk.range.min, chunk.range.max)));
    let count = lanes.iter().max().map_or(0, |max| max + 1);
    let mut dealt: Vec<Vec<EncodedChunk>> = vec![Vec::new(); count];
    for (chunk, lane) in chunks.into_iter().zip(lanes) {
        dealt[lane].push(chunk);
    }
    dealt
}
