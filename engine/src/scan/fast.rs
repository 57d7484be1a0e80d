//! Decodes the pages that the block writer makes, without the Parquet crate's per-page set-up: a
//! V1 data page without levels, zstd over PLAIN, BYTE_STREAM_SPLIT or DELTA_BINARY_PACKED. One zstd
//! context serves all pages of a scan. Any other page is left to the Parquet crate.

use std::ops::Range;

use super::pages::Number;
use crate::{Error, Result};

const DATA_PAGE: i64 = 0;
const PLAIN: i64 = 0;
const DELTA_BINARY_PACKED: i64 = 5;
const BYTE_STREAM_SPLIT: i64 = 9;

/// Bytes behind the body that an unpacking read may touch.
const SLACK: usize = 16;

/// A zstd context and a buffer for the next page's body.
pub(super) struct FastDecoder {
    zstd: zstd::bulk::Decompressor<'static>,
    body: Vec<u8>,
}

impl std::fmt::Debug for FastDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FastDecoder").finish_non_exhaustive()
    }
}

impl FastDecoder {
    pub(super) fn new() -> Result<Self> {
        let zstd = zstd::bulk::Decompressor::new()
            .map_err(|e| Error::internal("zstd context").with_source(e))?;
        Ok(Self { zstd, body: Vec::new() })
    }

    /// The `rows` numbers of a zstd page (header and body), unpacked; none if this is a page of another
    /// kind.
    pub(super) fn unpack<N: Number>(
        &mut self,
        page: &[u8],
        rows: usize,
    ) -> Result<Option<Unpacked<N>>> {
        let Some(header) = header(page) else { return Ok(None) };
        if header.page_type != DATA_PAGE || header.values != rows as i64 {
            return Ok(None);
        }
        let wide = rows * size_of::<u64>();
        let most = match header.encoding {
            PLAIN | BYTE_STREAM_SPLIT => wide,
            // Eight bytes a value, and the heads of blocks of at least 8 values.
            DELTA_BINARY_PACKED if N::WHOLE => 4 * wide + 64,
            _ => return Ok(None),
        };
        let Ok(plain) = usize::try_from(header.uncompressed) else { return Ok(None) };
        if plain > most {
            return Ok(None);
        }
        self.body.clear();
        self.body.reserve(plain + SLACK);
        let body = &page[header.length..];
        self.zstd
            .decompress_to_buffer(body, &mut self.body)
            .map_err(|e| Error::corrupt("zstd").with_source(e))?;
        if self.body.len() != plain {
            return Err(Error::corrupt(format!("{} bytes instead of {plain}", self.body.len())));
        }
        let unpacked = match header.encoding {
            PLAIN if plain == wide => Unpacked::Plain(std::mem::take(&mut self.body)),
            BYTE_STREAM_SPLIT if plain == wide => Unpacked::Split(std::mem::take(&mut self.body)),
            DELTA_BINARY_PACKED => match undelta(&mut self.body, rows) {
                Some(numbers) => Unpacked::Numbers(numbers),
                None => return Err(Error::corrupt("DELTA_BINARY_PACKED ends early")),
            },
            _ => return Ok(None),
        };
        Ok(Some(unpacked))
    }
}

/// The numbers of a page, as far as they must be decoded to reach any of them.
#[derive(Debug)]
pub(crate) enum Unpacked<N> {
    /// Eight bytes a number.
    Plain(Vec<u8>),
    /// BYTE_STREAM_SPLIT.
    Split(Vec<u8>),
    Numbers(Vec<N>),
}

impl<N: Number> Unpacked<N> {
    /// Appends those of rows `range`.
    pub(super) fn append(&self, range: Range<usize>, out: &mut Vec<N>) {
        match self {
            Self::Plain(bytes) => {
                let words = bytes.as_chunks::<8>().0[range].iter();
                out.extend(words.map(|&word| N::from_word(u64::from_le_bytes(word))));
            }
            Self::Split(bytes) => unsplit(bytes, range, out),
            Self::Numbers(numbers) => out.extend_from_slice(&numbers[range]),
        }
    }

    /// How many bytes it takes in memory.
    pub(super) fn memory_size(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Split(bytes) => bytes.len(),
            Self::Numbers(numbers) => numbers.len() * size_of::<N>(),
        }
    }
}

/// What of a page's header matters here.
struct Header {
    page_type: i64,
    uncompressed: i64,
    values: i64,
    encoding: i64,
    /// Bytes of the header itself.
    length: usize,
}

