//! Deleted intervals (`tsdb/tombstones`): for a series, the times whose samples are gone.

use std::collections::HashMap;

use engine::block::BlockId;
use engine::model::TimeRange;
use engine::{Error, Result};
use ulid::Ulid;
use xxhash_rust::xxh3::Xxh3;

use super::cursor::Cursor;
use super::files::BlockFiles;

/// The file's name.
pub const TOMBSTONES_FILE: &str = "tombstones";

const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;

/// No tombstones file that this version believes is longer.
const LONGEST: u64 = 256 << 20;

/// The deleted intervals of a block, by the series' reference in the index.
#[derive(Debug, Clone, Default)]
pub struct Tombstones {
    by_series: HashMap<u64, Vec<TimeRange>>,
}

impl Tombstones {
    /// Parses a tombstones file.
    ///
    /// ```text
    /// magic 4 | version 1 | (series ref uvarint, min varint, max varint)* | crc32c 4
    /// ```
    /// The checksum covers what is between version and checksum.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut header = Cursor::new(bytes);
        let magic = header.be32()?;
        if magic != MAGIC {
            return Err(Error::corrupt(format!("magic number {magic:#010x}, not {MAGIC:#010x}")));
        }
        let version = header.u8()?;
        if version != VERSION {
            return Err(Error::unsupported(format!("tombstones version {version}")));
        }
        let Some((stones, crc)) = bytes[header.at()..].split_last_chunk::<4>() else {
            return Err(Error::corrupt(format!("{} bytes have no checksum", bytes.len())));
        };
        if crc32c::crc32c(stones) != u32::from_be_bytes(*crc) {
            return Err(Error::corrupt("checksum does not match"));
        }
        let mut by_series: HashMap<u64, Vec<TimeRange>> = HashMap::new();
        let mut cursor = Cursor::new(stones);
        while cursor.left() > 0 {
            let series = cursor.uvarint()?;
            let interval = TimeRange::new(cursor.varint()?, cursor.varint()?);
            by_series.entry(series).or_default().push(interval);
        }
        for intervals in by_series.values_mut() {
            merge(intervals);
        }
        Ok(Self { by_series })
    }

    /// Reads a block's tombstones; a block without the file has none.
    pub fn read(files: &dyn BlockFiles) -> Result<Self> {
        let Some(size) = files.size(TOMBSTONES_FILE)? else {
            return Ok(Self::default());
        };
        let read = if size > LONGEST {
            Err(Error::corrupt(format!("{size} bytes are too many")))
        } else {
            files.read(TOMBSTONES_FILE, 0..size).and_then(|bytes| Self::parse(&bytes))
        };
        read.map_err(|e| e.context(format!("{}/{TOMBSTONES_FILE}", files.name())))
    }

    /// The deleted intervals of a series, ascending and apart.
    pub fn of(&self, series: u64) -> &[TimeRange] {
        self.by_series.get(&series).map_or(&[], Vec::as_slice)
    }
}

/// An id for the content of a block's tombstones file, `None` if there are no tombstones: converters
/// take it as one of a block's sources.
pub fn fingerprint(files: &dyn BlockFiles) -> Result<Option<BlockId>> {
    let tombstones = Tombstones::read(files)?;
    let mut series: Vec<_> = tombstones.by_series.into_iter().collect();
    if series.is_empty() {
        return Ok(None);
    }
    series.sort_unstable_by_key(|(series, _)| *series);
    let mut hash = Xxh3::new();
    for (series, intervals) in series {
        hash.update(&series.to_le_bytes());
        for interval in intervals {
            hash.update(&interval.min.to_le_bytes());
            hash.update(&interval.max.to_le_bytes());
        }
    }
    Ok(Some(BlockId(Ulid::from_parts(0, hash.digest128()))))
}

/// Sorts intervals, joins those that touch, drops empty ones.
fn merge(intervals: &mut Vec<TimeRange>) {
    intervals.retain(|interval| !interval.is_empty());
    intervals.sort_unstable_by_key(|interval| interval.min);
    intervals.dedup_by(|next, last| {
        let touches = next.min <= last.max.saturating_add(1);
        if touches {
            last.max = last.max.max(next.max);
        }
        touches
    });
}

/// Whether `ts` is in one of `intervals`.
pub fn deleted(intervals: &[TimeRange], ts: i64) -> bool {
    let at = intervals.partition_point(|interval| interval.max < ts);
    intervals.get(at).is_some_and(|interval| interval.contains(ts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(stones: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(stones);
        bytes.extend_from_slice(&crc32c::crc32c(stones).to_be_bytes());
        bytes
    }

    #[test]
    fn intervals_are_merged_by_series() {
        // Series 5: 10..=20, 21..=30, -1..=-1; series 300: all of time up to 0.
        let stones = [
            &[5, 20, 40][..],
            &[5, 42, 60],
            &[5, 1, 1],
            &[0xac, 2],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0],
        ]
        .concat();
        let tombstones = Tombstones::parse(&file(&stones)).unwrap();
        assert_eq!(tombstones.of(5), [TimeRange::new(-1, -1), TimeRange::new(10, 30)]);
        assert_eq!(tombstones.of(300), [TimeRange::new(i64::MIN, 0)]);
        assert!(tombstones.of(6).is_empty());
        let times: Vec<i64> = (-3..33).filter(|&ts| deleted(tombstones.of(5), ts)).collect();
        assert_eq!(times, std::iter::once(-1).chain(10..=30).collect::<Vec<i64>>());
    }

    proptest! {
        #[test]
        fn any_bytes_give_tombstones_or_an_error(stones in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Tombstones::parse(&stones);
            let _ = Tombstones::parse(&file(&stones));
        }

        #[test]
        fn a_flipped_bit_is_an_error(bit in 0usize..96) {
            let mut bytes = file(&[5, 20, 40]);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Tombstones::parse(&bytes).is_err());
        }
    }
}
