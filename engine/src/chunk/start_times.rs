//! Start timestamps inside a chunk's stream (`tsdb/chunkenc/st.go`; XOR2 has the same scheme).
//!
//! A header byte says whether the first sample's is known (bit 7) and from which sample on each one
//! carries a delta (bits 0–6, 0 is never). Deltas count from the timestamp of the sample before.

use crate::Result;

use super::bits::Bits;

/// The state of a chunk's start timestamps.
#[derive(Debug, Clone)]
pub(super) struct StartTimes {
    first_known: bool,
    change_on: usize,
    /// The start timestamp of the last sample, 0 where unknown.
    pub(super) start: i64,
    diff: i64,
}

impl StartTimes {
    pub(super) fn new(header: u8) -> Self {
        Self {
            first_known: header & 0x80 != 0,
            change_on: usize::from(header & 0x7f),
            start: 0,
            diff: 0,
        }
    }

    /// Reads what follows sample 0, whose timestamp is `t`.
    #[inline]
    pub(super) fn first(&mut self, bits: &mut Bits<'_>, t: i64) -> Result<i64> {
        if self.first_known {
            self.diff = bits.varint()?;
            self.start = t.wrapping_sub(self.diff);
        }
        Ok(self.start)
    }

    /// Reads what follows sample `n` (1 or more); `before` is the timestamp of the sample before.
    #[inline]
    pub(super) fn next(&mut self, bits: &mut Bits<'_>, n: usize, before: i64) -> i64 {
        if self.change_on != 0 && n >= self.change_on {
            let value = bits.varbit_int();
            self.diff = if n == self.change_on { value } else { self.diff.wrapping_add(value) };
            self.start = before.wrapping_sub(self.diff);
        }
        self.start
    }
}
