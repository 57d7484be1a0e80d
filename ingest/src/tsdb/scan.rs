//! Samples of a block: chunks read in windows, decoded, handed on as runs.

use std::ops::Range;

use engine::chunk::{Floats, Histograms};
use engine::model::{ABSENT, METRIC_NAME, TimeRange};
use engine::{Error, Result};

use super::block::{ChunkLists, TsdbBlock};
use super::index::ChunkMeta;
use super::segment::{self, ChunkReader};
use super::tombstones::deleted;

/// Chunk lists of this many chunks are in memory together: 12 MiB.
const GROUP_CHUNKS: usize = 512 << 10;
/// Chunks of about this many bytes, or this many chunks, are in memory together.
const WINDOW_BYTES: u64 = 8 << 20;
const WINDOW_CHUNKS: usize = 64 << 10;
/// A run is handed on when it has this many samples, whatever follows.
const RUN_FLOATS: usize = 64 << 10;
const RUN_HISTOGRAMS: usize = 1 << 10;
/// A block of more time buckets is refused: its times cannot be right.
const MOST_BUCKETS: i64 = 64 << 10;

/// Samples of one series inside one time bucket, in order of time: floats or histograms. A series may
/// have several runs in a bucket, one after the other.
#[derive(Debug)]
pub struct Run<'a> {
    /// The series: a row of the block's label table.
    pub row: u32,
    /// Float samples; empty in a run of histograms.
    pub floats: &'a Floats,
    /// Histogram samples; empty in a run of floats.
    pub histograms: &'a Histograms,
}

/// What a scan has read, deleted samples included, to hold against `meta.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Chunks.
    pub chunks: u64,
    /// Float samples.
    pub floats: u64,
    /// Histogram samples.
    pub histograms: u64,
}

impl TsdbBlock {
    /// Reads the samples of `rows`, tombstones applied, and hands them to `sink`: for each stretch of
    /// rows with one metric, for each time bucket of `bucket_ms` (multiples since 1970; `None` is one
    /// bucket for all of time), for each of its rows, in order of time.
    ///
    /// Blocks the thread for reads.
    pub fn scan(
        &self,
        rows: &[u32],
        bucket_ms: Option<i64>,
        sink: &mut dyn FnMut(&Run<'_>) -> Result<()>,
    ) -> Result<ScanCounts> {
        if let Some(bucket_ms) = bucket_ms {
            let buckets = self.meta.max_time.saturating_sub(self.meta.min_time) / bucket_ms.max(1);
            if bucket_ms <= 0 || buckets > MOST_BUCKETS {
                return Err(Error::unsupported(format!(
                    "{}: {buckets} time buckets of {bucket_ms} ms",
                    self.name()
                )));
            }
        }
        let mut scan = Scan::new(self, sink);
        for group in self.groups(rows) {
            match group {
                Group::Small(rows) => {
                    let lists = self.chunk_lists(rows)?;
                    for metric in self.metrics(rows) {
                        for bucket in buckets(lists.range(metric.clone()), bucket_ms) {
                            scan.bucket(&rows[metric.clone()], &lists, metric.start, bucket)?;
                        }
                    }
                    scan.flush()?;
                }
                // The chunk lists of one metric are too many to hold: they are read again for each
                // time bucket, a part at a time.
                Group::Giant(rows) => {
                    let mut range = TimeRange::new(i64::MAX, i64::MIN);
                    for part in self.parts(rows) {
                        range = range.union(&self.chunk_lists(part)?.range(0..part.len()));
                    }
                    for bucket in buckets(range, bucket_ms) {
                        for part in self.parts(rows) {
                            let lists = self.chunk_lists(part)?;
                            scan.bucket(part, &lists, 0, bucket)?;
                            scan.flush()?;
                        }
                    }
                }
            }
        }
        Ok(scan.counts)
    }

    /// Reads the samples of `rows` in `range`, tombstones applied, and hands them to `sink`, a row
    /// after the other, each in order of time.
    ///
    /// Blocks the thread for reads.
    pub fn read(
        &self,
        rows: &[u32],
        range: TimeRange,
        sink: &mut dyn FnMut(&Run<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut scan = Scan::new(self, sink);
        for part in self.parts(rows) {
            let lists = self.chunk_lists(part)?;
            scan.bucket(part, &lists, 0, range)?;
            scan.flush()?;
        }
        Ok(())
    }

    fn metric(&self, row: u32) -> u32 {
        self.table.column(METRIC_NAME).map_or(ABSENT, |column| column.codes[row as usize])
    }

    fn chunks_of(&self, rows: &[u32]) -> usize {
        rows.iter().map(|&row| self.chunk_counts[row as usize] as usize).sum()
    }

    /// Positions in `rows` of its stretches of one metric.
    fn metrics(&self, rows: &[u32]) -> Vec<Range<usize>> {
        let mut at = 0;
        rows.chunk_by(|&a, &b| self.metric(a) == self.metric(b))
            .map(|stretch| {
                at += stretch.len();
                at - stretch.len()..at
            })
            .collect()
    }

    /// Stretches of whole metrics whose chunk lists fit in memory together, and metrics that do not.
    fn groups<'r>(&self, rows: &'r [u32]) -> Vec<Group<'r>> {
        let mut groups = Vec::new();
        let mut open = 0..0;
        let mut chunks = 0;
        for metric in self.metrics(rows) {
            let more = self.chunks_of(&rows[metric.clone()]);
            if chunks + more > GROUP_CHUNKS && !open.is_empty() {
                groups.push(Group::Small(&rows[open.clone()]));
                open = metric.start..metric.start;
                chunks = 0;
            }
            if more > GROUP_CHUNKS {
                groups.push(Group::Giant(&rows[metric.clone()]));
                open = metric.end..metric.end;
            } else {
                open.end = metric.end;
                chunks += more;
            }
        }
        if !open.is_empty() {
            groups.push(Group::Small(&rows[open]));
        }
        groups
    }

