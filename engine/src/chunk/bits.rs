//! Bits of a chunk, most significant first (`tsdb/chunkenc/bstream.go`, `varbit.go`).
//!
//! Reading past the end gives zeros and moves on: a decoder checks once, at its end, that it stayed
//! inside ([`Bits::finish`]). So the hot loops carry no error.

use crate::{Error, Result};

/// A position in a stream of bits.
#[derive(Debug, Clone)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit. No decoder moves it past the end by more than a sample's bits.
    pub(crate) at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits that are left.
    pub(crate) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }

    /// The next 57 bits or more at the top of a word, zeros after them.
    #[inline(always)]
    pub(crate) fn peek(&self) -> u64 {
        let byte = self.at >> 3;
        let word = match self.bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(eight) => u64::from_be_bytes(*eight),
            None => self.tail(byte),
        };
        word << (self.at & 7)
    }

    #[cold]
    fn tail(&self, byte: usize) -> u64 {
        let rest = self.bytes.get(byte..).unwrap_or_default();
        let mut eight = [0u8; 8];
        eight[..rest.len()].copy_from_slice(rest);
        u64::from_be_bytes(eight)
    }

    /// The next `n` bits as a number; `n` is 1 to 64.
    #[inline(always)]
    pub(crate) fn read(&mut self, n: u32) -> u64 {
        debug_assert!((1..=64).contains(&n));
        if n <= 57 {
            let value = self.peek() >> (64 - n);
            self.at += n as usize;
            value
        } else {
            let high = self.peek() >> 32;
            self.at += 32;
            let low = self.peek() >> (96 - n);
            self.at += (n - 32) as usize;
            high << (n - 32) | low
        }
    }

    /// The next bit.
    #[inline]
    pub(crate) fn bit(&mut self) -> bool {
        self.read(1) == 1
    }

    /// How many of the next bits are ones, at most `most`; they and the zero after them, if they are
    /// fewer than `most`, are consumed.
    #[inline]
    pub(crate) fn ones(&mut self, most: u32) -> u32 {
        let ones = (!self.peek()).leading_zeros().min(most);
        self.at += (ones + u32::from(ones < most)) as usize;
        ones
    }

    /// Go's `binary.ReadUvarint` from the bit stream.
    pub(crate) fn uvarint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.read(8);
            if shift == 63 && byte > 1 {
                break;
            }
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::corrupt("varint is longer than 64 bits"))
    }

    /// Go's `binary.ReadVarint` from the bit stream.
    pub(crate) fn varint(&mut self) -> Result<i64> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A signed number in Prometheus' bit buckets (`readVarbitInt`).
    #[inline]
    pub(crate) fn varbit_int(&mut self) -> i64 {
        match VARBIT_WIDTHS[self.ones(8) as usize] {
            0 => 0,
            64 => self.read(64) as i64,
            width => signed(self.read(width), width),
        }
    }

    /// An unsigned number in Prometheus' bit buckets (`readVarbitUint`).
    #[inline]
    pub(crate) fn varbit_uint(&mut self) -> u64 {
        match VARBIT_WIDTHS[self.ones(8) as usize] {
            0 => 0,
            width => self.read(width),
        }
    }

    /// Whether the reads stayed inside the stream.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.at <= self.bytes.len() * 8 {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "chunk ends early: its samples need more than its {} bytes",
            self.bytes.len()
        )))
    }
}

/// Payload bits behind 0 to 8 ones.
pub(super) const VARBIT_WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

/// The signed number that `width` bits hold where the range is `-(2^(w-1)-1) ..= 2^(w-1)`
/// (`bitRange` in `xor.go`), not two's complement.
#[inline(always)]
pub(crate) fn signed(bits: u64, width: u32) -> i64 {
    let value = bits as i64;
    if bits > 1 << (width - 1) { value - (1 << width) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_widths_cross_bytes() {
        let bytes: Vec<u8> = (0..40).map(|i| (i * 37) as u8).collect();
        let one_by_one = |from: usize, n: u32| {
            (from..from + n as usize).fold(0u64, |value, bit| {
                value << 1 | u64::from(bytes[bit / 8] >> (7 - bit % 8) & 1)
            })
        };
        for width in 1..=64 {
            let mut bits = Bits::new(&bytes);
            while bits.left() >= width as usize {
                let at = bits.at;
                assert_eq!(bits.read(width), one_by_one(at, width), "{width} bits at {at}");
            }
        }
    }

    #[test]
    fn reading_past_the_end_is_seen_at_the_end() {
        let mut bits = Bits::new(&[0xff]);
        assert_eq!(bits.read(9), 0x1fe);
        assert!(bits.finish().is_err());
        for _ in 0..100 {
            assert_eq!(bits.read(64), 0);
        }
    }

    #[test]
    fn signed_ranges_are_those_of_prometheus() {
        assert_eq!(signed(0b100, 3), 4);
        assert_eq!(signed(0b101, 3), -3);
        assert_eq!(signed(8192, 14), 8192);
        assert_eq!(signed(8193, 14), -8191);
    }
}
