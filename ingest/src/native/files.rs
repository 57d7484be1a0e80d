//! A native block's files with the index in memory.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use engine::{Error, Result};

use crate::tsdb::BlockFiles;
use crate::tsdb::index::INDEX_FILE;

/// A longer index stays in the bucket, and is read from there a range at a time.
const LONGEST_HELD: u64 = 256 << 20;

/// Files of a block whose index is held: queries look into it all the time.
#[derive(Debug)]
pub(super) struct HeldIndex<F> {
    files: F,
    index: Option<Bytes>,
}

impl<F: BlockFiles> HeldIndex<F> {
    /// Reads the index of `files`. Blocks the thread.
    pub(super) fn read(files: F) -> Result<Self> {
        let size = files.must_size(INDEX_FILE)?;
        if size > LONGEST_HELD {
            return Ok(Self { files, index: None });
        }
        let mut index = BytesMut::with_capacity(size as usize);
        while (index.len() as u64) < size {
            let start = index.len() as u64;
            let end = size.min(start + files.read_ahead() as u64);
            index.extend_from_slice(&files.read(INDEX_FILE, start..end)?);
        }
        Ok(Self { files, index: Some(index.freeze()) })
    }

    /// Bytes that are held.
    pub(super) fn memory_size(&self) -> usize {
        self.index.as_ref().map_or(0, Bytes::len)
    }
}

impl<F: BlockFiles> BlockFiles for HeldIndex<F> {
    fn name(&self) -> &str {
        self.files.name()
    }

    fn size(&self, file: &str) -> Result<Option<u64>> {
        self.files.size(file)
    }

    fn read(&self, file: &str, range: Range<u64>) -> Result<Bytes> {
        match &self.index {
            Some(index) if file == INDEX_FILE => {
                let range = range.start as usize..range.end as usize;
                if range.start > range.end || range.end > index.len() {
                    let message = format!("read of bytes {} to {}", range.start, range.end);
                    return Err(Error::internal(message));
                }
                Ok(index.slice(range))
            }
            _ => self.files.read(file, range),
        }
    }

    fn read_ahead(&self) -> usize {
        self.files.read_ahead()
    }
}
