//! The RLE/bit-packing hybrid of Parquet: dictionary indices and definition levels.

use super::delta::varint;

/// Bits that hold every index below `count`.
pub(super) fn width(count: usize) -> u32 {
    match count {
        0 | 1 => 0,
        n => usize::BITS - (n - 1).leading_zeros(),
    }
}

/// Appends a run of `rows` times `value` of `width` bits.
pub(super) fn run(value: u32, rows: usize, width: u32, out: &mut Vec<u8>) {
    varint((rows as u64) << 1, out);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Appends definition levels of an optional column to `out`, with their length before them, as they
/// stand in a data page of version 1.
pub(super) fn definition_levels(present: impl Iterator<Item = bool>, out: &mut Vec<u8>) {
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut current: Option<(bool, usize)> = None;
    for level in present {
        current = match current {
            Some((value, rows)) if value == level => Some((value, rows + 1)),
            Some((value, rows)) => {
                run(u32::from(value), rows, 1, out);
                Some((level, 1))
            }
            None => Some((level, 1)),
        };
    }
    if let Some((value, rows)) = current {
        run(u32::from(value), rows, 1, out);
    }
    let length = (out.len() - length_at - 4) as u32;
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}
