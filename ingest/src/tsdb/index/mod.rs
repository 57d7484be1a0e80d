//! The index of a block (`tsdb/index`): versions 1 and 2.
//!
//! What is read: the table of contents, the symbols, the list of all series (the postings of the
//! empty label), and the series. Label indices and other postings serve queries on the TSDB and are
//! left alone.
//!
//! | | version 1 | version 2 |
//! |---|---|---|
//! | a symbol's reference | its offset in the file | its number |
//! | a series' reference | its offset in the file | its offset / 16 |

mod postings;
mod series;
mod symbols;
mod toc;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use engine::{Error, Result};

use super::files::BlockFiles;
use super::sequential::Sequential;

pub use series::{ChunkMeta, SeriesEntry};
pub use symbols::Symbols;
pub use toc::Toc;

/// The file's name.
pub const INDEX_FILE: &str = "index";

const MAGIC: u32 = 0xBAAA_D700;
const HEADER_LENGTH: u64 = 5;
const TOC_LENGTH: u64 = 52;

/// The version of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Written by Prometheus 2.0 betas and old tools.
    V1,
    /// Written since Prometheus 2.0.
    V2,
}

impl Version {
    /// The file offset of the series with reference `series`.
    pub fn series_offset(self, series: u32) -> u64 {
        match self {
            Self::V1 => u64::from(series),
            Self::V2 => u64::from(series) * 16,
        }
    }
}

/// An index opened: version, sections and symbols.
#[derive(Debug)]
pub struct Index {
    files: Arc<dyn BlockFiles>,
    version: Version,
    toc: Toc,
    size: u64,
    symbols: Symbols,
}

impl Index {
    /// Opens the index of a block: checks header and table of contents, reads the symbols.
    pub fn open(files: Arc<dyn BlockFiles>) -> Result<Self> {
        let context = |e: Error| e.context(format!("{}/{INDEX_FILE}", files.name()));
        let size = files.must_size(INDEX_FILE)?;
        let opened = Self::read_head(files.as_ref(), size).map_err(context)?;
        let (version, toc, symbols) = opened;
        Ok(Self { files, version, toc, size, symbols })
    }

    fn read_head(files: &dyn BlockFiles, size: u64) -> Result<(Version, Toc, Symbols)> {
        if size < HEADER_LENGTH + TOC_LENGTH {
            return Err(Error::corrupt(format!("{size} bytes are too few")));
        }
        let header = files.read(INDEX_FILE, 0..HEADER_LENGTH)?;
        let version = parse_header(&header)?;
        let toc = files.read(INDEX_FILE, size - TOC_LENGTH..size)?;
        let toc =
            Toc::parse(&toc, size - TOC_LENGTH).map_err(|e| e.context("table of contents"))?;
        let symbols = read_section(files, toc.symbols, size)
            .and_then(|section| Symbols::parse(&section, version, toc.symbols + 4))
            .map_err(|e| e.context(format!("symbols at byte {}", toc.symbols)))?;
        Ok((version, toc, symbols))
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The symbols: names and values of labels.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The references of all series, ascending.
    pub fn all_series(&self) -> Result<Vec<u32>> {
        let table = self.toc.postings_table;
        postings::find_all(self.files.as_ref(), table, self.size)
            .map_err(|e| e.context(format!("postings table at byte {table}")))
            .and_then(|at| {
                read_section(self.files.as_ref(), at, self.size)
                    .and_then(|section| postings::parse(&section))
                    .map_err(|e| e.context(format!("list of all series at byte {at}")))
            })
            .map_err(|e| self.context(e))
    }

    /// Reads the series with the given references, which must ascend, and calls `each` with the
    /// number of the reference and the series. Reads go through one bounded buffer.
    pub fn each_series(
        &self,
        series: &[u32],
        mut each: impl FnMut(usize, &SeriesEntry<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(&first) = series.first() else {
            return Ok(());
        };
        let end = self.size - TOC_LENGTH;
        let start = self.version.series_offset(first).min(end);
        let mut reader = Sequential::new(self.files.as_ref(), INDEX_FILE, start..end);
        for (number, &reference) in series.iter().enumerate() {
            let offset = self.version.series_offset(reference);
            let mut read = || -> Result<()> {
                reader.skip_to(offset)?;
                let length = reader.uvarint()?;
                let length = usize::try_from(length)
                    .ok()
                    .and_then(|length| length.checked_add(4))
                    .ok_or_else(|| Error::corrupt(format!("length {length}")))?;
                let entry = checked(reader.take(length)?)?;
                each(number, &SeriesEntry::parse(entry)?)
            };
            read().map_err(|e| self.context(e.context(format!("series at byte {offset}"))))?;
        }
        Ok(())
    }

    fn context(&self, error: Error) -> Error {
        error.context(format!("{}/{INDEX_FILE}", self.files.name()))
    }
}

/// Parses magic number and version.
pub fn parse_header(bytes: &[u8]) -> Result<Version> {
    let mut cursor = super::cursor::Cursor::new(bytes);
    let magic = cursor.be32()?;
    if magic != MAGIC {
        return Err(Error::corrupt(format!("magic number {magic:#010x}, not {MAGIC:#010x}")));
    }
    match cursor.u8()? {
        1 => Ok(Version::V1),
        2 => Ok(Version::V2),
        other => Err(Error::unsupported(format!("index version {other}"))),
    }
}

/// The content of a section that begins with its length in four bytes and ends with a checksum.
fn read_section(files: &dyn BlockFiles, at: u64, size: u64) -> Result<Bytes> {
    let range = |length: u64| -> Result<Range<u64>> {
        let end = at.checked_add(4 + length).filter(|&end| end <= size - TOC_LENGTH);
        let end = end.ok_or_else(|| {
            Error::corrupt(format!("section of {length} bytes, the file has {size}"))
        })?;
        Ok(at + 4..end)
    };
    let length = files.read(INDEX_FILE, range(0)?.start - 4..range(0)?.end)?;
    let length = super::cursor::Cursor::new(&length).be32()?;
    let bytes = files.read(INDEX_FILE, range(u64::from(length) + 4)?)?;
    let content = checked(&bytes)?.len();
    Ok(bytes.slice(..content))
}

/// What is before the checksum at the end of `bytes`, if it matches.
fn checked(bytes: &[u8]) -> Result<&[u8]> {
    let Some((content, crc)) = bytes.split_last_chunk::<4>() else {
        return Err(Error::corrupt("no room for a checksum"));
    };
    if crc32c::crc32c(content) != u32::from_be_bytes(*crc) {
        return Err(Error::corrupt("checksum does not match"));
    }
    Ok(content)
}