    /// Stretches of rows whose chunk lists fit in memory together.
    pub(super) fn parts<'r>(&self, rows: &'r [u32]) -> Vec<&'r [u32]> {
        let mut parts = Vec::new();
        let mut start = 0;
        let mut chunks = 0;
        for (at, row) in rows.iter().enumerate() {
            let more = self.chunk_counts[*row as usize] as usize;
            if chunks + more > GROUP_CHUNKS && at > start {
                parts.push(&rows[start..at]);
                start = at;
                chunks = 0;
            }
            chunks += more;
        }
        if start < rows.len() {
            parts.push(&rows[start..]);
        }
        parts
    }
}

enum Group<'r> {
    Small(&'r [u32]),
    Giant(&'r [u32]),
}

/// The time buckets that `range` touches.
fn buckets(range: TimeRange, bucket_ms: Option<i64>) -> impl Iterator<Item = TimeRange> {
    let (first, last) = match (range.is_empty(), bucket_ms) {
        (true, _) => (1, 0),
        (false, None) => (0, 0),
        (false, Some(ms)) => (range.min.div_euclid(ms), range.max.div_euclid(ms)),
    };
    (first..=last).map(move |number| match bucket_ms {
        None => TimeRange::ALL,
        Some(ms) => TimeRange::new(
            number.saturating_mul(ms),
            number.saturating_mul(ms).saturating_add(ms - 1),
        ),
    })
}

/// Chunks of a series inside a bucket, in the window.
struct Task {
    row: u32,
    bucket: TimeRange,
    chunks: Range<usize>,
}

/// The state of a scan: the window that is being filled, and buffers.
struct Scan<'a> {
    block: &'a TsdbBlock,
    reader: ChunkReader<'a>,
    window: Vec<ChunkMeta>,
    window_bytes: u64,
    tasks: Vec<Task>,
    floats: Floats,
    histograms: Histograms,
    counts: ScanCounts,
    sink: &'a mut dyn FnMut(&Run<'_>) -> Result<()>,
}

