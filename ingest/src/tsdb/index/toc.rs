//! The table of contents: the last 52 bytes of an index.

use engine::{Error, Result};

use crate::tsdb::cursor::Cursor;

/// Offsets of an index' sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toc {
    /// The symbols.
    pub symbols: u64,
    /// The series.
    pub series: u64,
    /// The label indices (not read).
    pub label_indices: u64,
    /// Their offset table (not read).
    pub label_table: u64,
    /// The postings.
    pub postings: u64,
    /// Their offset table.
    pub postings_table: u64,
}

impl Toc {
    /// Parses a table of contents that begins at byte `at` of its file.
    pub fn parse(bytes: &[u8], at: u64) -> Result<Self> {
        let mut cursor = Cursor::new(super::checked(bytes)?);
        let toc = Self {
            symbols: cursor.be64()?,
            series: cursor.be64()?,
            label_indices: cursor.be64()?,
            label_table: cursor.be64()?,
            postings: cursor.be64()?,
            postings_table: cursor.be64()?,
        };
        for (section, offset) in [
            ("symbols", toc.symbols),
            ("series", toc.series),
            ("postings table", toc.postings_table),
        ] {
            if offset < super::HEADER_LENGTH || offset > at {
                return Err(Error::corrupt(format!("{section} at byte {offset} of {at}")));
            }
        }
        Ok(toc)
    }
}
