//! Reading a file front to back through a bounded buffer, with a running checksum.

use std::ops::Range;

use engine::{Error, Result};

use super::files::BlockFiles;

/// No item of an index (a label, a series) is longer; a length beyond it is damage.
const LONGEST_ITEM: usize = 16 << 20;

/// A reader of one range of a file.
#[derive(Debug)]
pub(crate) struct Sequential<'a> {
    files: &'a dyn BlockFiles,
    file: &'a str,
    buffer: Vec<u8>,
    /// The file offset of `buffer[0]`.
    base: u64,
    at: usize,
    end: u64,
    crc: u32,
    /// From here on in `buffer` bytes are not yet in `crc`.
    crc_from: usize,
}

impl<'a> Sequential<'a> {
    pub(crate) fn new(files: &'a dyn BlockFiles, file: &'a str, range: Range<u64>) -> Self {
        Self {
            files,
            file,
            buffer: Vec::new(),
            base: range.start,
            at: 0,
            end: range.end,
            crc: 0,
            crc_from: 0,
        }
    }

    /// The file offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The next bytes without consuming them: `want`, or fewer if the range ends before.
    pub(crate) fn peek(&mut self, want: usize) -> Result<&[u8]> {
        if self.buffer.len() - self.at < want {
            self.fill(want)?;
        }
        let end = self.buffer.len().min(self.at + want);
        Ok(&self.buffer[self.at..end])
    }

    /// Consumes `n` bytes.
    pub(crate) fn take(&mut self, n: usize) -> Result<&[u8]> {
        if n > LONGEST_ITEM {
            return Err(Error::corrupt(format!("{n} bytes wanted at byte {}", self.offset())));
        }
        if self.peek(n)?.len() < n {
            return Err(Error::corrupt(format!(
                "{n} bytes wanted at byte {}, the section ends at {}",
                self.offset(),
                self.end
            )));
        }
        self.at += n;
        Ok(&self.buffer[self.at - n..self.at])
    }

    /// Consumes a varint.
    pub(crate) fn uvarint(&mut self) -> Result<u64> {
        let offset = self.offset();
        let mut cursor = super::cursor::Cursor::new(self.peek(10)?);
        let value = cursor.uvarint().map_err(|e| e.context(format!("at byte {offset}")))?;
        let used = cursor.at();
        self.at += used;
        Ok(value)
    }

    /// Consumes a varint and as many bytes as it says.
    pub(crate) fn string(&mut self) -> Result<&[u8]> {
        let length = self.uvarint()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Moves to a later offset.
    pub(crate) fn skip_to(&mut self, offset: u64) -> Result<()> {
        match offset.checked_sub(self.offset()) {
            Some(n) if offset <= self.end => {
                let left = (self.buffer.len() - self.at) as u64;
                if n <= left {
                    self.at += n as usize;
                } else {
                    self.buffer.clear();
                    self.base = offset;
                    self.at = 0;
                }
                self.restart_crc();
                Ok(())
            }
            _ => Err(Error::corrupt(format!(
                "offset {offset} lies outside bytes {} to {}",
                self.offset(),
                self.end
            ))),
        }
    }

    /// Begins the checksum at the next byte.
    pub(crate) fn restart_crc(&mut self) {
        self.crc = 0;
        self.crc_from = self.at;
    }

    /// CRC32C of the bytes consumed since [`Self::restart_crc`].
    pub(crate) fn crc(&mut self) -> u32 {
        self.crc = crc32c::crc32c_append(self.crc, &self.buffer[self.crc_from..self.at]);
        self.crc_from = self.at;
        self.crc
    }

    fn fill(&mut self, want: usize) -> Result<()> {
        self.crc();
        self.buffer.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        self.crc_from = 0;
        let from = self.base + self.buffer.len() as u64;
        let wanted = self.base + want.max(self.files.read_ahead()) as u64;
        let to = wanted.min(self.end);
        if from < to {
            let bytes = self.files.read(self.file, from..to)?;
            self.buffer.extend_from_slice(&bytes);
        }
        Ok(())
    }
}
