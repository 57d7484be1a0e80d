//! Chunks of timestamps and of values, page by page, each page in its smallest encoding.

use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, ChunkBuilder, PageBounds};
use super::zstd::Zstd;
use super::{delta, hybrid, split};
use crate::Result;

/// How much smaller, in percent, an encoding must be to be taken although it decodes slower.
const WORTH: usize = 5;
/// Pages that keep an encoding before both are tried again.
const KEPT: usize = 8;

/// Which of two encodings the next pages get: both are tried on a page, and the winner is kept for
/// some pages, because neighbours are alike.
#[derive(Debug, Clone, Copy, Default)]
struct Choice {
    slower: bool,
    kept: usize,
}

impl Choice {
    /// Whether both are to be tried.
    fn open(&self) -> bool {
        self.kept == 0
    }

    fn settle(&mut self, faster: usize, slower: usize) {
        self.slower = slower * 100 < faster * (100 - WORTH);
        self.kept = KEPT;
    }

    fn next(&mut self) -> bool {
        self.kept = self.kept.saturating_sub(1);
        self.slower
    }
}

/// Encodes a chunk of values: BYTE_STREAM_SPLIT, which decodes faster, or PLAIN, which lets zstd
/// see repeated values as a whole; zstd over it.
#[derive(Debug)]
pub(in crate::block) struct Values {
    chunk: ChunkBuilder,
    choice: Choice,
    split: Vec<u8>,
    plain: Vec<u8>,
    frame: Vec<u8>,
}

impl Values {
    pub(in crate::block) fn new(column: ColumnDescPtr) -> Self {
        Self {
            chunk: ChunkBuilder::new(column, true),
            choice: Choice::default(),
            split: Vec::new(),
            plain: Vec::new(),
            frame: Vec::new(),
        }
    }

    /// Forgets what was tried: the values that follow are of another kind.
    pub(in crate::block) fn reconsider(&mut self) {
        self.choice.kept = 0;
    }

    /// Adds a page.
    pub(in crate::block) fn page(&mut self, values: &[f64], zstd: &mut Zstd) -> Result<()> {
        let size = values.len() * 8;
        let open = self.choice.open();
        if open || !self.choice.slower {
            split::encode(values, &mut self.split);
        }
        if open || self.choice.slower {
            self.plain.clear();
            self.plain.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
        if open {
            self.frame.clear();
            self.frame.extend_from_slice(zstd.compress(&self.split)?);
            let plain = zstd.compress(&self.plain)?;
            self.choice.settle(self.frame.len(), plain.len());
            return match self.choice.next() {
                true => self.chunk.data(plain, size, values.len(), Encoding::PLAIN),
                false => {
                    let encoding = Encoding::BYTE_STREAM_SPLIT;
                    self.chunk.data(&self.frame, size, values.len(), encoding)
                }
            };
        }
        match self.choice.next() {
            true => {
                let plain = zstd.compress(&self.plain)?;
                self.chunk.data(plain, size, values.len(), Encoding::PLAIN)
            }
            false => {
                let split = zstd.compress(&self.split)?;
                self.chunk.data(split, size, values.len(), Encoding::BYTE_STREAM_SPLIT)
            }
        }
    }

    /// The chunk; values have no bounds, because NaN would spoil them.
    pub(in crate::block) fn finish(self) -> Result<Chunk> {
        self.chunk.finish(None, None)
    }
}

/// Encodes a chunk of timestamps: DELTA_BINARY_PACKED, which decodes faster, or PLAIN, which lets
/// zstd see that series share their timestamps; zstd over it.
#[derive(Debug)]
pub(in crate::block) struct Times {
    chunk: ChunkBuilder,
    choice: Choice,
    bounds: Vec<PageBounds>,
    range: Option<(i64, i64)>,
    delta: Vec<u8>,
    plain: Vec<u8>,
    frame: Vec<u8>,
}

impl Times {
    pub(in crate::block) fn new(column: ColumnDescPtr) -> Self {
        Self {
            chunk: ChunkBuilder::new(column, true),
            choice: Choice::default(),
            bounds: Vec::new(),
            range: None,
            delta: Vec::new(),
            plain: Vec::new(),
            frame: Vec::new(),
        }
    }

