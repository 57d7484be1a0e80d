//! The digest of a set of samples: equal sets have equal digests, in whatever order and blocks the
//! samples lie.
//!
//! All numbers are little-endian, `‖` joins bytes, XXH3-128 has seed 0:
//!
//! ```text
//! labels(l)    = XXH3-128(name ‖ ff ‖ value ‖ ff ‖ … in order of the names)
//! series       = XXH3-128(labels(external labels) ‖ labels(own labels))
//! float        = XXH3-128(series ‖ ts i64 ‖ value bits u64 [‖ start_ts i64, if it is not 0])
//! histogram    = XXH3-128(series ‖ ts i64 ‖ start_ts i64 ‖ canonical(histogram))
//! window       = XXH3-128(series ‖ ts ‖ count ‖ sum ‖ min ‖ max ‖ counter ‖ first ‖ first_ts ‖ last), 8 bytes each
//! digest       = (count, Σ mod 2^128, ⊕) over all samples
//! ```
//!
//! The sum finds a lost, doubled or altered sample, the xor what a sum could hide; a whole sample is
//! hashed, not a mix of hashes, so nothing cancels by its structure.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_128;

use crate::model::{CounterResetHint, Histogram, HistogramCounts, Labels, Span, WindowSlices};
use crate::{Error, Result};

/// An order-free digest: how many samples, and the sum and the xor of a 128-bit hash of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// How many samples.
    pub count: u64,
    /// The sum of their hashes modulo 2^128.
    pub sum: u128,
    /// The exclusive or of their hashes.
    pub xor: u128,
}

/// A series' part of the hash of its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesKey([u8; 16]);

impl SeriesKey {
    /// The key of a series by the fingerprints ([`Labels::fingerprint`]) of its external and of its
    /// own labels.
    pub fn new(external: u128, own: u128) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&external.to_le_bytes());
        bytes[16..].copy_from_slice(&own.to_le_bytes());
        Self(xxh3_128(&bytes).to_le_bytes())
    }

    /// The key of a series by its labels.
    pub fn of(external: &Labels, own: &Labels) -> Self {
        Self::new(external.fingerprint(), own.fingerprint())
    }
}

impl Digest {
    /// Adds float samples of a series: one value, and one start timestamp (0 is none), a timestamp.
    pub fn floats(
        &mut self,
        series: SeriesKey,
        ts: &[i64],
        values: &[f64],
        start_ts: Option<&[i64]>,
    ) {
        match start_ts {
            None => self.plain_floats(series, ts, values),
            Some(start_ts) => self.started_floats(series, ts, values, start_ts),
        }
    }

    fn plain_floats(&mut self, series: SeriesKey, ts: &[i64], values: &[f64]) {
        let hasher = SampleHasher::new(series);
        for (&ts, value) in ts.iter().zip(values) {
            self.add(hasher.hash(ts, value.to_bits()));
        }
    }

    fn started_floats(&mut self, series: SeriesKey, ts: &[i64], values: &[f64], starts: &[i64]) {
        let hasher = SampleHasher::new(series);
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(&series.0);
        for ((&ts, value), &start) in ts.iter().zip(values).zip(starts) {
            if start == 0 {
                self.add(hasher.hash(ts, value.to_bits()));
                continue;
            }
            bytes[16..24].copy_from_slice(&ts.to_le_bytes());
            bytes[24..32].copy_from_slice(&value.to_bits().to_le_bytes());
            bytes[32..].copy_from_slice(&start.to_le_bytes());
            self.add(xxh3_128(&bytes));
        }
    }

    /// Adds native histogram samples of a series; else as [`Self::floats`].
    pub fn histograms(
        &mut self,
        series: SeriesKey,
        ts: &[i64],
        start_ts: Option<&[i64]>,
        histograms: &[Histogram],
    ) {
        let mut bytes = Vec::new();
        for (at, (&ts, histogram)) in ts.iter().zip(histograms).enumerate() {
            bytes.clear();
            bytes.extend_from_slice(&series.0);
            bytes.extend_from_slice(&ts.to_le_bytes());
            let start_ts = start_ts.map_or(0, |start_ts| start_ts[at]);
            bytes.extend_from_slice(&start_ts.to_le_bytes());
            canonical(histogram, &mut bytes);
            self.add(xxh3_128(&bytes));
        }
    }

