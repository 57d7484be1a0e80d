//! Columns into histogram chunks, byte for byte as Prometheus writes them
//! (`tsdb/chunkenc/histogram.go`, `float_histogram.go`), cut where Prometheus' head cuts them
//! (`histogramsAppendPreprocessor` in `tsdb/head_append.go`).
//!
//! All histograms of a chunk share schema, zero threshold, spans and custom bounds. A chunk ends
//! before a histogram of another schema or threshold, after a counter reset, and around stale
//! markers; a histogram with new buckets widens the chunk, which is written again from its first
//! sample on:
//!
//! ```text
//! buckets   0 1 2 3 4 5
//! sample 0    5 2               written as   5 2 0 0
//! sample 1    5 3               written as   5 3 0 0
//! sample 2    6 3   1           widens to 1, 2, 4; …
//! sample 3    6 3 4 2           … to 1, 2, 3, 4
//! sample 4    1                 below sample 3: a counter reset, the chunk ends before it
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `numbers` | how whole and float counts are written |
//! | `layout` | what histograms of a chunk share |
//! | `follow` | whether a histogram fits a chunk |
//! | `append` | one chunk, sample by sample |

mod append;
mod follow;
mod layout;
mod numbers;
#[cfg(test)]
mod tests;

use crate::model::{CountsView, HistogramView};

use super::Encoding;
use super::encode::{foreseen, range_end};
use append::{Appender, End};

/// How many bytes a chunk is meant to have (`TargetBytesPerHistogramChunk`).
const TARGET_BYTES: usize = 1024;
/// A chunk has so many samples unless its range ends before (`MinSamplesPerHistogramChunk`).
const MIN_SAMPLES: usize = 10;

/// What a chunk says of counter resets before it (`CounterResetHeader`).
mod header {
    pub(super) const UNKNOWN: u8 = 0;
    pub(super) const NOT_RESET: u8 = 0b0100_0000;
    pub(super) const RESET: u8 = 0b1000_0000;
    pub(super) const GAUGE: u8 = 0b1100_0000;
}

/// Why a chunk begins.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// It is the first of the series, or follows a chunk of another encoding.
    First,
    /// The chunk before was full.
    Cut,
    /// The chunk before could not take the sample; the header follows from why.
    Refused(u8),
    /// It was begun before, with fewer samples: its header, and whether its end was foreseen then.
    Again(u8, bool),
}

/// Encodes chunks of series after series. Buffers are used again for every chunk.
#[derive(Debug)]
pub struct HistogramEncoder {
    buffer: Vec<u8>,
    length: usize,
    encoding: Encoding,
    start: Start,
    /// Whether the head has computed an end for the chunk in hand: a chunk after a counter reset
    /// inherits that, and gets no end of its own.
    foreseen: bool,
    whole: Appender<i64>,
    floats: Appender<f64>,
}

impl Default for HistogramEncoder {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            length: 0,
            encoding: Encoding::Histogram,
            start: Start::First,
            foreseen: false,
            whole: Appender::default(),
            floats: Appender::default(),
        }
    }
}

impl HistogramEncoder {
    /// What comes next is another series, or follows a chunk of floats.
    pub fn begin(&mut self) {
        self.start = Start::First;
    }

    /// Encodes the first histograms of those that follow as a chunk that is cut as Prometheus does,
    /// and returns how many they are. With `more`, others follow what is given: a chunk that may
    /// still grow is none yet, and 0 is returned; ask again with the same histograms and more.
    ///
    /// `ts` (ascending, in ms) and `histograms` have one length.
    pub fn next_chunk(
        &mut self,
        ts: &[i64],
        histograms: &[HistogramView<'_>],
        more: bool,
    ) -> usize {
        let Some(&first) = ts.first() else { return 0 };
        match self.start {
            Start::First | Start::Cut => self.foreseen = false,
            Start::Again(_, foreseen) => self.foreseen = foreseen,
            Start::Refused(_) => {}
        }
        let before = self.foreseen;
        let mut computed = before;
        let range_end = range_end(first);
        let mut end = range_end;
        let full = |samples: usize, bytes: usize, last: i64, t: i64| {
            let must = if computed { range_end } else { end };
            if !computed && bytes >= TARGET_BYTES / 4 {
                let ratio = TARGET_BYTES as f64 / bytes as f64;
                end = foreseen(first, last, end, ratio);
                computed = true;
            }
            (t >= end || bytes >= 2 * TARGET_BYTES) && (samples >= MIN_SAMPLES || t >= must)
        };
        let (count, header) = self.fill(ts, histograms, full);
        self.foreseen = computed;
        if more && count == histograms.len() {
            self.start = Start::Again(header, before);
            return 0;
        }
        count
    }

    /// Encodes as many of the histograms as one chunk takes, at most `most` (and 65,535); returns how
    /// many they are: 0 only if there is none.
    pub fn encode(&mut self, ts: &[i64], histograms: &[HistogramView<'_>], most: usize) -> usize {
        self.fill(ts, histograms, |samples, _, _, _| samples >= most).0
    }

    /// The chunk that was encoded last.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Its encoding: [`Encoding::Histogram`] or [`Encoding::FloatHistogram`].
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Encodes a chunk of histograms that are alike in their counts; returns how many they are, and
    /// the chunk's header.
    fn fill(
        &mut self,
        ts: &[i64],
        histograms: &[HistogramView<'_>],
        full: impl FnMut(usize, usize, i64, i64) -> bool,
    ) -> (usize, u8) {
        let is_float = |h: &HistogramView<'_>| matches!(h.counts, CountsView::Float { .. });
        let all = ts.len().min(histograms.len());
        let Some(first) = histograms[..all].first() else {
            self.length = 0;
            return (0, header::UNKNOWN);
        };
        let encoding = match is_float(first) {
            true => Encoding::FloatHistogram,
            false => Encoding::Histogram,
        };
        let alike = histograms[..all].iter().take_while(|h| is_float(h) == is_float(first)).count();
        // Counts of another kind say nothing of a reset.
        if self.encoding != encoding && matches!(self.start, Start::Cut) {
            self.start = Start::First;
        }
        self.encoding = encoding;
        let (ts, histograms) = (&ts[..alike], &histograms[..alike]);
        let (start, buffer) = (self.start, &mut self.buffer);
        let filled = match encoding {
            Encoding::FloatHistogram => self.floats.fill(buffer, start, ts, histograms, full),
            _ => self.whole.fill(buffer, start, ts, histograms, full),
        };
        self.length = filled.length;
        self.start = match filled.end {
            End::Full => Start::Cut,
            End::Refused(header) => Start::Refused(header),
            End::Samples => Start::First,
        };
        (filled.samples, filled.header)
    }
}
