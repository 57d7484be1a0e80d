//! Columns into XOR chunks, byte for byte as Prometheus writes them (`tsdb/chunkenc/xor.go`), cut
//! where Prometheus' head cuts them (`tsdb/head_append.go`).

use super::writer::{BitWriter, in_range, low};
use crate::model::TimeRange;

/// A chunk with more bytes takes no further sample (`MaxBytesPerXORChunkBeforeAppend`).
const FULL_BYTES: usize = 1024 - 19;
/// How many samples a chunk is meant to have (`DefaultSamplesPerChunk`).
const SAMPLES: usize = 120;
/// No chunk goes over a multiple of so many ms (the range of the head's chunks).
const RANGE_MS: i64 = 2 * 3600 * 1000;
/// The most bits that a sample takes: 68 of delta of delta, 77 of value.
const SAMPLE_BYTES: usize = 19;
/// Count, first timestamp and value, second delta.
const HEAD_BYTES: usize = 2 + 10 + 8 + 10;

/// How many of the first samples of `ts` (ascending, in ms) make a chunk, by time and number. At
/// 25 % of 120 samples the end is foreseen so that the chunks of two hours are of equal length.
pub fn cut(ts: &[i64]) -> usize {
    let Some(&start) = ts.first() else { return 0 };
    let end = range_end(start);
    let certain = before(&ts[..ts.len().min(SAMPLES / 4)], end, SAMPLES / 4);
    if certain < SAMPLES / 4 {
        return certain;
    }
    let end = foreseen(start, ts[SAMPLES / 4 - 1], end, 4.0);
    // A foreseen end that has passed already ends the chunk where it stands.
    before(&ts[..ts.len().min(2 * SAMPLES)], end, SAMPLES).max(SAMPLES / 4)
}

/// How many of `ts`, which ascends, are before `end`; `likely` is looked at first.
fn before(ts: &[i64], end: i64, likely: usize) -> usize {
    match ts.split_at_checked(likely) {
        Some(([.., last], behind)) if *last < end && behind.first().is_none_or(|&t| t >= end) => {
            likely
        }
        _ => ts.partition_point(|&t| t < end),
    }
}

/// What must be read so that the chunks of `range` are whole, as they are in native blocks: Thanos'
/// querier applies counter resets to whole chunks, so what it computes depends on where they begin.
pub fn whole_windows(range: TimeRange) -> TimeRange {
    if range.is_empty() {
        return range;
    }
    let start = range.min.div_euclid(RANGE_MS).saturating_mul(RANGE_MS);
    let end = range.max.div_euclid(RANGE_MS).saturating_add(1).saturating_mul(RANGE_MS);
    TimeRange::new(start.min(range.min), end.saturating_sub(1).max(range.max))
}

/// Where the range of chunks ends that `start` lies in, in ms (`rangeForTimestamp`).
pub(super) fn range_end(start: i64) -> i64 {
    start.div_euclid(RANGE_MS).saturating_add(1).saturating_mul(RANGE_MS)
}

/// When a chunk should end that began at `start` and will be full after `ratio` times what it has
/// `now`, so that those up to `end` are of equal length (`computeChunkEndTime`).
pub(super) fn foreseen(start: i64, now: i64, end: i64, ratio: f64) -> i64 {
    let whole = end.saturating_sub(start) as f64;
    let chunks = whole / ((now.saturating_sub(start).saturating_add(1)) as f64 * ratio);
    if chunks <= 1.0 { end } else { (start as f64 + whole / chunks.floor()) as i64 }
}

/// Encodes chunks. The buffer is used again for every chunk.
#[derive(Debug, Default)]
pub struct XorEncoder {
    buffer: Vec<u8>,
    length: usize,
}

impl XorEncoder {
    /// Encodes the first samples of one series as a chunk that is cut as Prometheus does, and
    /// returns how many they are: 0 only if there is no sample. [`Self::bytes`] is the chunk.
    ///
    /// `ts` and `values` have one length, `ts` ascends.
    pub fn next_chunk(&mut self, ts: &[i64], values: &[f64]) -> usize {
        self.encode(&ts[..cut(ts)], values, FULL_BYTES)
    }

