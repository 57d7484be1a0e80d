//! The list of all series: the postings of the empty label.

use engine::{Error, Result};

use super::INDEX_FILE;
use crate::tsdb::cursor::Cursor;
use crate::tsdb::files::BlockFiles;
use crate::tsdb::sequential::Sequential;

/// Finds, in the postings' offset table at byte `table`, where the list of all series is. The whole
/// table is read, in pieces, because its checksum stands at its end.
pub(super) fn find_all(files: &dyn BlockFiles, table: u64, size: u64) -> Result<u64> {
    let end = size - super::TOC_LENGTH;
    let mut reader = Sequential::new(files, INDEX_FILE, table..end);
    let length = Cursor::new(reader.take(4)?).be32()?;
    let content_end = table + 4 + u64::from(length);
    if content_end + 4 > end {
        return Err(Error::corrupt(format!("table of {length} bytes, the file has {size}")));
    }
    reader.restart_crc();
    let count = Cursor::new(reader.take(4)?).be32()?;
    let mut all = None;
    for _ in 0..count {
        if reader.offset() >= content_end {
            return Err(Error::corrupt(format!("{count} entries in {length} bytes")));
        }
        let keys = reader.uvarint()?;
        if keys != 2 {
            return Err(Error::corrupt(format!("entry of {keys} keys")));
        }
        let empty_name = reader.string()?.is_empty();
        let empty_value = reader.string()?.is_empty();
        let offset = reader.uvarint()?;
        if empty_name && empty_value {
            all = Some(offset);
        }
    }
    if reader.offset() != content_end {
        return Err(Error::corrupt(format!("{count} entries do not fill {length} bytes")));
    }
    let crc = reader.crc();
    if Cursor::new(reader.take(4)?).be32()? != crc {
        return Err(Error::corrupt("checksum does not match"));
    }
    all.ok_or_else(|| Error::corrupt("no list of all series"))
}

/// Parses a postings list: references, strictly ascending.
pub(super) fn parse(section: &[u8]) -> Result<Vec<u32>> {
    let mut cursor = Cursor::new(section);
    let count = cursor.be32()? as usize;
    if count.checked_mul(4) != Some(cursor.left()) {
        return Err(Error::corrupt(format!("{count} series in {} bytes", cursor.left())));
    }
    let (words, _) = cursor.take(count * 4)?.as_chunks::<4>();
    let series: Vec<u32> = words.iter().map(|word| u32::from_be_bytes(*word)).collect();
    if !series.is_sorted_by(|a, b| a < b) {
        return Err(Error::corrupt("series are not in order"));
    }
    Ok(series)
}
