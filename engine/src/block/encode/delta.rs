//! DELTA_BINARY_PACKED for i64, as in the Parquet format's `Encodings.md`.

/// Values of a block.
const BLOCK: usize = 128;
/// Values of a miniblock; four make a block.
const MINI: usize = 32;

/// Appends `values` to `out`. Differences wrap, so every i64 is exact.
pub(super) fn encode(values: &[i64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint((BLOCK / MINI) as u64, out);
    varint(values.len() as u64, out);
    let first = values.first().copied().unwrap_or(0);
    varint(zigzag(first), out);
    let mut deltas = [0i64; BLOCK];
    let mut previous = first;
    for block in values.get(1..).unwrap_or(&[]).chunks(BLOCK) {
        let mut min = i64::MAX;
        for (delta, &value) in deltas.iter_mut().zip(block) {
            *delta = value.wrapping_sub(previous);
            previous = value;
            min = min.min(*delta);
        }
        varint(zigzag(min), out);
        let mut packed = [0u64; BLOCK];
        for (slot, &delta) in packed.iter_mut().zip(&deltas[..block.len()]) {
            *slot = delta.wrapping_sub(min) as u64;
        }
        let widths_at = out.len();
        out.extend_from_slice(&[0; BLOCK / MINI]);
        for (mini, values) in packed.chunks_exact(MINI).enumerate() {
            if mini * MINI >= block.len() {
                break;
            }
            let all = values.iter().fold(0, |all, value| all | value);
            let width = 64 - all.leading_zeros();
            out[widths_at + mini] = width as u8;
            pack(values, width, out);
        }
    }
}

/// Packs 32 values of `width` bits each, lowest bit first.
fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mut word: u128 = 0;
    let mut bits = 0;
    for &value in values {
        word |= u128::from(value) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(word as u64).to_le_bytes());
            word >>= 64;
            bits -= 64;
        }
    }
    // 32 values of `width` bits are 4 × width bytes, so what is left is whole bytes.
    out.extend_from_slice(&(word as u64).to_le_bytes()[..bits as usize / 8]);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends an unsigned LEB128 number.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
