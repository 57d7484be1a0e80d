//! Chunks: a few dozen to a few hundred samples of one series, in one of six encodings
//! (`tsdb/chunkenc`), or those of its aggregates ([`AggregateChunks`]).
//!
//! Encoders take columns: [`XorEncoder`] floats, [`HistogramEncoder`] native histograms. The
//! encodings with start timestamps and XOR2 are only read.
//!
//! Decoders write flat columns: timestamps, values and start timestamps as slices that are used again
//! for every chunk, histograms as [`crate::model::Histogram`]s.

mod aggregates;
mod bits;
mod counter;
mod downsampled;
mod encode;
mod float_histogram;
mod histogram;
mod histogram_encode;
mod layout;
mod start_times;
mod writer;
mod xor;
mod xor2;

#[cfg(test)]
mod tests;

use crate::model::Histogram;
use crate::{Error, Result};

pub use aggregates::AggregateChunks;
pub use counter::CounterTotal;
pub use downsampled::Downsampled;
pub use encode::{XorEncoder, cut, whole_windows};
pub use histogram_encode::HistogramEncoder;

/// How a chunk is encoded (`chunkenc.Encoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Floats, delta of delta and XOR.
    Xor,
    /// Histograms with whole counts.
    Histogram,
    /// Histograms with float counts.
    FloatHistogram,
    /// Floats with joint control bits, stale markers apart, and start timestamps.
    Xor2,
    /// Histograms with whole counts and start timestamps.
    HistogramSt,
    /// Histograms with float counts and start timestamps.
    FloatHistogramSt,
    /// Aggregates of downsampled samples, each a chunk of its own ([`AggregateChunks`]).
    Aggregates,
}

impl Encoding {
    /// The encoding of a chunk's encoding byte; an unknown one is an
    /// [`Unsupported`](crate::ErrorKind::Unsupported) error.
    pub fn from_byte(byte: u8) -> Result<Self> {
        match byte {
            1 => Ok(Self::Xor),
            2 => Ok(Self::Histogram),
            3 => Ok(Self::FloatHistogram),
            4 => Ok(Self::Xor2),
            5 => Ok(Self::HistogramSt),
            6 => Ok(Self::FloatHistogramSt),
            0xff => Ok(Self::Aggregates),
            other => Err(Error::unsupported(format!("unknown chunk encoding {other}"))),
        }
    }

    /// The encoding byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Xor => 1,
            Self::Histogram => 2,
            Self::FloatHistogram => 3,
            Self::Xor2 => 4,
            Self::HistogramSt => 5,
            Self::FloatHistogramSt => 6,
            Self::Aggregates => 0xff,
        }
    }

    /// Whether the samples are floats.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Xor | Self::Xor2)
    }

    /// How many samples the header of a chunk claims, one chunk of [`AggregateChunks`] at a time;
    /// `None` if it has no header.
    pub(crate) fn claimed_samples(self, chunk: &[u8]) -> Option<usize> {
        let word = u16::from_be_bytes(*chunk.first_chunk()?);
        Some(usize::from(match self {
            // The first two bits tell of counter resets.
            Self::HistogramSt | Self::FloatHistogramSt => word & 0x3fff,
            _ => word,
        }))
    }
}

/// Decoded float samples of one series, in order of time. Buffers keep their capacity.
#[derive(Debug, Default)]
pub struct Floats {
    ts: Vec<i64>,
    values: Vec<f64>,
    starts: Vec<i64>,
    len: usize,
    has_starts: bool,
}

impl Floats {
    /// Timestamps in ms.
    pub fn ts(&self) -> &[i64] {
        &self.ts[..self.len]
    }

    /// Values, bit-exact.
    pub fn values(&self) -> &[f64] {
        &self.values[..self.len]
    }

