//! XOR chunks, written in the longest form of their bit stream.

/// The bytes of a chunk; timestamps ascend, at least one sample.
pub(super) fn xor(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut bits = Bits::default();
    let (mut ts, mut delta, mut before) = (0i64, 0i64, 0u64);
    for (at, &(t, value)) in samples.iter().enumerate() {
        match at {
            0 => bits.varint(((t << 1) ^ (t >> 63)) as u64),
            1 => bits.varint((t - ts) as u64),
            _ if t - ts == delta => bits.push(0, 1),
            _ => {
                bits.push(0b1111, 4);
                bits.push((t - ts - delta) as u64, 64);
            }
        }
        let value = value.to_bits();
        match (at, value ^ before) {
            (0, _) => bits.push(value, 64),
            (_, 0) => bits.push(0, 1),
            (_, difference) => {
                // A new window: no leading zeros, 64 significant bits (written as 0).
                bits.push(0b11, 2);
                bits.push(0, 11);
                bits.push(difference, 64);
            }
        }
        delta = if at > 0 { t - ts } else { 0 };
        (ts, before) = (t, value);
    }
    let mut data = (samples.len() as u16).to_be_bytes().to_vec();
    data.extend(bits.0.chunks(8).map(|byte| {
        let set = byte.iter().enumerate().filter(|&(_, &bit)| bit);
        set.map(|(at, _)| 0x80u8 >> at).sum::<u8>()
    }));
    data
}

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn push(&mut self, value: u64, width: u32) {
        self.0.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.push(value, 8);
    }
}
