//! One chunk, sample by sample (`appendHistogram`, `appendFloatHistogram`, `recode`).

use crate::model::{CounterResetHint, HistogramView, Spans, is_stale};

use super::super::writer::BitWriter;
use super::follow::{Follow, follow};
use super::layout::{Layout, OwnSpans, buckets};
use super::numbers::{Moving, Number, Numbers, Xor};
use super::{Start, header};

/// Bytes of the chunk's header: how many samples, and what is known of resets.
const HEADER_BYTES: usize = 3;
/// The most bytes that time, counts and sum of a sample take, and that one bucket takes.
const SAMPLE_BYTES: usize = 40;
const BUCKET_BYTES: usize = 10;
/// Room for samples that are not known yet, at first.
const ROOM: usize = 4096;

/// Why a chunk ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// There is no further sample.
    Samples,
    Full,
    /// The next sample does not fit; the chunk that begins with it has this header.
    Refused(u8),
}

/// A chunk that was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    pub(super) samples: usize,
    pub(super) length: usize,
    pub(super) header: u8,
    pub(super) end: End,
}

/// The last sample of a chunk, its buckets those of the chunk's layout.
#[derive(Debug, Default)]
pub(super) struct Last<N> {
    pub(super) gauge: bool,
    pub(super) stale: bool,
    pub(super) count: N,
    pub(super) zero_count: N,
    pub(super) positive: Vec<N>,
    pub(super) negative: Vec<N>,
}

/// What the streams of a chunk remember.
#[derive(Debug)]
struct Streams<N: Number> {
    ts: Moving,
    count: N::Stream,
    zero_count: N::Stream,
    sum: Xor,
}

/// Writes chunks of one kind of counts, each knowing the chunk before it.
#[derive(Debug)]
pub(super) struct Appender<N: Number> {
    layout: Layout,
    last: Last<N>,
    /// Of each bucket: the positive ones, then the negative ones.
    streams: Vec<N::Stream>,
    /// A sample's buckets as they are written.
    scratch: Vec<N>,
}

