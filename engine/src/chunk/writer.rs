//! Bits into bytes, most significant first (`tsdb/chunkenc/bstream.go`).
//!
//! Bits are gathered in a word and leave it eight bytes at a time.

use super::bits::VARBIT_WIDTHS;

/// A stream of bits that is being written into a buffer. What does not fit is dropped and counted
/// all the same, so the caller makes the buffer long enough beforehand.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    buffer: &'a mut [u8],
    /// Whole words so far end here.
    at: usize,
    /// The bits that are no whole word yet, in the lowest `64 - free` bits; what is above is garbage.
    word: u64,
    /// How many bits the word has room for, 1 to 64.
    free: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, at: 0, word: 0, free: 64 }
    }

    /// Writes the lowest `n` bits of `bits`, whose others are 0; `n` is 1 to 64.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, n: u32) {
        debug_assert!((1..=64).contains(&n) && (n == 64 || bits >> n == 0));
        if n < self.free {
            self.word = self.word << n | bits;
            self.free -= n;
            return;
        }
        let rest = n - self.free;
        let full = self.word.unbounded_shl(self.free) | bits >> rest;
        self.flush(full);
        self.word = bits;
        self.free = 64 - rest;
    }

    #[inline(always)]
    fn flush(&mut self, word: u64) {
        if let Some(slot) = self.buffer.get_mut(self.at..self.at + 8) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        self.at += 8;
    }

    /// Go's `binary.PutUvarint`.
    pub(super) fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.put(value, 8);
    }

    /// Go's `binary.PutVarint`.
    pub(super) fn varint(&mut self, value: i64) {
        self.uvarint((value << 1 ^ value >> 63) as u64);
    }

    /// A signed number in Prometheus' bit buckets (`putVarbitInt`).
    #[inline]
    pub(super) fn varbit_int(&mut self, value: i64) {
        let fits = |width: u32| value == 0 || (width > 0 && in_range(value, width));
        self.varbit(fits, |width| low(value, width), value as u64);
    }

    /// An unsigned number in Prometheus' bit buckets (`putVarbitUint`).
    #[inline]
    pub(super) fn varbit_uint(&mut self, value: u64) {
        self.varbit(|width| value >> width == 0, |_| value, value);
    }

    /// Writes as many ones as there are narrower buckets, a zero, and the number's bits in the first
    /// bucket that it fits.
    #[inline(always)]
    fn varbit(&mut self, fits: impl Fn(u32) -> bool, bits: impl Fn(u32) -> u64, whole: u64) {
        for (ones, &width) in VARBIT_WIDTHS[..8].iter().enumerate() {
            if fits(width) {
                // Of `ones` ones and a zero, as a number.
                let prefix = (1u64 << (ones + 1)) - 2;
                let n = ones as u32 + 1 + width;
                return self
                    .put(if width == 0 { prefix } else { prefix << width | bits(width) }, n);
            }
        }
        self.put(0xff, 8);
        self.put(whole, 64);
    }

    /// How many bytes the stream has so far, the one that is not full included.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.at + (64 - self.free).div_ceil(8) as usize
    }

    /// Ends the stream; the last byte is filled up with zeros. Returns the stream's length in bytes.
    pub(super) fn finish(mut self) -> usize {
        let length = self.len();
        let last = self.word.unbounded_shl(self.free).to_be_bytes();
        for byte in last.iter().take(length - self.at) {
            if let Some(slot) = self.buffer.get_mut(self.at) {
                *slot = *byte;
            }
            self.at += 1;
        }
        length
    }
}

/// The range of `n` bits is `-(2^(n-1)-1) ..= 2^(n-1)` (`bitRange`).
#[inline(always)]
pub(super) fn in_range(value: i64, n: u32) -> bool {
    let half = 1i64 << (n - 1);
    -half < value && value <= half
}

#[inline(always)]
pub(super) fn low(value: i64, n: u32) -> u64 {
    value as u64 & ((1 << n) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bits::Bits;
    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(words in prop::collection::vec((any::<u64>(), 1u32..=64), 0..60)) {
            let words: Vec<(u64, u32)> =
                words.into_iter().map(|(bits, n)| (bits >> (64 - n), n)).collect();
            let mut buffer = vec![0xaa; 60 * 8 + 8];
            let mut writer = BitWriter::new(&mut buffer);
            for &(bits, n) in &words {
                writer.put(bits, n);
            }
            let length = writer.finish();
            let total: u32 = words.iter().map(|&(_, n)| n).sum();
            prop_assert_eq!(length, total.div_ceil(8) as usize);
            let mut bits = Bits::new(&buffer[..length]);
            for (expected, n) in words {
                prop_assert_eq!(bits.read(n), expected);
            }
            let padding = bits.left() as u32;
            prop_assert!(padding < 8 && (padding == 0 || bits.read(padding) == 0));
        }

        #[test]
        fn varbits_are_those_of_the_reader(
            numbers in prop::collection::vec((any::<u64>(), 0u32..64), 0..40),
        ) {
            let numbers: Vec<u64> = numbers.into_iter().map(|(bits, n)| bits >> n).collect();
            let mut buffer = vec![0; 40 * 2 * 9 + 8];
            let mut writer = BitWriter::new(&mut buffer);
            for &number in &numbers {
                writer.varbit_uint(number);
                writer.varbit_int((number as i64).wrapping_neg());
            }
            let length = writer.finish();
            let mut bits = Bits::new(&buffer[..length]);
            for &number in &numbers {
                prop_assert_eq!(bits.varbit_uint(), number);
                prop_assert_eq!(bits.varbit_int(), (number as i64).wrapping_neg());
            }
        }

        #[test]
        fn varints_are_those_of_the_reader(unsigned in any::<u64>(), signed in any::<i64>()) {
            let mut buffer = vec![0; 24];
            let mut writer = BitWriter::new(&mut buffer);
            writer.uvarint(unsigned);
            writer.varint(signed);
            let length = writer.finish();
            let mut bits = Bits::new(&buffer[..length]);
            prop_assert_eq!(bits.uvarint().unwrap(), unsigned);
            prop_assert_eq!(bits.varint().unwrap(), signed);
            prop_assert_eq!(bits.left(), 0);
        }
    }
}
