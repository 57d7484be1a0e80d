//! The symbol table: every label name and value once, sorted.

use std::sync::Arc;

use engine::{Error, Result};

use super::Version;
use crate::tsdb::cursor::Cursor;

/// The symbols of an index.
#[derive(Debug, Clone)]
pub struct Symbols {
    texts: Vec<Arc<str>>,
    /// Version 1: the file offset of each.
    offsets: Vec<u32>,
    version: Version,
}

impl Symbols {
    /// Parses the content of the symbols' section, which begins at byte `at` of its file.
    pub fn parse(section: &[u8], version: Version, at: u64) -> Result<Self> {
        let mut cursor = Cursor::new(section);
        let count = cursor.be32()? as usize;
        // A symbol takes a byte at least.
        if count > cursor.left() {
            return Err(Error::corrupt(format!("{count} symbols in {} bytes", cursor.left())));
        }
        let mut texts: Vec<Arc<str>> = Vec::with_capacity(count);
        let mut offsets = Vec::new();
        for number in 0..count {
            if version == Version::V1 {
                let offset = u32::try_from(at + cursor.at() as u64);
                offsets.push(offset.map_err(|_| Error::corrupt("symbol beyond 4 GiB"))?);
            }
            let length = cursor.length()?;
            let bytes = cursor.take(length)?;
            let text = std::str::from_utf8(bytes)
                .map_err(|e| Error::corrupt(format!("symbol {number}")).with_source(e))?;
            if texts.last().is_some_and(|last| last.as_ref() >= text) {
                return Err(Error::corrupt(format!("symbol {number} is out of order")));
            }
            texts.push(Arc::from(text));
        }
        Ok(Self { texts, offsets, version })
    }

    /// The number of the symbol with reference `reference`.
    pub fn number(&self, reference: u64) -> Result<u32> {
        let found = match self.version {
            Version::V2 => {
                u32::try_from(reference).ok().filter(|&n| (n as usize) < self.texts.len())
            }
            Version::V1 => u32::try_from(reference)
                .ok()
                .and_then(|offset| self.offsets.binary_search(&offset).ok())
                .map(|at| at as u32),
        };
        found.ok_or_else(|| Error::corrupt(format!("no symbol {reference}")))
    }

    /// The text of symbol `number`.
    pub fn text(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }

    /// About how many bytes of memory they take.
    pub fn memory_size(&self) -> usize {
        let texts: usize = self.texts.iter().map(|text| text.len() + 32).sum();
        texts + 4 * self.offsets.len()
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is no symbol.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}
