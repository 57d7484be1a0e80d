//! XOR2 chunks (`tsdb/chunkenc/xor2.go`): one control prefix for timestamp and value, stale markers
//! outside the XOR chain, optional start timestamps.
//!
//! ```text
//! byte 0     start timestamp header
//! sample 0   varint ts, 64 bits value
//! sample 1   uvarint delta, value
//! sample n   0      same delta, same value
//!            10     same delta; 0 + bits of the last window | 1 + window + bits
//!            110    13 bits of delta of delta, value
//!            1110   20 bits, value
//!            11110  64 bits, value
//!            11111  same delta, stale marker
//! value      0 same | 10 bits of the last window | 110 + window + bits | 111 stale marker
//! ```

use crate::model::STALE_NAN_BITS;
use crate::{Error, Result};

use super::bits::Bits;
use super::start_times::StartTimes;
use super::xor::Window;

/// The value chain: XOR against the last value that was no stale marker.
struct Values {
    base: u64,
    window: Window,
}

impl Values {
    #[inline]
    fn in_window(&mut self, bits: &mut Bits<'_>) -> u64 {
        self.base ^= bits.read(self.window.width) << self.window.trailing;
        self.base
    }

    #[inline]
    fn in_new_window(&mut self, bits: &mut Bits<'_>) -> Result<u64> {
        self.window = Window::from_header(bits.read(11))?;
        Ok(self.in_window(bits))
    }

    /// The value behind a changed delta.
    #[inline]
    fn read(&mut self, bits: &mut Bits<'_>) -> Result<u64> {
        match bits.ones(3) {
            0 => Ok(self.base),
            1 => Ok(self.in_window(bits)),
            2 => self.in_new_window(bits),
            _ => Ok(STALE_NAN_BITS),
        }
    }

    /// The value behind `10`: it differs.
    #[inline]
    fn read_changed(&mut self, bits: &mut Bits<'_>) -> Result<u64> {
        if bits.bit() { self.in_new_window(bits) } else { Ok(self.in_window(bits)) }
    }
}

/// Decodes a chunk's stream (from the start timestamp header on) into `ts`, `values` and `starts`,
/// which have its count's length. Without `starts` the header must be 0.
pub(super) fn decode(
    stream: &[u8],
    ts: &mut [i64],
    values: &mut [f64],
    mut starts: Option<&mut [i64]>,
) -> Result<()> {
    let Some((&header, stream)) = stream.split_first() else {
        return Err(Error::corrupt("XOR2 chunk has no start timestamp header"));
    };
    let count = ts.len();
    if count == 0 {
        return Ok(());
    }
    let mut start_times = StartTimes::new(header);
    let mut bits = Bits::new(stream);
    let mut t = bits.varint()?;
    let first = bits.read(64);
    let base = if first == STALE_NAN_BITS { 0 } else { first };
    let mut chain = Values { base, window: Window::WHOLE };
    ts[0] = t;
    values[0] = f64::from_bits(first);
    let start = start_times.first(&mut bits, t)?;
    if let Some(starts) = starts.as_deref_mut() {
        starts[0] = start;
    }
    let mut delta = 0i64;
    for at in 1..count {
        let before = t;
        let value = if at == 1 {
            delta = bits.uvarint()? as i64;
            chain.read(&mut bits)?
        } else {
            match bits.ones(5) {
                0 => chain.base,
                1 => chain.read_changed(&mut bits)?,
                2 => {
                    delta = delta.wrapping_add(twos_complement(bits.read(13), 13));
                    chain.read(&mut bits)?
                }
                3 => {
                    delta = delta.wrapping_add(twos_complement(bits.read(20), 20));
                    chain.read(&mut bits)?
                }
                4 => {
                    delta = delta.wrapping_add(bits.read(64) as i64);
                    chain.read(&mut bits)?
                }
                _ => STALE_NAN_BITS,
            }
        };
        t = t.wrapping_add(delta);
        ts[at] = t;
        values[at] = f64::from_bits(value);
        if let Some(starts) = starts.as_deref_mut() {
            starts[at] = start_times.next(&mut bits, at, before);
        }
    }
    bits.finish()
}

/// XOR2's deltas are two's complement, unlike XOR's.
#[inline]
fn twos_complement(bits: u64, width: u32) -> i64 {
    ((bits << (64 - width)) as i64) >> (64 - width)
}
