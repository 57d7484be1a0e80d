//! Blocks of Prometheus for the benches: an encoder of XOR chunks, and a writer of index and segment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use engine::model::Labels;

use crate::blocks::{BLOCK_MS, label_sets};

/// Samples of a chunk, as a Prometheus head cuts it.
const CHUNK_SAMPLES: usize = 120;
/// Milliseconds between samples.
pub(crate) const STEP_MS: i64 = 15_000;

/// How the values of a series move.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values {
    Constant,
    Counter,
    Gauge,
}

/// A small generator of numbers (xorshift), so that benches repeat.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The samples of two hours of series `number`: one scrape in ten is a few milliseconds late.
fn samples(number: usize, values: Values) -> Vec<(i64, f64)> {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1));
    let mut value = 1_000.0;
    (0..BLOCK_MS / STEP_MS)
        .map(|step| {
            let late = if numbers.below(10) == 0 { numbers.below(5) as i64 } else { 0 };
            match values {
                Values::Constant => {}
                Values::Counter => value += numbers.below(50) as f64,
                Values::Gauge => value = numbers.below(1_000_000) as f64 / 100.0,
            }
            (step * STEP_MS + late, value)
        })
        .collect()
}

/// The XOR chunks of a series.
pub(crate) fn chunks(number: usize, values: Values) -> Vec<(i64, i64, Vec<u8>)> {
    let samples = samples(number, values);
    let encoded = samples.chunks(CHUNK_SAMPLES);
    encoded.map(|samples| (samples[0].0, samples[samples.len() - 1].0, encode(samples))).collect()
}

/// Bits of a chunk, most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, value: u64, count: usize) {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((value >> bit & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
    }
}

fn encode(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut bits = Bits::default();
    let mut varint = Vec::new();
    bits.put(samples.len() as u64, 16);
    put_uvarint(&mut varint, (samples[0].0 << 1) as u64);
    varint.drain(..).for_each(|byte| bits.put(u64::from(byte), 8));
    bits.put(samples[0].1.to_bits(), 64);
    let (mut delta, mut window) = (0, None);
    for (at, pair) in samples.windows(2).enumerate() {
        let next = pair[1].0 - pair[0].0;
        if at == 0 {
            put_uvarint(&mut varint, next as u64);
            varint.drain(..).for_each(|byte| bits.put(u64::from(byte), 8));
        } else {
            match next - delta {
                0 => bits.put(0, 1),
                dod => bits.put(0b10 << 14 | dod as u64 & 0x3fff, 16),
            }
        }
        delta = next;
        put_value(&mut bits, pair[0].1.to_bits() ^ pair[1].1.to_bits(), &mut window);
    }
    bits.bytes
}

fn put_value(bits: &mut Bits, xor: u64, window: &mut Option<(u32, u32)>) {
    if xor == 0 {
        return bits.put(0, 1);
    }
    let (leading, trailing) = (xor.leading_zeros().min(31), xor.trailing_zeros());
    match *window {
        Some((last_leading, last_trailing))
            if leading >= last_leading && trailing >= last_trailing =>
        {
            bits.put(0b10, 2);
            bits.put(xor >> last_trailing, (64 - last_leading - last_trailing) as usize);
        }
        _ => {
            let width = 64 - leading - trailing;
            bits.put(0b11, 2);
            bits.put(u64::from(leading), 5);
            bits.put(u64::from(width & 63), 6);
            bits.put(xor >> trailing, width as usize);
            *window = Some((leading, trailing));
        }
    }
}

fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a block of `series` series into `dir`: half counters, a third gauges, the rest constant.
pub(crate) fn write(dir: &Path, series: usize) {
    let mut sets = label_sets(series);
    sets.sort_unstable();
    let mut segment = vec![0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0];
    let mut all = Vec::new();
    let mut samples = 0;
    for (number, set) in sets.into_iter().enumerate() {
        let kinds = [Values::Counter, Values::Gauge, Values::Counter, Values::Constant];
        let values = [kinds[number % 4], Values::Gauge][usize::from(number % 12 == 0)];
        let mut metas = Vec::new();
        for (min, max, chunk) in chunks(number, values) {
            samples += usize::from(u16::from_be_bytes([chunk[0], chunk[1]]));
            metas.push((segment.len() as u64, min, max));
            put_uvarint(&mut segment, chunk.len() as u64);
            let content = [&[1], chunk.as_slice()].concat();
            segment.extend(&content);
            segment.extend(crc32c(&content).to_be_bytes());
        }
        all.push((set, metas));
    }
    std::fs::create_dir_all(dir.join("chunks")).expect("a folder");
    std::fs::write(dir.join("chunks/000001"), segment).expect("the segment");
    std::fs::write(dir.join("index"), index(&all)).expect("the index");
    let meta = format!(
        "{{\"ulid\": \"01M3X5DZ800000000000000000\", \"minTime\": 0, \"maxTime\": {BLOCK_MS}, \
         \"version\": 1, \"stats\": {{\"numSamples\": {samples}, \"numFloatSamples\": {samples}}}}}"
    );
    std::fs::write(dir.join("meta.json"), meta).expect("meta.json");
}

type Series = (Labels, Vec<(u64, i64, i64)>);

/// An index of version 2 with what the reader needs: symbols, series, the list of all series.
fn index(all: &[Series]) -> Vec<u8> {
    let mut file = vec![0xba, 0xaa, 0xd7, 0x00, 2];
    let texts: BTreeSet<&str> = all
        .iter()
        .flat_map(|(set, _)| set.iter())
        .flat_map(|label| [label.name.as_ref(), label.value.as_ref()])
        .collect();
    let mut content = (texts.len() as u32).to_be_bytes().to_vec();
    for text in &texts {
        put_uvarint(&mut content, text.len() as u64);
        content.extend(text.as_bytes());
    }
    let symbols: BTreeMap<&str, u64> = texts.into_iter().zip(0..).collect();
    let mut toc = vec![section(&mut file, &content), file.len() as u64];
    let mut list = (all.len() as u32).to_be_bytes().to_vec();
    for (set, metas) in all {
        file.resize(file.len().next_multiple_of(16), 0);
        list.extend((file.len() as u32 / 16).to_be_bytes());
        content.clear();
        put_uvarint(&mut content, set.len() as u64);
        for label in set {
            put_uvarint(&mut content, symbols[label.name.as_ref()]);
            put_uvarint(&mut content, symbols[label.value.as_ref()]);
        }
        put_uvarint(&mut content, metas.len() as u64);
        let mut last = None;
        for &(reference, min, max) in metas {
            let (reference_step, min_step) = match last {
                None => (reference, (min << 1) as u64),
                Some((last, end)) => ((reference - last) << 1, (min - end) as u64),
            };
            put_uvarint(&mut content, min_step);
            put_uvarint(&mut content, (max - min) as u64);
            put_uvarint(&mut content, reference_step);
            last = Some((reference, max));
        }
        put_uvarint(&mut file, content.len() as u64);
        file.extend(&content);
        file.extend(crc32c(&content).to_be_bytes());
    }
    toc.extend([file.len() as u64; 3]);
    let mut table = vec![0, 0, 0, 1, 2, 0, 0];
    let at = section(&mut file, &list);
    put_uvarint(&mut table, at);
    toc.push(section(&mut file, &table));
    let content: Vec<u8> = toc.iter().flat_map(|offset| offset.to_be_bytes()).collect();
    file.extend(&content);
    file.extend(crc32c(&content).to_be_bytes());
    file
}

fn section(file: &mut Vec<u8>, content: &[u8]) -> u64 {
    let at = file.len() as u64;
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(content);
    file.extend(crc32c(content).to_be_bytes());
    at
}

/// CRC32C bit by bit: the benches write once.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}