    /// Start timestamps in ms, 0 where unknown; `None` if no sample has one. (An XOR2 chunk of 128
    /// samples writes them even where all are 0.)
    pub fn starts(&self) -> Option<&[i64]> {
        let starts = self.has_starts.then(|| &self.starts[..self.len])?;
        starts.iter().any(|&start| start != 0).then_some(starts)
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the samples.
    pub fn clear(&mut self) {
        self.len = 0;
        self.has_starts = false;
    }

    /// Forgets the samples from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Keeps the samples from `from` on whose timestamp `keep` accepts.
    pub fn retain(&mut self, from: usize, keep: impl Fn(i64) -> bool) {
        let mut kept = from;
        for at in from..self.len {
            if keep(self.ts[at]) {
                self.ts[kept] = self.ts[at];
                self.values[kept] = self.values[at];
                if self.has_starts {
                    self.starts[kept] = self.starts[at];
                }
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// Appends the samples of a float chunk, its bytes without framing.
    pub fn decode(&mut self, encoding: Encoding, chunk: &[u8]) -> Result<()> {
        self.decode_checked(encoding, chunk, ascending)
    }

    /// Appends the samples of a float chunk whose timestamps `check` accepts.
    fn decode_checked(
        &mut self,
        encoding: Encoding,
        chunk: &[u8],
        check: impl FnOnce(&[i64]) -> Result<()>,
    ) -> Result<()> {
        let Some(count) = encoding.claimed_samples(chunk) else {
            return Err(Error::corrupt(format!("chunk of {} bytes has no header", chunk.len())));
        };
        // Every sample after the second takes a bit at least.
        if count > chunk.len() * 8 {
            return Err(Error::corrupt(format!(
                "chunk claims {count} samples in {} bytes",
                chunk.len()
            )));
        }
        let end = self.len + count;
        if self.ts.len() < end {
            self.ts.resize(end, 0);
            self.values.resize(end, 0.0);
        }
        let with_starts =
            encoding == Encoding::Xor2 && chunk.get(2).is_some_and(|&header| header != 0);
        if with_starts && !self.has_starts {
            // The samples before this chunk have none.
            self.starts.clear();
            self.has_starts = true;
        }
        let starts = if self.has_starts {
            // What lies behind `len` is left from samples that are gone.
            self.starts.truncate(self.len);
            self.starts.resize(end, 0);
            with_starts.then(|| &mut self.starts[self.len..])
        } else {
            None
        };
        let ts = &mut self.ts[self.len..end];
        let values = &mut self.values[self.len..end];
        match encoding {
            Encoding::Xor => xor::decode(&chunk[2..], ts, values)?,
            Encoding::Xor2 => xor2::decode(&chunk[2..], ts, values, starts)?,
            other => {
                return Err(Error::corrupt(format!("{other:?} is not a float encoding")));
            }
        }
        check(ts)?;
        self.len = end;
        Ok(())
    }
}

/// Decoded histogram samples of one series, in order of time.
#[derive(Debug, Default)]
pub struct Histograms {
    /// Timestamps in ms.
    pub ts: Vec<i64>,
    /// Start timestamps in ms, 0 where unknown; as long as `ts`.
    pub starts: Vec<i64>,
    /// The histograms; as long as `ts`.
    pub samples: Vec<Histogram>,
}

impl Histograms {
    /// Start timestamps, `None` if no sample has one.
    pub fn starts(&self) -> Option<&[i64]> {
        self.starts.iter().any(|&st| st != 0).then_some(self.starts.as_slice())
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }

    /// Forgets the samples.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Forgets the samples from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.ts.truncate(len);
        self.starts.truncate(len);
        self.samples.truncate(len);
    }

    /// Keeps the samples from `from` on whose timestamp `keep` accepts.
    pub fn retain(&mut self, from: usize, keep: impl Fn(i64) -> bool) {
        let mut kept = from;
        for at in from..self.ts.len() {
            if keep(self.ts[at]) {
                self.ts.swap(kept, at);
                self.starts.swap(kept, at);
                self.samples.swap(kept, at);
                kept += 1;
            }
        }
        self.truncate(kept);
    }

    /// Appends the samples of a histogram chunk, its bytes without framing.
    pub fn decode(&mut self, encoding: Encoding, chunk: &[u8]) -> Result<()> {
        let from = self.ts.len();
        let decoded = match encoding {
            Encoding::Histogram => histogram::decode(chunk, false, self),
            Encoding::HistogramSt => histogram::decode(chunk, true, self),
            Encoding::FloatHistogram => float_histogram::decode(chunk, false, self),
            Encoding::FloatHistogramSt => float_histogram::decode(chunk, true, self),
            other => Err(Error::corrupt(format!("{other:?} is not a histogram encoding"))),
        }
        .and_then(|()| ascending(&self.ts[from..]));
        if decoded.is_err() {
            self.truncate(from);
        }
        decoded
    }
}

/// Timestamps of a chunk must grow; one that does not would be lost or reordered by any reader.
fn ascending(ts: &[i64]) -> Result<()> {
    ordered(ts, |before, after| before < after)
}

/// As [`ascending`], but a timestamp may repeat.
fn not_descending(ts: &[i64]) -> Result<()> {
    ordered(ts, |before, after| before <= after)
}

fn ordered(ts: &[i64], in_order: impl Fn(i64, i64) -> bool) -> Result<()> {
    if ts.is_sorted_by(|&a, &b| in_order(a, b)) {
        return Ok(());
    }
    let at = ts.windows(2).position(|pair| !in_order(pair[0], pair[1])).unwrap_or_default();
    Err(Error::corrupt(format!(
        "samples out of order: {} after {}",
        ts.get(at + 1).copied().unwrap_or_default(),
        ts.get(at).copied().unwrap_or_default()
    )))
}
