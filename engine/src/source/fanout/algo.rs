//! The samples of one series out of pieces from several sources: pure functions on slices.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::StructArray;

use crate::chunk::Encoding;
use crate::dedup::{Pick, Replica, SETTLED, lanes, pick};
use crate::merge::{Sorted, Taken, merge};
use crate::model::{TimeRange, is_stale};
use crate::source::DedupFunc;

/// The chunk that a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// Its encoding byte.
    pub(super) encoding: u8,
    /// The bytes that order it among chunks of equal bounds, if they are told.
    pub(super) key: Option<&'a [u8]>,
}

/// Consecutive samples of one replica, from one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// The rank of the replica.
    pub(super) replica: u32,
    /// The number of the source: the order of preference.
    pub(super) source: u32,
    /// Bounds: those of the samples, or of the chunk that they came from.
    pub(super) min: i64,
    pub(super) max: i64,
    /// The chunk that it is, if the source has chunks.
    pub(super) chunk: Option<Chunk<'a>>,
    /// Timestamps in ms, strictly ascending.
    pub(super) ts: &'a [i64],
    /// One a timestamp: of native histograms the sums; none if only timestamps were read and no stale
    /// marker is among them.
    pub(super) values: Option<&'a [f64]>,
    /// The histograms, if it has no floats.
    pub(super) histograms: Option<Histograms<'a>>,
    /// Start timestamps, one a timestamp, if the source has them.
    pub(super) starts: Option<&'a [i64]>,
}

/// The native histograms of a piece: in a batch's array, from a place on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Histograms<'a> {
    pub(super) all: &'a StructArray,
    pub(super) from: usize,
}

impl Histograms<'_> {
    /// The first `count`.
    fn first(self, count: usize) -> StructArray {
        self.all.slice(self.from, count)
    }

    /// The rows of those from `start` to `end`.
    pub(super) fn rows(self, start: usize, end: usize) -> Range<usize> {
        self.from + start..self.from + end
    }
}

impl<'a> Piece<'a> {
    /// Whether its samples are downsampled ones.
    pub(super) fn is_downsampled(&self) -> bool {
        self.chunk.is_some_and(|chunk| chunk.encoding == Encoding::Aggregates.byte())
    }

    /// Takes off the samples outside of `range`.
    pub(super) fn cut(&mut self, range: TimeRange) {
        let from = self.ts.partition_point(|&t| t < range.min);
        let to = self.ts.partition_point(|&t| t <= range.max).max(from);
        self.ts = &self.ts[from..to];
        self.values = self.values.map(|values| &values[from..to]);
        self.starts = self.starts.map(|starts| &starts[from..to]);
        let later = |h: Histograms<'a>| Histograms { from: h.from + from, ..h };
        self.histograms = self.histograms.map(later);
    }

    /// The encoding and the bytes that order it among chunks of equal bounds, if they are told.
    fn key(&self) -> Option<(u8, &[u8])> {
        self.chunk.and_then(|chunk| chunk.key.map(|key| (chunk.encoding, key)))
    }
}

/// A stretch that is taken: piece, first sample, one past the last, and how long a counter may settle
/// ([`Pick::settle`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) piece: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) settle: i64,
}

/// Buffers that are used again for every series.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    taken: Vec<Taken>,
    picks: Vec<Pick>,
}