    /// Encodes as many of the samples as the chunk takes before it has more than `full` bytes, at
    /// most 65,535; returns how many they are.
    pub fn encode(&mut self, ts: &[i64], values: &[f64], full: usize) -> usize {
        let most = ts.len().min(values.len()).min(usize::from(u16::MAX));
        let (ts, values) = (&ts[..most], &values[..most]);
        let room = HEAD_BYTES + most * SAMPLE_BYTES + 8;
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let (count, length) = stream(&mut self.buffer[2..room], ts, values, full.saturating_sub(2));
        self.buffer[..2].copy_from_slice(&(count as u16).to_be_bytes());
        self.length = 2 + length;
        count
    }

    /// The chunk that was encoded last.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

/// Writes samples until the stream has more than `full` bytes; returns their number and the
/// stream's length.
fn stream(buffer: &mut [u8], ts: &[i64], values: &[f64], full: usize) -> (usize, usize) {
    let mut bits = BitWriter::new(buffer);
    let (Some(&first_ts), Some(first_value)) = (ts.first(), values.first()) else {
        return (0, bits.finish());
    };
    bits.varint(first_ts);
    let mut value = first_value.to_bits();
    bits.put(value, 64);
    let Some(&second_ts) = ts.get(1) else { return (1, bits.finish()) };
    let mut t = second_ts;
    let mut delta = t.wrapping_sub(first_ts);
    bits.uvarint(delta as u64);
    let mut window = Window::NONE;
    let next = values[1].to_bits();
    put_value(&mut bits, 0, 0, value ^ next, &mut window);
    value = next;
    let mut count = 2;
    for (&next_t, next) in ts.iter().zip(values).skip(2) {
        if bits.len() > full {
            break;
        }
        let next_delta = next_t.wrapping_sub(t);
        let dod = next_delta.wrapping_sub(delta);
        (t, delta) = (next_t, next_delta);
        let (head, n) = if dod == 0 {
            (0, 1)
        } else if in_range(dod, 14) {
            (0b10 << 14 | low(dod, 14), 16)
        } else if in_range(dod, 17) {
            (0b110 << 17 | low(dod, 17), 20)
        } else if in_range(dod, 20) {
            (0b1110 << 20 | low(dod, 20), 24)
        } else {
            bits.put(0b1111, 4);
            bits.put(dod as u64, 64);
            (0, 0)
        };
        let next = next.to_bits();
        put_value(&mut bits, head, n, value ^ next, &mut window);
        value = next;
        count += 1;
    }
    (count, bits.finish())
}

/// The significant bits that the last values shared. One that is wider than 64 bits fits nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    leading: u32,
    width: u32,
    trailing: u32,
}

impl Window {
    /// A stream begins without one.
    pub(super) const NONE: Self = Self { leading: 0, width: 0, trailing: 64 };
}

/// Writes `n` bits of `head` (0 to 24) and then a value's XOR with the one before (`xorWrite`).
#[inline(always)]
pub(super) fn put_value(
    bits: &mut BitWriter<'_>,
    head: u64,
    n: u32,
    xor: u64,
    window: &mut Window,
) {
    if xor == 0 {
        return bits.put(head << 1, n + 1);
    }
    // Five bits hold the number of leading zeros.
    let leading = xor.leading_zeros().min(31);
    let trailing = xor.trailing_zeros();
    if leading >= window.leading && trailing >= window.trailing {
        bits.put(head << 2 | 0b10, n + 2);
    } else {
        *window = Window { leading, width: 64 - leading - trailing, trailing };
        // A width of 64 is written as 0.
        let place = u64::from(leading << 6 | window.width & 0x3f);
        bits.put(head << 13 | 0b11 << 11 | place, n + 13);
    }
    bits.put(xor >> window.trailing, window.width);
}