    /// Adds windows of a series of a downsampled block.
    pub fn windows(&mut self, series: SeriesKey, windows: WindowSlices<'_>) {
        let mut bytes = [0; 16 + 9 * 8];
        bytes[..16].copy_from_slice(&series.0);
        for at in 0..windows.len() {
            let numbers = [
                windows.ts[at] as u64,
                windows.count[at] as u64,
                windows.sum[at].to_bits(),
                windows.min[at].to_bits(),
                windows.max[at].to_bits(),
                windows.counter[at].to_bits(),
                windows.first[at].to_bits(),
                windows.first_ts[at] as u64,
                windows.last[at].to_bits(),
            ];
            for (slot, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
                slot.copy_from_slice(&number.to_le_bytes());
            }
            self.add(xxh3_128(&bytes));
        }
    }

    /// Adds all samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
        self.xor ^= other.xor;
    }

    #[inline]
    fn add(&mut self, hash: u128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
        self.xor ^= hash;
    }
}

/// XXH3-128 of the 32 bytes of a float sample, what depends on its series computed once: half of what the
/// hash of any bytes costs, and every sample is hashed whenever it is written, rewritten or read back.
#[derive(Debug, Clone, Copy)]
struct SampleHasher {
    low: u64,
    series: u64,
}

/// The first 32 bytes of XXH3's secret (`kSecret`).
const SECRET: [u64; 4] =
    [0xbe4b_a423_396c_feb8, 0x1cad_21f7_2c81_017c, 0xdb97_9083_e96d_d4de, 0x1f67_b3b7_a4a4_4072];
const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;

impl SampleHasher {
    fn new(series: SeriesKey) -> Self {
        let key = u128::from_le_bytes(series.0);
        let (a, b) = (key as u64, (key >> 64) as u64);
        let low = 32u64.wrapping_mul(PRIME_1);
        Self { low: low.wrapping_add(mix(a, b, SECRET[0], SECRET[1])), series: a.wrapping_add(b) }
    }

    #[inline]
    fn hash(self, ts: i64, bits: u64) -> u128 {
        let ts = ts as u64;
        let low = self.low ^ ts.wrapping_add(bits);
        let high = mix(ts, bits, SECRET[2], SECRET[3]) ^ self.series;
        let rest = low.wrapping_mul(PRIME_1).wrapping_add(high.wrapping_mul(PRIME_4));
        let rest = avalanche(rest.wrapping_add(32u64.wrapping_mul(PRIME_2))).wrapping_neg();
        u128::from(avalanche(low.wrapping_add(high))) | u128::from(rest) << 64
    }
}

/// `XXH3_mix16B` without a seed.
#[inline]
fn mix(a: u64, b: u64, secret_a: u64, secret_b: u64) -> u64 {
    let product = u128::from(a ^ secret_a) * u128::from(b ^ secret_b);
    product as u64 ^ (product >> 64) as u64
}

/// `XXH3_avalanche`.
#[inline]
fn avalanche(mut hash: u64) -> u64 {
    hash ^= hash >> 37;
    hash = hash.wrapping_mul(0x1656_6791_9e37_79f9);
    hash ^ hash >> 32
}

/// The canonical bytes of a histogram: one number of 8 bytes after the other; lists with their length
/// before them.
fn canonical(histogram: &Histogram, out: &mut Vec<u8>) {
    let mut number = |value: u64| out.extend_from_slice(&value.to_le_bytes());
    number(match histogram.counter_reset_hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::CounterReset => 1,
        CounterResetHint::NotCounterReset => 2,
        CounterResetHint::Gauge => 3,
    });
    number(i64::from(histogram.schema) as u64);
    number(histogram.zero_threshold.to_bits());
    number(histogram.sum.to_bits());
    let mut spans = |spans: &[Span]| {
        number(spans.len() as u64);
        for span in spans {
            number(i64::from(span.offset) as u64);
            number(u64::from(span.length));
        }
    };
    spans(&histogram.positive_spans);
    spans(&histogram.negative_spans);
    let mut list = |values: &mut dyn ExactSizeIterator<Item = u64>| {
        number(values.len() as u64);
        values.for_each(&mut number);
    };
    list(&mut histogram.custom_values.iter().map(|value| value.to_bits()));
    match &histogram.counts {
        HistogramCounts::Int { count, zero_count, positive, negative } => {
            list(&mut [0, *count, *zero_count].into_iter());
            list(&mut positive.iter().map(|&count| count as u64));
            list(&mut negative.iter().map(|&count| count as u64));
        }
        HistogramCounts::Float { count, zero_count, positive, negative } => {
            list(&mut [1, count.to_bits(), zero_count.to_bits()].into_iter());
            list(&mut positive.iter().map(|count| count.to_bits()));
            list(&mut negative.iter().map(|count| count.to_bits()));
        }
    }
}

