//! XOR chunks (`tsdb/chunkenc/xor.go`): delta of delta for timestamps, Gorilla XOR for values.
//!
//! ```text
//! sample 0   varint ts, 64 bits value
//! sample 1   uvarint delta, value
//! sample n   0 | 10 + 14 | 110 + 17 | 1110 + 20 | 1111 + 64 bits of delta of delta, value
//! value      0 same | 10 bits of the last window | 11 + 5 leading + 6 width + bits
//! ```

use crate::{Error, Result};

use super::bits::{Bits, signed};

/// The window of significant bits that an XOR stream is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) trailing: u32,
    pub(super) width: u32,
}

impl Window {
    /// Prometheus' iterators begin with no leading and no trailing zeros.
    pub(super) const WHOLE: Self = Self { trailing: 0, width: 64 };

    /// A window from its 11 bits: 5 leading zeros, 6 width (0 is 64).
    #[inline]
    pub(super) fn from_header(header: u64) -> Result<Self> {
        let leading = (header >> 6) as u32;
        let width = match (header & 0x3f) as u32 {
            0 => 64,
            width => width,
        };
        if leading + width > 64 {
            return Err(Error::corrupt(format!(
                "{leading} leading zeros and {width} bits are more than a value has"
            )));
        }
        Ok(Self { trailing: 64 - leading - width, width })
    }
}

/// One value of an XOR stream (`xorRead`): changes `value` (its bits) and `window`.
#[inline]
pub(super) fn read_value(bits: &mut Bits<'_>, value: &mut u64, window: &mut Window) -> Result<()> {
    let word = bits.peek();
    if word >> 63 == 0 {
        bits.at += 1;
        return Ok(());
    }
    if word >> 62 == 0b10 {
        if window.width <= 55 {
            *value ^= (word << 2) >> (64 - window.width) << window.trailing;
            bits.at += 2 + window.width as usize;
            return Ok(());
        }
        bits.at += 2;
    } else {
        *window = Window::from_header((word << 2) >> 53)?;
        bits.at += 13;
    }
    *value ^= bits.read(window.width) << window.trailing;
    Ok(())
}

/// Decodes a chunk's stream (after the count) into `ts` and `values`, which have its count's length.
pub(super) fn decode(stream: &[u8], ts: &mut [i64], values: &mut [f64]) -> Result<()> {
    let count = ts.len();
    let mut bits = Bits::new(stream);
    if count == 0 {
        return Ok(());
    }
    let mut t = bits.varint()?;
    let mut value = bits.read(64);
    ts[0] = t;
    values[0] = f64::from_bits(value);
    if count == 1 {
        return bits.finish();
    }
    let mut delta = bits.uvarint()? as i64;
    let mut window = Window::WHOLE;
    t = t.wrapping_add(delta);
    read_value(&mut bits, &mut value, &mut window)?;
    ts[1] = t;
    values[1] = f64::from_bits(value);

    let mut at = 2;
    while at < count {
        let mut word = bits.peek();
        // Two zeros are a sample that repeats delta and value: constant series are runs of them.
        if word >> 62 == 0 {
            let repeats = (word.leading_zeros().min(56) / 2) as usize;
            let repeats = repeats.min(count - at);
            bits.at += 2 * repeats;
            let same = f64::from_bits(value);
            for (ts, slot) in ts[at..at + repeats].iter_mut().zip(&mut values[at..at + repeats]) {
                t = t.wrapping_add(delta);
                *ts = t;
                *slot = same;
            }
            at += repeats;
            continue;
        }
        let used = if word >> 63 == 0 {
            1
        } else {
            let (used, dod) = match (!word).leading_zeros() {
                1 => (16, signed((word << 2) >> 50, 14)),
                2 => (20, signed((word << 3) >> 47, 17)),
                3 => (24, signed((word << 4) >> 44, 20)),
                _ => {
                    bits.at += 4;
                    let dod = bits.read(64) as i64;
                    word = bits.peek();
                    (0, dod)
                }
            };
            delta = delta.wrapping_add(dod);
            used
        };
        t = t.wrapping_add(delta);
        // Most values end in the same word, so that one load serves the whole sample.
        let rest = word << used;
        if rest >> 63 == 0 {
            bits.at += used + 1;
        } else if rest >> 62 == 0b10 && used + 2 + window.width as usize <= 57 {
            value ^= (rest << 2) >> (64 - window.width) << window.trailing;
            bits.at += used + 2 + window.width as usize;
        } else {
            bits.at += used;
            read_value(&mut bits, &mut value, &mut window)?;
        }
        ts[at] = t;
        values[at] = f64::from_bits(value);
        at += 1;
    }
    bits.finish()
}