/// What of `pieces` makes the series, in order of time; sorts the pieces.
pub(super) fn take(
    dedup: Option<DedupFunc>,
    pieces: &mut Vec<Piece<'_>>,
    scratch: &mut Scratch,
    out: &mut Vec<Stretch>,
) {
    out.clear();
    pieces.retain(|piece| !piece.ts.is_empty());
    let downsampled = pieces.iter().any(Piece::is_downsampled);
    let join = if downsampled { follow } else { join };
    let in_order = |a: &Piece<'_>, b: &Piece<'_>| match downsampled {
        true => chunk_order(a, b),
        false => (a.ts[0], a.source).cmp(&(b.ts[0], b.source)),
    };
    match dedup {
        None => {
            pieces.sort_by(in_order);
            join(&numbered(pieces), scratch, out);
        }
        Some(DedupFunc::Penalty) => {
            let replicas = in_lanes(pieces)
                .into_iter()
                .map(|lane| {
                    let mut stretches = Vec::new();
                    let lane: Vec<_> = lane.into_iter().map(|at| (at, pieces[at])).collect();
                    join(&lane, scratch, &mut stretches);
                    stretches
                })
                .collect();
            choose(DedupFunc::Penalty, pieces, replicas, scratch, out);
        }
        Some(func) => {
            pieces.sort_by(|a, b| a.replica.cmp(&b.replica).then_with(|| in_order(a, b)));
            let all = numbered(pieces);
            let replicas = all
                .chunk_by(|(_, a), (_, b)| a.replica == b.replica)
                .map(|of_replica| {
                    let mut stretches = Vec::new();
                    join(of_replica, scratch, &mut stretches);
                    stretches
                })
                .collect();
            choose(func, pieces, replicas, scratch, out);
        }
    }
}

fn numbered<'a>(pieces: &[Piece<'a>]) -> Vec<(usize, Piece<'a>)> {
    pieces.iter().copied().enumerate().collect()
}

/// Deals `pieces` to lanes in which none overlap, as Thanos does with the chunks of all replicas:
/// sorts them, drops copies, and returns which of them each lane has.
pub(super) fn in_lanes(pieces: &mut Vec<Piece<'_>>) -> Vec<Vec<usize>> {
    pieces.sort_by(chunk_order);
    pieces.dedup_by(|later, kept| is_copy(later, kept));
    let lanes = lanes(pieces.iter().map(|piece| (piece.min, piece.max)));
    let count = lanes.iter().max().map_or(0, |max| max + 1);
    let mut of_lane = vec![Vec::new(); count];
    for (at, lane) in lanes.into_iter().enumerate() {
        of_lane[lane].push(at);
    }
    of_lane
}

