//! A series: its labels, and where its chunks are.

use engine::{Error, Result};

use crate::tsdb::cursor::Cursor;

/// Where a chunk is, and the times of its first and last sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkMeta {
    /// Segment (upper half, counted from 0) and offset in it.
    pub reference: u64,
    /// The first sample's time in ms.
    pub min: i64,
    /// The last sample's time in ms.
    pub max: i64,
}

impl ChunkMeta {
    /// The number of the segment, from 0.
    pub fn segment(&self) -> u32 {
        (self.reference >> 32) as u32
    }

    /// The offset in the segment.
    pub fn offset(&self) -> u64 {
        self.reference & 0xffff_ffff
    }
}

/// The content of a series' entry, not yet taken apart.
#[derive(Debug, Clone)]
pub struct SeriesEntry<'a> {
    labels: Cursor<'a>,
    label_count: usize,
    chunks: Cursor<'a>,
    chunk_count: usize,
}

impl<'a> SeriesEntry<'a> {
    /// Parses the counts of an entry, and finds where its chunks begin.
    pub fn parse(entry: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(entry);
        let label_count = count(&mut cursor, 2, "labels")?;
        let labels = cursor.clone();
        for _ in 0..2 * label_count {
            cursor.uvarint()?;
        }
        let chunk_count = count(&mut cursor, 3, "chunks")?;
        Ok(Self { labels, label_count, chunks: cursor, chunk_count })
    }

    /// Calls `each` with the symbol references of every label's name and value.
    pub fn labels(&self, mut each: impl FnMut(u64, u64) -> Result<()>) -> Result<()> {
        let mut cursor = self.labels.clone();
        for _ in 0..self.label_count {
            each(cursor.uvarint()?, cursor.uvarint()?)?;
        }
        Ok(())
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> usize {
        self.chunk_count
    }

    /// Appends the chunks to `out`. Chunks that overlap in time or go back in time are an error: no
    /// order of their samples would be right without merging them.
    pub fn chunks(&self, out: &mut Vec<ChunkMeta>) -> Result<()> {
        let mut cursor = self.chunks.clone();
        let mut last: Option<ChunkMeta> = None;
        for number in 0..self.chunk_count {
            let meta = match last {
                None => {
                    let min = cursor.varint()?;
                    let max = later(min, cursor.uvarint()?, number)?;
                    ChunkMeta { reference: cursor.uvarint()?, min, max }
                }
                Some(last) => {
                    let gap = cursor.uvarint()?;
                    let min = last.max.wrapping_add_unsigned(gap);
                    if min <= last.max {
                        return Err(Error::corrupt(format!(
                            "chunk {number} begins at {min}, but the chunk before it ends at {}: \
                             chunks overlap or are out of order",
                            last.max
                        )));
                    }
                    let max = later(min, cursor.uvarint()?, number)?;
                    let step = cursor.varint()?;
                    let reference = last.reference.checked_add_signed(step);
                    let reference = reference.ok_or_else(|| {
                        Error::corrupt(format!(
                            "chunk {number} is at {step} from {}",
                            last.reference
                        ))
                    })?;
                    ChunkMeta { reference, min, max }
                }
            };
            out.push(meta);
            last = Some(meta);
        }
        Ok(())
    }
}

fn later(min: i64, length: u64, number: usize) -> Result<i64> {
    min.checked_add_unsigned(length)
        .ok_or_else(|| Error::corrupt(format!("chunk {number} from {min} is {length} ms long")))
}

/// A count of items that take `least` bytes at least.
fn count(cursor: &mut Cursor<'_>, least: usize, what: &str) -> Result<usize> {
    let value = cursor.uvarint()?;
    match usize::try_from(value) {
        Ok(count) if count <= cursor.left() / least => Ok(count),
        _ => Err(Error::corrupt(format!("{value} {what} in {} bytes", cursor.left()))),
    }
}
