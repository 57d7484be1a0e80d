//! The digest of a set of samples: equal sets have equal digests, in whatever order and blocks the
//! samples lie.

use std::fmt;

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

impl Digest {
    /// Adds all samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
        self.xor ^= other.xor;
    }
}

impl fmt::Display for Digest {
    /// `<count>:<sum>:<xor>`, the hashes as 32 hexadecimal digits: the text in `meta.json`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}:{:032x}", self.count, self.sum, self.xor)
    }
}