/// Thanos' order of chunks (`AggrChunk.Compare`): by bounds; of equal bounds raw ones first, and the
/// greater bytes before the smaller ones. What is no chunk comes after.
pub(super) fn chunk_order(a: &Piece<'_>, b: &Piece<'_>) -> Ordering {
    (a.min, a.max).cmp(&(b.min, b.max)).then_with(|| match (a.key(), b.key()) {
        (Some((a_is, a)), Some((b_is, b))) => a_is.cmp(&b_is).then_with(|| b.cmp(a)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => data_order(b).cmp(&data_order(a)),
    })
}

/// What stands at the beginning of a chunk's bytes: how many samples, and the first value. (The
/// first timestamps are equal where this decides.)
fn data_order(piece: &Piece<'_>) -> (usize, u64) {
    let first = piece.values.and_then(|values| values.first());
    (piece.ts.len(), first.map_or(0, |value| value.to_bits()))
}

/// Whether two pieces are the same chunk, from two sources.
fn is_copy(a: &Piece<'_>, b: &Piece<'_>) -> bool {
    if let (Some(a_key), Some(b_key)) = (a.key(), b.key()) {
        return (a.min, a.max) == (b.min, b.max) && a_key == b_key;
    }
    let bits = |values: Option<&[f64]>, other: Option<&[f64]>| match (values, other) {
        (Some(a), Some(b)) => a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
        (None, None) => true,
        _ => false,
    };
    let histograms = match (a.histograms, b.histograms) {
        (Some(of_a), Some(of_b)) => of_a.first(a.ts.len()) == of_b.first(b.ts.len()),
        (None, None) => true,
        _ => false,
    };
    (a.min, a.max) == (b.min, b.max) && a.ts == b.ts && bits(a.values, b.values) && histograms
}

/// Chunks of one replica, in their order, as one sequence: each is read on behind the one before
/// (`chunkSeriesIterator`). Where raw samples and those that stand for them overlap, no sample would
/// be counted twice.
fn follow(pieces: &[(usize, Piece<'_>)], _: &mut Scratch, out: &mut Vec<Stretch>) {
    let mut passed = None;
    for (at, piece) in pieces {
        let start = piece.ts.partition_point(|&t| Some(t) <= passed);
        if start < piece.ts.len() {
            out.push(Stretch { piece: *at, start, end: piece.ts.len(), settle: SETTLED });
        }
        passed = passed.max(Some(piece.max));
    }
}

/// Pieces of one replica, by their first timestamps, as one sequence: of equal timestamps that of the
/// first source is taken.
fn join(pieces: &[(usize, Piece<'_>)], scratch: &mut Scratch, out: &mut Vec<Stretch>) {
    let last = |piece: &Piece<'_>| piece.ts.last().copied().unwrap_or(i64::MIN);
    let mut from = 0;
    while from < pieces.len() {
        // As many as overlap one another, one way or another.
        let mut end = last(&pieces[from].1);
        let mut to = from + 1;
        while to < pieces.len() && pieces[to].1.ts[0] <= end {
            end = end.max(last(&pieces[to].1));
            to += 1;
        }
        match &pieces[from..to] {
            [(at, piece)] => {
                out.push(Stretch { piece: *at, start: 0, end: piece.ts.len(), settle: SETTLED });
            }
            overlapping => {
                let runs: Vec<Sorted<'_>> = overlapping
                    .iter()
                    .map(|(_, piece)| Sorted { ts: piece.ts, rank: u32::MAX - piece.source })
                    .collect();
                merge(&runs, &mut scratch.taken);
                out.extend(scratch.taken.iter().map(|taken| Stretch {
                    piece: overlapping[taken.run].0,
                    start: taken.start,
                    end: taken.end,
                    settle: SETTLED,
                }));
            }
        }
        from = to;
    }
}

/// One replica: what it consists of, and its timestamps in a row.
struct Sequence<'a> {
    stretches: Vec<Stretch>,
    ts: Cow<'a, [i64]>,
    stale: Vec<u32>,
}

impl<'a> Sequence<'a> {
    fn new(pieces: &[Piece<'a>], stretches: Vec<Stretch>, marks_stale: bool) -> Self {
        let ts = match &stretches[..] {
            [one] => (&pieces[one.piece].ts[one.start..one.end]).into(),
            _ => {
                let mut ts = Vec::new();
                for s in &stretches {
                    ts.extend_from_slice(&pieces[s.piece].ts[s.start..s.end]);
                }
                ts.into()
            }
        };
        let mut stale = Vec::new();
        let mut before = 0u32;
        for s in &stretches {
            if let Some(values) = pieces[s.piece].values.filter(|_| marks_stale) {
                let values = &values[s.start..s.end];
                let markers = values.iter().enumerate().filter(|&(_, &value)| is_stale(value));
                stale.extend(markers.map(|(at, _)| before + at as u32));
            }
            before += (s.end - s.start) as u32;
        }
        Self { stretches, ts, stale }
    }

    /// Appends samples `from..to`.
    fn copy(&self, from: usize, to: usize, mut settle: i64, out: &mut Vec<Stretch>) {
        let mut before = 0;
        for s in &self.stretches {
            let length = s.end - s.start;
            let (low, high) = (from.max(before), to.min(before + length));
            if low < high {
                let (start, end) = (s.start + low - before, s.start + high - before);
                out.push(Stretch { piece: s.piece, start, end, settle });
                if settle <= self.ts[high - 1] {
                    settle = SETTLED;
                }
            }
            before += length;
            if before >= to {
                return;
            }
        }
    }
}

/// Makes replicas one.
fn choose(
    func: DedupFunc,
    pieces: &[Piece<'_>],
    replicas: Vec<Vec<Stretch>>,
    scratch: &mut Scratch,
    out: &mut Vec<Stretch>,
) {
    if let [only] = &replicas[..] {
        out.extend_from_slice(only);
        return;
    }
    let marks_stale = func == DedupFunc::Coverage;
    let sequences: Vec<Sequence<'_>> = replicas
        .into_iter()
        .map(|stretches| Sequence::new(pieces, stretches, marks_stale))
        .collect();
    let replicas: Vec<Replica<'_>> =
        sequences.iter().map(|s| Replica { ts: &s.ts, stale: &s.stale }).collect();
    scratch.picks.clear();
    pick(func, &replicas, &mut scratch.picks);
    for p in &scratch.picks {
        sequences[p.replica].copy(p.start, p.end, p.settle, out);
    }
}
