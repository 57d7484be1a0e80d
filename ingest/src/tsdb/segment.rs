//! Chunk segments (`tsdb/chunks`): files of up to 512 MiB with one framed chunk after the other.
//!
//! ```text
//! segment   magic 4 | version 1 | padding 3 | chunk*
//! chunk     length uvarint | encoding 1 | data | crc32c of encoding and data 4
//! ```

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use engine::chunk::Encoding;
use engine::{Error, Result};

use super::cursor::Cursor;
use super::files::BlockFiles;
use super::index::ChunkMeta;

const MAGIC: u32 = 0x85BD_40DD;
const HEADER_LENGTH: u64 = 8;

/// Prometheus aims at 1 KiB a chunk; the largest histograms stay far below this.
const LONGEST_CHUNK: usize = 4 << 20;

/// A gap up to this is read over rather than making two reads.
const LARGEST_GAP: u64 = 128 << 10;

/// What a chunk whose end is not known yet is taken to need.
const TYPICAL_CHUNK: u64 = 2 << 10;

/// Where a chunk's data begins in its frame, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    header: usize,
    data: usize,
}

impl Frame {
    /// Parses the front of a frame.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let length = cursor.uvarint()?;
        match usize::try_from(length) {
            Ok(data) if data <= LONGEST_CHUNK => Ok(Self { header: cursor.at(), data }),
            _ => Err(Error::corrupt(format!("chunk of {length} bytes"))),
        }
    }

    /// The whole frame's length.
    pub fn length(&self) -> usize {
        self.header + 1 + self.data + 4
    }

    /// Encoding and data of a whole frame whose checksum matches.
    pub fn open<'a>(&self, bytes: &'a [u8]) -> Result<(Encoding, &'a [u8])> {
        let mut cursor = Cursor::new(bytes);
        cursor.take(self.header)?;
        let content = cursor.take(1 + self.data)?;
        if crc32c::crc32c(content) != cursor.be32()? {
            return Err(Error::corrupt("checksum does not match"));
        }
        Ok((Encoding::from_byte(content[0])?, &content[1..]))
    }
}

/// Parses a segment's header.
pub fn parse_header(bytes: &[u8]) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    let magic = cursor.be32()?;
    if magic != MAGIC {
        return Err(Error::corrupt(format!("magic number {magic:#010x}, not {MAGIC:#010x}")));
    }
    match cursor.u8()? {
        1 => Ok(()),
        other => Err(Error::unsupported(format!("chunk segment version {other}"))),
    }
}

/// The name of segment `number`, counted from 0.
pub fn segment_file(number: u32) -> String {
    format!("chunks/{:06}", u64::from(number) + 1)
}

/// Reads chunks of a block in windows: the chunks of a window are read in the order of the files,
/// neighbours with one read, and stay in memory together until the next window.
#[derive(Debug)]
pub(super) struct ChunkReader<'a> {
    files: &'a dyn BlockFiles,
    segments: HashMap<u32, Segment>,
    /// The data of the window's chunks, one after the other.
    data: Vec<u8>,
    /// A chunk of the window, in the order in which they were asked for.
    chunks: Vec<(Encoding, Range<usize>)>,
}

#[derive(Debug)]
struct Segment {
    name: String,
    size: u64,
}

/// Bytes of one segment that were read together.
#[derive(Debug, Default)]
struct Buffer {
    segment: Option<u32>,
    start: u64,
    bytes: Bytes,
}

impl Buffer {
    /// The bytes from `offset` on, if they begin in this buffer.
    fn from(&self, segment: u32, offset: u64) -> &[u8] {
        if self.segment != Some(segment) {
            return &[];
        }
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.bytes.get(at..)).unwrap_or_default()
    }
}

impl<'a> ChunkReader<'a> {
    pub(super) fn new(files: &'a dyn BlockFiles) -> Self {
        Self { files, segments: HashMap::new(), data: Vec::new(), chunks: Vec::new() }
    }

    /// The chunk that was `number` in the window.
    pub(super) fn chunk(&self, number: usize) -> (Encoding, &[u8]) {
        let (encoding, range) = self.place(number);
        (encoding, &self.data[range])
    }

    /// The data of the window's chunks.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// How the chunk that was `number` is encoded, and where in the data it lies.
    pub(super) fn place(&self, number: usize) -> (Encoding, Range<usize>) {
        self.chunks[number].clone()
    }

    /// Makes `window` the chunks in memory.
    pub(super) fn load(&mut self, window: &[ChunkMeta]) -> Result<()> {
        let mut order: Vec<usize> = (0..window.len()).collect();
        order.sort_unstable_by_key(|&number| window[number].reference);
        self.data.clear();
        self.chunks.clear();
        self.chunks.resize(window.len(), (Encoding::Xor, 0..0));
        let mut buffer = Buffer::default();
        for (at, &number) in order.iter().enumerate() {
            let meta = &window[number];
            let opened = self.open_segment(meta.segment()).and_then(|()| {
                let rest = order[at..].iter().map(|&number| &window[number]);
                self.read_one(meta, rest, &mut buffer)
            });
            self.chunks[number] = opened.map_err(|e| {
                let file = segment_file(meta.segment());
                e.context(format!("{}/{file}: chunk at byte {}", self.files.name(), meta.offset()))
            })?;
        }
        Ok(())
    }

