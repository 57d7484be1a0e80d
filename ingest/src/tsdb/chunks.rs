//! Chunks of a block as they are kept.

use bytes::Bytes;
use engine::chunk::{Encoding, Floats, XorEncoder};
use engine::model::TimeRange;
use engine::source::EncodedChunk;
use engine::{Error, Result};

use super::block::TsdbBlock;
use super::index::ChunkMeta;
use super::segment::ChunkReader;
use super::tombstones::deleted;

/// Chunks of about this many are in memory together, beside those that were handed on.
const WINDOW_CHUNKS: usize = 16 << 10;

impl TsdbBlock {
    /// Reads the chunks of `rows` that overlap `range`, those of each row by time; each is checked
    /// against its CRC32C, and not decoded. A chunk of which tombstones delete a part is written anew
    /// without it.
    ///
    /// Blocks the thread for reads.
    pub fn encoded(&self, rows: &[u32], range: TimeRange) -> Result<Vec<Vec<EncodedChunk>>> {
        let mut all = vec![Vec::new(); rows.len()];
        let mut reader = ChunkReader::new(self.files.as_ref());
        let mut base = 0;
        for part in self.parts(rows) {
            let lists = self.chunk_lists(part)?;
            let inside = |chunk: &&ChunkMeta| chunk.min <= range.max && range.min <= chunk.max;
            let wanted: Vec<(usize, ChunkMeta)> = (0..part.len())
                .flat_map(|at| lists.of(at).iter().filter(inside).map(move |chunk| (at, *chunk)))
                .collect();
            for window in wanted.chunks(WINDOW_CHUNKS) {
                let metas: Vec<ChunkMeta> = window.iter().map(|(_, meta)| *meta).collect();
                reader.load(&metas)?;
                // One piece of memory for the window, as its chunks are used together.
                let bytes = Bytes::copy_from_slice(reader.data());
                for (number, (at, meta)) in window.iter().enumerate() {
                    let (encoding, place) = reader.place(number);
                    let chunk = EncodedChunk {
                        range: TimeRange::new(meta.min, meta.max),
                        encoding,
                        bytes: bytes.slice(place),
                    };
                    let series = u64::from(self.series[part[*at] as usize]);
                    let intervals = self.tombstones.of(series);
                    let kept = without(chunk, intervals)
                        .map_err(|e| e.context(format!("{}: a chunk", self.name())))?;
                    all[base + at].extend(kept);
                }
            }
            base += part.len();
        }
        Ok(all)
    }
}

/// What of a chunk `intervals` do not delete.
fn without(chunk: EncodedChunk, intervals: &[TimeRange]) -> Result<Option<EncodedChunk>> {
    if !intervals.iter().any(|interval| interval.overlaps(&chunk.range)) {
        return Ok(Some(chunk));
    }
    if intervals.iter().any(|i| i.min <= chunk.range.min && chunk.range.max <= i.max) {
        return Ok(None);
    }
    if !chunk.encoding.is_float() {
        let message = format!("tombstones inside a chunk of {:?}", chunk.encoding);
        return Err(Error::unsupported(message));
    }
    let mut floats = Floats::default();
    floats.decode(chunk.encoding, &chunk.bytes)?;
    floats.retain(0, |ts| !deleted(intervals, ts));
    let (Some(&first), Some(&last)) = (floats.ts().first(), floats.ts().last()) else {
        return Ok(None);
    };
    let mut encoder = XorEncoder::default();
    encoder.encode(floats.ts(), floats.values(), usize::MAX);
    Ok(Some(EncodedChunk {
        range: TimeRange::new(first, last),
        encoding: Encoding::Xor,
        bytes: Bytes::copy_from_slice(encoder.bytes()),
    }))
}