impl fmt::Display for Digest {
    /// `<count>:<sum>:<xor>`, the hashes as 32 hexadecimal digits: the text in `meta.json`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}:{:032x}", self.count, self.sum, self.xor)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.split(':');
            let digest = Self {
                count: parts.next()?.parse().ok()?,
                sum: u128::from_str_radix(parts.next()?, 16).ok()?,
                xor: u128::from_str_radix(parts.next()?, 16).ok()?,
            };
            parts.next().is_none().then_some(digest)
        };
        parse().ok_or_else(|| Error::invalid(format!("digest {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SeriesKey {
        let labels = |pairs: [(&str, &str); 1]| Labels::new(pairs).unwrap();
        SeriesKey::of(&labels([("replica", "a")]), &labels([("__name__", "up")]))
    }

    proptest! {
        #[test]
        fn the_hash_of_a_sample_is_xxh3(key: [u8; 16], ts: i64, bits: u64) {
            let mut bytes = key.to_vec();
            bytes.extend(ts.to_le_bytes());
            bytes.extend(bits.to_le_bytes());
            let hash = SampleHasher::new(SeriesKey(key)).hash(ts, bits);
            prop_assert_eq!(hash, xxh3_128(&bytes));
        }
    }

    #[test]
    fn order_and_cuts_do_not_matter() {
        let ts = [10, 20, 30, 40];
        let values = [1.0, f64::NAN, -0.0, 4.0];
        let mut whole = Digest::default();
        whole.floats(key(), &ts, &values, None);
        let mut parts = Digest::default();
        parts.floats(key(), &ts[2..], &values[2..], Some(&[0, 0]));
        let mut other = Digest::default();
        other.floats(key(), &ts[..2], &values[..2], None);
        parts.merge(&other);
        assert_eq!(whole, parts);
        assert_eq!(whole.to_string().parse::<Digest>().unwrap(), whole);
    }

    #[test]
    fn every_part_of_a_sample_matters() {
        let digest = |ts: i64, value: f64, start: i64| {
            let mut digest = Digest::default();
            digest.floats(key(), &[ts], &[value], Some(&[start]));
            digest
        };
        let all = [digest(1, 0.0, 0), digest(2, 0.0, 0), digest(1, -0.0, 0), digest(1, 0.0, 1)];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other.sum != one.sum));
        }
    }

    #[test]
    fn swapped_values_show() {
        let mut a = Digest::default();
        a.floats(key(), &[1, 2], &[5.0, 6.0], None);
        let mut b = Digest::default();
        b.floats(key(), &[1, 2], &[6.0, 5.0], None);
        assert_ne!(a, b);
        assert_eq!(a.count, b.count);
    }

    /// The documented bytes, hashed by hand: other implementations must agree.
    #[test]
    fn the_documented_bytes_are_hashed() {
        let labels = |text: &[u8]| xxh3_128(text).to_le_bytes();
        let mut series = Vec::new();
        series.extend(labels(b"replica\xffa\xff"));
        series.extend(labels(b"__name__\xffup\xff"));
        let mut sample = xxh3_128(&series).to_le_bytes().to_vec();
        sample.extend(7i64.to_le_bytes());
        sample.extend(1.5f64.to_bits().to_le_bytes());
        let hash = xxh3_128(&sample);
        let mut digest = Digest::default();
        digest.floats(key(), &[7], &[1.5], None);
        assert_eq!(digest, Digest { count: 1, sum: hash, xor: hash });
    }
}