    /// Reads the chunk at `meta`; `rest` are it and the chunks after it, for one read of many.
    fn read_one<'m>(
        &mut self,
        meta: &ChunkMeta,
        rest: impl Iterator<Item = &'m ChunkMeta>,
        buffer: &mut Buffer,
    ) -> Result<(Encoding, Range<usize>)> {
        let segment = &self.segments[&meta.segment()];
        let offset = meta.offset();
        if offset < HEADER_LENGTH || offset >= segment.size {
            return Err(Error::corrupt(format!("the segment has {} bytes", segment.size)));
        }
        let mut whole = Frame::parse(buffer.from(meta.segment(), offset))
            .is_ok_and(|frame| frame.length() <= buffer.from(meta.segment(), offset).len());
        if !whole {
            let end = neighbours_end(meta, rest, self.files.read_ahead() as u64);
            self.read_into(buffer, meta.segment(), offset..end)?;
            let frame = Frame::parse(&buffer.bytes)?;
            if frame.length() as u64 > self.segments[&meta.segment()].size - offset {
                return Err(Error::corrupt(format!(
                    "chunk of {} bytes reaches beyond the segment's end at {}",
                    frame.length(),
                    self.segments[&meta.segment()].size
                )));
            }
            whole = frame.length() <= buffer.bytes.len();
            if !whole {
                let end = offset + frame.length() as u64;
                self.read_into(buffer, meta.segment(), offset..end)?;
            }
        }
        let bytes = buffer.from(meta.segment(), offset);
        let (encoding, data) = Frame::parse(bytes)?.open(bytes)?;
        let start = self.data.len();
        self.data.extend_from_slice(data);
        Ok((encoding, start..self.data.len()))
    }

    fn read_into(&self, buffer: &mut Buffer, segment: u32, range: Range<u64>) -> Result<()> {
        let Segment { name, size } = &self.segments[&segment];
        let range = range.start..range.end.min(*size);
        buffer.start = range.start;
        buffer.segment = Some(segment);
        buffer.bytes = self.files.read(name, range)?;
        Ok(())
    }

    /// Checks a segment's header when it is first met.
    fn open_segment(&mut self, number: u32) -> Result<()> {
        if self.segments.contains_key(&number) {
            return Ok(());
        }
        let name = segment_file(number);
        let size = self.files.must_size(&name)?;
        if size < HEADER_LENGTH {
            return Err(Error::corrupt(format!("segment of {size} bytes")));
        }
        parse_header(&self.files.read(&name, 0..HEADER_LENGTH)?)?;
        self.segments.insert(number, Segment { name, size });
        Ok(())
    }
}

/// Where one read from `first` on should end so that it brings the chunks after it that are near.
fn neighbours_end<'m>(
    first: &ChunkMeta,
    rest: impl Iterator<Item = &'m ChunkMeta>,
    read_ahead: u64,
) -> u64 {
    let mut last = first.reference;
    for meta in rest {
        let near = meta.segment() == first.segment()
            && meta.reference - last <= LARGEST_GAP
            && meta.reference - first.reference <= read_ahead;
        if !near {
            break;
        }
        last = meta.reference;
    }
    (last & 0xffff_ffff) + TYPICAL_CHUNK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::files::memory::MemoryBlock;
    use proptest::prelude::*;

    /// A segment of chunks of the given lengths, and where they are.
    fn segment(lengths: &[usize]) -> (Vec<u8>, Vec<ChunkMeta>) {
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.extend([1, 0, 0, 0]);
        let mut metas = Vec::new();
        for (number, &length) in lengths.iter().enumerate() {
            metas.push(ChunkMeta { reference: bytes.len() as u64, min: 0, max: 0 });
            let mut rest = length;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            let content = [vec![1], vec![number as u8; length]].concat();
            bytes.extend(&content);
            bytes.extend(crc32c::crc32c(&content).to_be_bytes());
        }
        (bytes, metas)
    }

    #[test]
    fn chunks_come_in_the_order_asked_for() {
        let lengths = [5, 0, 3000, 1, 127, 128, 70_000, 9];
        let (bytes, metas) = segment(&lengths);
        let files = MemoryBlock::of([("chunks/000001", bytes.clone()), ("chunks/000002", bytes)]);
        let mut reader = ChunkReader::new(&files);
        let order = [6, 0, 7, 3, 2, 2, 5];
        let mut window: Vec<ChunkMeta> = order.iter().map(|&number| metas[number]).collect();
        window[3].reference |= 1 << 32;
        reader.load(&window).unwrap();
        for (at, &number) in order.iter().enumerate() {
            let (encoding, data) = reader.chunk(at);
            assert_eq!(encoding, Encoding::Xor);
            assert_eq!(data, vec![number as u8; lengths[number]], "chunk {number}");
        }
        reader.load(&[]).unwrap();
    }

    #[test]
    fn references_to_nowhere_are_named() {
        let (bytes, metas) = segment(&[5, 5]);
        let files = MemoryBlock::of([("chunks/000001", bytes.clone())]);
        let read = |reference| {
            let meta = ChunkMeta { reference, ..metas[0] };
            ChunkReader::new(&files).load(&[meta]).unwrap_err().to_string()
        };
        assert_eq!(
            read(1 << 32 | 8),
            "memory/chunks/000002: chunk at byte 8: \
            memory/chunks/000002 does not exist"
        );
        for reference in [0, 7, 9, bytes.len() as u64 - 1, bytes.len() as u64, u32::MAX.into()] {
            assert!(read(reference).starts_with("memory/chunks/000001: chunk at byte"));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(frame) = Frame::parse(&bytes) {
                let _ = frame.open(&bytes);
            }
            let _ = parse_header(&bytes);
        }
    }
}
