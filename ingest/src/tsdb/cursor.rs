//! A cursor over untrusted bytes: every step is checked, and an error says at which byte.

use engine::{Error, Result};

/// Reads big-endian numbers, varints and slices from the front of `bytes`.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The position from the start.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Error::corrupt(format!(
                "{n} bytes wanted at byte {}, {} are left",
                self.at,
                self.left()
            )));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take returns as many bytes as asked"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn be32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn be64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Go's `binary.Uvarint`: seven bits a byte, least significant first, at most ten bytes.
    pub(crate) fn uvarint(&mut self) -> Result<u64> {
        let start = self.at;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::corrupt(format!("varint at byte {start} is longer than 64 bits")))
    }

    /// Go's `binary.Varint`: zigzag.
    pub(crate) fn varint(&mut self) -> Result<i64> {
        let value = self.uvarint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A length that is held against what is left.
    pub(crate) fn length(&mut self) -> Result<usize> {
        let at = self.at;
        let value = self.uvarint()?;
        match usize::try_from(value) {
            Ok(length) if length <= self.left() => Ok(length),
            _ => Err(Error::corrupt(format!(
                "length {value} at byte {at}, {} bytes are left",
                self.left()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_those_of_go() {
        let mut cursor = Cursor::new(&[0xac, 0x02, 0x01, 0x80, 0x01, 0x7f]);
        assert_eq!(cursor.uvarint().unwrap(), 300);
        assert_eq!(cursor.varint().unwrap(), -1);
        assert_eq!(cursor.varint().unwrap(), 64);
        assert_eq!(cursor.varint().unwrap(), -64);
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Cursor::new(&max).uvarint().unwrap(), u64::MAX);
        assert_eq!(Cursor::new(&max).varint().unwrap(), i64::MIN);
    }

    #[test]
    fn too_long_and_too_short_are_errors() {
        assert!(Cursor::new(&[0xff; 11]).uvarint().is_err());
        assert!(Cursor::new(&[0xff; 3]).uvarint().is_err());
        assert!(Cursor::new(&[1, 2, 3]).be32().is_err());
        let error = Cursor::new(&[9, 1]).length().unwrap_err();
        assert_eq!(error.message(), "length 9 at byte 0, 1 bytes are left");
    }
}