/// Parses a page header in Thrift's compact protocol; none if there is anything unusual in it.
fn header(page: &[u8]) -> Option<Header> {
    let mut input = Input { bytes: page, at: 0 };
    let mut header =
        Header { page_type: -1, uncompressed: -1, values: -1, encoding: -1, length: 0 };
    let mut compressed = -1;
    let mut field = 0;
    while let Some(kind) = input.field(&mut field)? {
        match (field, kind) {
            (1, I32) => header.page_type = input.zigzag()?,
            (2, I32) => header.uncompressed = input.zigzag()?,
            (3, I32) => compressed = input.zigzag()?,
            (4, I32) => drop(input.zigzag()?),
            (5, STRUCT) => {
                let mut inner = 0;
                while let Some(kind) = input.field(&mut inner)? {
                    match (inner, kind) {
                        (1, I32) => header.values = input.zigzag()?,
                        (2, I32) => header.encoding = input.zigzag()?,
                        (3 | 4, I32) => drop(input.zigzag()?),
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
    }
    header.length = input.at;
    (usize::try_from(compressed) == Ok(page.len() - input.at)).then_some(header)
}

const I32: u8 = 5;
const STRUCT: u8 = 12;

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The type of the next field, whose number goes to `field`; the inner none is the struct's end.
    fn field(&mut self, field: &mut u8) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        // Only short forms: a step from the field before.
        let step = byte >> 4;
        if step == 0 {
            return None;
        }
        *field = field.checked_add(step)?;
        Some(Some(byte & 0x0f))
    }
}

/// How many numbers are put together at once: their halves stay in the first cache.
const TOGETHER: usize = 256;

/// BYTE_STREAM_SPLIT: byte `k` of number `i` is at `k * rows + i`. Bytes become words of two, these of
/// four, these of eight: three loops that the compiler turns into vector interleavings.
fn unsplit<N: Number>(body: &[u8], range: Range<usize>, numbers: &mut Vec<N>) {
    let mut streams = body.chunks_exact((body.len() / 8).max(1));
    let streams: [&[u8]; 8] = std::array::from_fn(|_| streams.next().unwrap_or_default());
    numbers.reserve(range.len());
    let (mut pairs, mut quads) = ([[0; TOGETHER]; 4], [[0; TOGETHER]; 2]);
    for start in range.clone().step_by(TOGETHER) {
        let count = TOGETHER.min(range.end - start);
        for (pairs, low_high) in pairs.iter_mut().zip(streams.as_chunks::<2>().0) {
            let [low, high] = low_high.map(|stream| &stream[start..start + count]);
            for ((pair, &low), &high) in pairs[..count].iter_mut().zip(low).zip(high) {
                *pair = u16::from(low) | u16::from(high) << 8;
            }
        }
        for (quads, [low, high]) in quads.iter_mut().zip(pairs.as_chunks::<2>().0) {
            for ((quad, &low), &high) in quads[..count].iter_mut().zip(low).zip(high) {
                *quad = u32::from(low) | u32::from(high) << 16;
            }
        }
        let [low, high] = &quads;
        let words = low[..count].iter().zip(high);
        numbers.extend(
            words.map(|(&low, &high)| N::from_word(u64::from(low) | u64::from(high) << 32)),
        );
    }
}

/// DELTA_BINARY_PACKED of 64-bit numbers; none if the body ends too early or contradicts itself.
fn undelta<N: Number>(body: &mut Vec<u8>, rows: usize) -> Option<Vec<N>> {
    let end = body.len();
    body.resize(end + SLACK, 0);
    let mut input = Input { bytes: body, at: 0 };
    let block = usize::try_from(input.varint()?).ok()?;
    let minis = usize::try_from(input.varint()?).ok()?;
    let total = usize::try_from(input.varint()?).ok()?;
    let mut value = input.zigzag()?;
    let mini = block.checked_div(minis)?;
    if total != rows || mini == 0 || !mini.is_multiple_of(32) || mini * minis != block {
        return None;
    }
    let mut numbers = vec![N::from_word(0); rows];
    let mut rest: &mut [N] = match numbers.split_first_mut() {
        Some((first, behind)) => {
            *first = N::from_word(value as u64);
            behind
        }
        None => &mut [],
    };
    while !rest.is_empty() {
        let least = input.zigzag()?;
        let widths = input.at..input.at.checked_add(minis)?;
        if widths.end > end {
            return None;
        }
        input.at = widths.end;
        for width in widths {
            if rest.is_empty() {
                break;
            }
            let bits = u32::from(input.bytes[width]);
            let count = mini.min(rest.len());
            let (out, behind) = std::mem::take(&mut rest).split_at_mut(count);
            rest = behind;
            if bits == 0 {
                for number in out {
                    value = value.wrapping_add(least);
                    *number = N::from_word(value as u64);
                }
                continue;
            }
            // The last miniblock may be cut off after its last value's byte.
            let packed = input.at..input.at + (count * bits as usize).div_ceil(8);
            if bits > 64 || packed.end > end {
                return None;
            }
            let bytes = input.bytes.get(packed.start..packed.end + SLACK)?;
            let mask = u64::MAX >> (64 - bits);
            let bits = bits as usize;
            for (at, number) in out.iter_mut().enumerate() {
                let bit = at * bits;
                let mut delta = first_word(&bytes[bit / 8..]) >> (bit % 8);
                // Up to 56 bits lie inside the eight bytes from the first one on.
                if bits > 56 {
                    let high = u64::from(bytes[bit / 8 + 8]).checked_shl(64 - (bit % 8) as u32);
                    delta |= high.unwrap_or(0);
                }
                value = value.wrapping_add(least).wrapping_add((delta & mask) as i64);
                *number = N::from_word(value as u64);
            }
            input.at = packed.start + mini * bits / 8;
        }
    }
    Some(numbers)
}

/// The first eight bytes of `bytes`, of which there are as many.
#[inline(always)]
fn first_word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |&word| u64::from_le_bytes(word))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::record_batch::RecordBatch;
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, Encoding};
    use parquet::file::properties::WriterProperties;
    use proptest::prelude::*;

    use super::*;

    /// The numbers as one page of a file, DELTA_BINARY_PACKED and compressed.
    fn page_of(numbers: &[i64]) -> Vec<u8> {
        let column: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .set_compression(Compression::ZSTD(Default::default()))
            .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
            .build();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        let metadata = writer.close().unwrap();
        let Some(group) = metadata.row_groups().first() else { return Vec::new() };
        let (start, length) = group.column(0).byte_range();
        file[start as usize..(start + length) as usize].to_vec()
    }

    proptest! {
        /// Whatever the number of rows, and whichever of them are wanted.
        #[test]
        fn streams_of_bytes_become_numbers(
            words in prop::collection::vec(any::<u64>(), 0..900),
            from in any::<prop::sample::Index>(),
            rows in any::<prop::sample::Index>(),
        ) {
            let split: Vec<u8> =
                (0..8).flat_map(|k| words.iter().map(move |word| word.to_le_bytes()[k])).collect();
            let unpacked = Unpacked::<f64>::Split(split);
            prop_assert_eq!(unpacked.memory_size(), words.len() * 8);
            let from = from.index(words.len() + 1);
            let to = from + rows.index(words.len() - from + 1);
            let mut numbers = vec![0.5];
            unpacked.append(from..to, &mut numbers);
            let bits: Vec<u64> = numbers[1..].iter().map(|number| number.to_bits()).collect();
            prop_assert_eq!(&bits, &words[from..to]);
        }

        /// Of differences of any width, as the Parquet crate writes them; a few rows fill a block of
        /// many, and are left to that crate.
        #[test]
        fn packed_deltas_become_numbers(
            steps in prop::collection::vec((any::<i64>(), 0u32..64), 64..300),
        ) {
            let mut last = 0i64;
            let numbers: Vec<i64> = steps
                .into_iter()
                .map(|(step, narrow)| {
                    last = last.wrapping_add(step >> narrow);
                    last
                })
                .collect();
            let (page, rows) = (page_of(&numbers), numbers.len());
            let unpacked = FastDecoder::new().unwrap().unpack::<i64>(&page, rows).unwrap();
            let mut got = Vec::new();
            unpacked.unwrap().append(0..rows, &mut got);
            prop_assert_eq!(got, numbers);
        }

        /// No bytes at all make it panic or run away.
        #[test]
        fn any_bytes_are_survived(
            bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0usize..100,
        ) {
            let mut decoder = FastDecoder::new().unwrap();
            drop(decoder.unpack::<i64>(&bytes, rows));
            drop(undelta::<i64>(&mut bytes.clone(), rows));
            if let Some(header) = header(&bytes) {
                prop_assert!(header.length <= bytes.len());
            }
        }
    }
}