    /// Adds a page.
    pub(in crate::block) fn page(&mut self, times: &[i64], zstd: &mut Zstd) -> Result<()> {
        let (min, max) = bounds(times);
        self.bounds.push(PageBounds {
            min: min.to_le_bytes().to_vec(),
            max: max.to_le_bytes().to_vec(),
            ..PageBounds::default()
        });
        self.range = Some(match self.range {
            Some((low, high)) => (low.min(min), high.max(max)),
            None => (min, max),
        });
        let open = self.choice.open();
        if open || !self.choice.slower {
            self.delta.clear();
            delta::encode(times, &mut self.delta);
        }
        if open || self.choice.slower {
            self.plain.clear();
            self.plain.extend(times.iter().flat_map(|time| time.to_le_bytes()));
        }
        if open {
            self.frame.clear();
            self.frame.extend_from_slice(zstd.compress(&self.delta)?);
            let plain = zstd.compress(&self.plain)?;
            self.choice.settle(self.frame.len(), plain.len());
            return match self.choice.next() {
                true => self.chunk.data(plain, self.plain.len(), times.len(), Encoding::PLAIN),
                false => {
                    let encoding = Encoding::DELTA_BINARY_PACKED;
                    self.chunk.data(&self.frame, self.delta.len(), times.len(), encoding)
                }
            };
        }
        match self.choice.next() {
            true => {
                let plain = zstd.compress(&self.plain)?;
                self.chunk.data(plain, self.plain.len(), times.len(), Encoding::PLAIN)
            }
            false => {
                let delta = zstd.compress(&self.delta)?;
                let encoding = Encoding::DELTA_BINARY_PACKED;
                self.chunk.data(delta, self.delta.len(), times.len(), encoding)
            }
        }
    }

    pub(in crate::block) fn finish(self) -> Result<Chunk> {
        let statistics = self
            .range
            .map(|(min, max)| Statistics::int64(Some(min), Some(max), None, Some(0), false));
        self.chunk.finish(statistics, Some(self.bounds))
    }
}

fn bounds(times: &[i64]) -> (i64, i64) {
    times.iter().fold((i64::MAX, i64::MIN), |(min, max), &time| (min.min(time), max.max(time)))
}

/// Encodes a chunk of start timestamps, where 0 is none and becomes null.
#[derive(Debug)]
pub(in crate::block) struct OptionalTimes {
    chunk: ChunkBuilder,
    nulls: usize,
    body: Vec<u8>,
}

impl OptionalTimes {
    pub(in crate::block) fn new(column: ColumnDescPtr) -> Self {
        Self { chunk: ChunkBuilder::new(column, true), nulls: 0, body: Vec::new() }
    }

    /// Adds a page of `rows` rows; no `times` means that all are null.
    pub(in crate::block) fn page(
        &mut self,
        rows: usize,
        times: Option<&[i64]>,
        zstd: &mut Zstd,
    ) -> Result<()> {
        self.body.clear();
        let present: Vec<i64> = times.unwrap_or(&[]).iter().copied().filter(|&t| t != 0).collect();
        match times {
            None => hybrid::definition_levels(std::iter::repeat_n(false, rows), &mut self.body),
            Some(times) => {
                hybrid::definition_levels(times.iter().map(|&time| time != 0), &mut self.body);
            }
        }
        self.nulls += rows - present.len();
        // Some decoders do not expect DELTA_BINARY_PACKED without a value.
        let encoding = match present.is_empty() {
            true => Encoding::PLAIN,
            false => Encoding::DELTA_BINARY_PACKED,
        };
        if !present.is_empty() {
            delta::encode(&present, &mut self.body);
        }
        let frame = zstd.compress(&self.body)?;
        self.chunk.data(frame, self.body.len(), rows, encoding)
    }

    pub(in crate::block) fn finish(self) -> Result<Chunk> {
        let nulls = Statistics::int64(None, None, None, Some(self.nulls as u64), false);
        self.chunk.finish(Some(nulls), None)
    }
}