impl<'a> Scan<'a> {
    fn new(block: &'a TsdbBlock, sink: &'a mut dyn FnMut(&Run<'_>) -> Result<()>) -> Self {
        Self {
            block,
            reader: ChunkReader::new(block.files.as_ref()),
            window: Vec::new(),
            window_bytes: 0,
            tasks: Vec::new(),
            floats: Floats::default(),
            histograms: Histograms::default(),
            counts: ScanCounts::default(),
            sink,
        }
    }

    /// Adds the chunks of `rows` that touch `bucket`; the list of `rows[i]` is `lists.of(base + i)`.
    fn bucket(
        &mut self,
        rows: &[u32],
        lists: &ChunkLists,
        base: usize,
        bucket: TimeRange,
    ) -> Result<()> {
        for (at, &row) in rows.iter().enumerate() {
            let chunks = lists.of(base + at);
            let first = chunks.partition_point(|chunk| chunk.max < bucket.min);
            let mut from = self.window.len();
            let inside = chunks[first..].iter().take_while(|chunk| chunk.min <= bucket.max);
            let mut inside = inside.peekable();
            while let Some(chunk) = inside.next() {
                self.window.push(*chunk);
                // The next chunk of a series usually begins where this one ends.
                let length =
                    inside.peek().map_or(0, |next| next.reference.saturating_sub(chunk.reference));
                self.window_bytes += if (1..64 << 10).contains(&length) { length } else { 512 };
                if self.window_bytes > WINDOW_BYTES || self.window.len() >= WINDOW_CHUNKS {
                    self.tasks.push(Task { row, bucket, chunks: from..self.window.len() });
                    self.flush()?;
                    from = 0;
                }
            }
            if from < self.window.len() {
                self.tasks.push(Task { row, bucket, chunks: from..self.window.len() });
            }
        }
        Ok(())
    }

    /// Reads the window, decodes it, and hands on its runs.
    fn flush(&mut self) -> Result<()> {
        self.reader.load(&self.window)?;
        for task in std::mem::take(&mut self.tasks) {
            self.run(&task)?;
        }
        self.window.clear();
        self.window_bytes = 0;
        Ok(())
    }

    fn run(&mut self, task: &Task) -> Result<()> {
        let series = self.block.series[task.row as usize];
        let intervals = self.block.tombstones.of(u64::from(series));
        for number in task.chunks.clone() {
            let meta = self.window[number];
            // Runs come in order of time, so one of the other kind ends here.
            let others = match self.reader.chunk(number).0.is_float() {
                true => self.histograms.len(),
                false => self.floats.len(),
            };
            if others > 0 {
                self.emit(task.row)?;
            }
            self.decode(number, &meta, task.bucket, intervals).map_err(|e| {
                e.context(format!(
                    "{}/{}: chunk at byte {}",
                    self.block.name(),
                    segment::segment_file(meta.segment()),
                    meta.offset()
                ))
            })?;
            if self.floats.len() >= RUN_FLOATS || self.histograms.len() >= RUN_HISTOGRAMS {
                self.emit(task.row)?;
            }
        }
        self.emit(task.row)
    }

    fn decode(
        &mut self,
        number: usize,
        meta: &ChunkMeta,
        bucket: TimeRange,
        intervals: &[TimeRange],
    ) -> Result<()> {
        let (encoding, data) = self.reader.chunk(number);
        let gone = |ts: i64| !bucket.contains(ts) || deleted(intervals, ts);
        let cut = meta.min < bucket.min || meta.max > bucket.max || !intervals.is_empty();
        // A chunk that crosses into the next bucket is decoded in both and counted in its first.
        let first_time = bucket.contains(meta.min);
        if encoding.is_float() {
            let from = self.floats.len();
            self.floats.decode(encoding, data)?;
            let ts = &self.floats.ts()[from..];
            check_times(ts, meta)?;
            if first_time {
                self.counts.floats += ts.len() as u64;
            }
            if cut {
                self.floats.retain(from, |ts| !gone(ts));
            }
        } else {
            let from = self.histograms.len();
            self.histograms.decode(encoding, data)?;
            let ts = &self.histograms.ts[from..];
            check_times(ts, meta)?;
            if first_time {
                self.counts.histograms += ts.len() as u64;
            }
            if cut {
                self.histograms.retain(from, |ts| !gone(ts));
            }
        }
        self.counts.chunks += u64::from(first_time);
        Ok(())
    }

    fn emit(&mut self, row: u32) -> Result<()> {
        let (no_floats, no_histograms) = (Floats::default(), Histograms::default());
        if !self.floats.is_empty() {
            (self.sink)(&Run { row, floats: &self.floats, histograms: &no_histograms })?;
            self.floats.clear();
        }
        if !self.histograms.is_empty() {
            (self.sink)(&Run { row, floats: &no_floats, histograms: &self.histograms })?;
            self.histograms.clear();
        }
        Ok(())
    }
}

/// The times of a chunk's samples must be those that the index promises, else pruning by the index
/// would lose samples.
fn check_times(ts: &[i64], meta: &ChunkMeta) -> Result<()> {
    let (Some(&first), Some(&last)) = (ts.first(), ts.last()) else {
        return Err(Error::corrupt("chunk without samples"));
    };
    if first < meta.min || last > meta.max {
        return Err(Error::corrupt(format!(
            "samples from {first} to {last}, the index says {} to {}",
            meta.min, meta.max
        )));
    }
    Ok(())
}