impl<N: Number> Default for Appender<N> {
    fn default() -> Self {
        Self {
            layout: Layout::default(),
            last: Last::default(),
            streams: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

impl<N: Number> Appender<N> {
    /// Writes a chunk of the first samples to `buffer`. `full` is asked before each sample but the
    /// first: how many samples and bytes the chunk has, the time of the last and of the next sample.
    pub(super) fn fill(
        &mut self,
        buffer: &mut Vec<u8>,
        start: Start,
        ts: &[i64],
        histograms: &[HistogramView<'_>],
        mut full: impl FnMut(usize, usize, i64, i64) -> bool,
    ) -> Filled {
        let most = ts.len().min(histograms.len()).min(usize::from(u16::MAX));
        let header = self.header(start, &histograms[0]);
        self.set_layout(&histograms[0]);
        // Samples that are known to be part of the chunk; it is written anew when it widens.
        let mut known = 1;
        let mut room = ROOM;
        loop {
            let sample_bytes = SAMPLE_BYTES + BUCKET_BYTES * self.buckets();
            let size = HEADER_BYTES + self.layout.bytes() + known * sample_bytes + room;
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let mut bits = BitWriter::new(&mut buffer[HEADER_BYTES..size]);
            let mut streams = self.begin(&mut bits, ts[0], &histograms[0]);
            let mut at = 1;
            let end = loop {
                if at == most {
                    break Some(End::Samples);
                }
                if at == known {
                    if full(at, HEADER_BYTES + bits.len(), ts[at - 1], ts[at]) {
                        break Some(End::Full);
                    }
                    match follow(&self.layout, &self.last, &histograms[at]) {
                        Follow::Fits => {}
                        Follow::Widens { positive, negative } => {
                            (self.layout.positive, self.layout.negative) = (positive, negative);
                            known += 1;
                            break None;
                        }
                        Follow::Not(why) => {
                            break Some(End::Refused(N::header(false, Some(why))));
                        }
                    }
                    known += 1;
                    if HEADER_BYTES + bits.len() + sample_bytes > size {
                        room *= 2;
                        break None;
                    }
                }
                self.append(&mut bits, &mut streams, ts[at], &histograms[at]);
                at += 1;
            };
            let Some(end) = end else { continue };
            let length = HEADER_BYTES + bits.finish();
            buffer[..2].copy_from_slice(&(at as u16).to_be_bytes());
            buffer[2] = header;
            return Filled { samples: at, length, header, end };
        }
    }

    /// The header of a chunk that begins with `first`, after the chunk that is still in hand.
    fn header(&self, start: Start, first: &HistogramView<'_>) -> u8 {
        if let Start::Again(known, _) = start {
            return known;
        }
        match (first.counter_reset_hint, start) {
            (CounterResetHint::Gauge, _) => header::GAUGE,
            (_, Start::Refused(known)) => known,
            (CounterResetHint::CounterReset, _) => header::RESET,
            (_, Start::Cut) => match follow(&self.layout, &self.last, first) {
                Follow::Not(why) => N::header(true, Some(why)),
                Follow::Fits | Follow::Widens { .. } => N::header(true, None),
            },
            (_, Start::First | Start::Again(..)) => header::UNKNOWN,
        }
    }

    fn set_layout(&mut self, first: &HistogramView<'_>) {
        match is_stale(first.sum) {
            true => self.layout.clear(),
            false => self.layout.set(first),
        }
        self.last.gauge = first.counter_reset_hint == CounterResetHint::Gauge;
    }

    fn buckets(&self) -> usize {
        let spans = [&self.layout.positive, &self.layout.negative];
        let lengths = spans.into_iter().flat_map(|spans| &spans.lengths);
        lengths.map(|&length| length as usize).sum()
    }

    /// Writes the layout and the first sample.
    fn begin(&mut self, bits: &mut BitWriter<'_>, t: i64, first: &HistogramView<'_>) -> Streams<N> {
        self.layout.write(bits);
        self.remember(first);
        bits.varbit_int(t);
        let streams = Streams {
            ts: Moving::at(t),
            count: N::first_count(bits, self.last.count),
            zero_count: N::first_count(bits, self.last.zero_count),
            sum: Xor::first(bits, first.sum),
        };
        self.streams.clear();
        for side in [&self.last.positive, &self.last.negative] {
            self.scratch.clear();
            self.scratch.extend_from_slice(side);
            N::relate(&mut self.scratch);
            self.streams.extend(self.scratch.iter().map(|&bucket| N::first_bucket(bits, bucket)));
        }
        streams
    }

    /// Writes a further sample, which fits.
    fn append(
        &mut self,
        bits: &mut BitWriter<'_>,
        streams: &mut Streams<N>,
        t: i64,
        histogram: &HistogramView<'_>,
    ) {
        streams.ts.next(bits, t);
        if is_stale(histogram.sum) {
            self.last.stale = true;
            N::none(bits, &mut streams.count);
            N::none(bits, &mut streams.zero_count);
            return streams.sum.next(bits, histogram.sum);
        }
        self.remember(histogram);
        N::next(bits, &mut streams.count, self.last.count);
        N::next(bits, &mut streams.zero_count, self.last.zero_count);
        streams.sum.next(bits, histogram.sum);
        let mut of_buckets = self.streams.iter_mut();
        for side in [&self.last.positive, &self.last.negative] {
            self.scratch.clear();
            self.scratch.extend_from_slice(side);
            N::relate(&mut self.scratch);
            for (&bucket, stream) in self.scratch.iter().zip(&mut of_buckets) {
                N::next(bits, stream, bucket);
            }
        }
    }

    /// Makes a histogram the last sample, spread over the layout's buckets.
    fn remember(&mut self, histogram: &HistogramView<'_>) {
        self.last.stale = is_stale(histogram.sum);
        let numbers = match N::of(histogram) {
            Some(numbers) if !self.last.stale => numbers,
            _ => Numbers::default(),
        };
        let Last { count, zero_count, positive, negative, .. } = &mut self.last;
        (*count, *zero_count) = (numbers.count, numbers.zero_count);
        spread(&self.layout.positive, histogram.positive, numbers.positive, positive);
        spread(&self.layout.negative, histogram.negative, numbers.negative, negative);
    }
}

/// The counts of `spans` in the buckets of `layout`, which has all of them; 0 in the others.
fn spread<N: Number>(layout: &OwnSpans, spans: Spans<'_>, counts: &[N], out: &mut Vec<N>) {
    out.clear();
    if layout.view() == spans {
        return out.extend_from_slice(counts);
    }
    let mut own = buckets(spans).zip(counts).peekable();
    out.extend(buckets(layout.view()).map(|bucket| {
        own.next_if(|&(at, _)| at == bucket).map_or(N::default(), |(_, &count)| count)
    }));
}
