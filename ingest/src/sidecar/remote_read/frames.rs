//! The framing of a streamed answer (`storage/remote/chunked.go`): length as a varint, CRC32C in big
//! endian, message; no end mark.

use bytes::{Buf as _, Bytes, BytesMut};
use engine::{Error, ErrorKind, Result};

/// Longest frame that is believed: what Prometheus' own client takes (`DefaultChunkedReadLimit`).
pub(super) const MAX_FRAME: usize = 50_000_000;
/// Bytes of a varint of 64 bits.
const MAX_VARINT: usize = 10;

/// Cuts a stream of bytes into frames. It holds what has come of the frame in the making: a length is
/// held against the limit before anything of the frame is kept.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    /// Takes what has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        let Some((length, used)) = varint(&self.buffer)? else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(broken(format!("a frame of {length} bytes, more than {MAX_FRAME}")));
        }
        let head = used + size_of::<u32>();
        if self.buffer.len() < head + length {
            return Ok(None);
        }
        self.buffer.advance(used);
        let crc = self.buffer.get_u32();
        let frame = self.buffer.split_to(length).freeze();
        if crc32c::crc32c(&frame) != crc {
            return Err(broken(format!("the checksum of a frame of {length} bytes is wrong")));
        }
        Ok(Some(frame))
    }

    /// There is no more: what is left must be nothing.
    pub(super) fn end(self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        Err(broken(format!("the answer ends inside a frame, after {} bytes", self.buffer.len())))
    }
}

/// An answer that cannot be used.
pub(super) fn broken(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("remote read: {what}"))
}

/// The varint in front of `bytes` and how long it is; `None` if it is not there as a whole.
fn varint(bytes: &[u8]) -> Result<Option<(u64, usize)>> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= MAX_VARINT {
        return Err(broken("the length of a frame has more than 64 bits"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut frame = vec![message.len() as u8 | 0x80, 0];
        frame.extend(crc32c::crc32c(message).to_be_bytes());
        frame.extend(message);
        frame
    }

    /// Whatever pieces arrive, the same frames come out.
    #[test]
    fn frames_come_out_whole() {
        let stream: Vec<u8> = [frame(b"one"), frame(b""), frame(b"three")].concat();
        for piece in 1..stream.len() {
            let mut frames = Frames::default();
            let mut out = Vec::new();
            for bytes in stream.chunks(piece) {
                frames.push(bytes);
                while let Some(frame) = frames.next().unwrap() {
                    out.push(frame);
                }
            }
            assert_eq!(out, [&b"one"[..], b"", b"three"], "in pieces of {piece}");
            frames.end().unwrap();
        }
    }

    #[test]
    fn lies_are_errors() {
        let error = |bytes: &[u8]| {
            let mut frames = Frames::default();
            frames.push(bytes);
            match frames.next() {
                Ok(Some(_)) => panic!("a frame"),
                Ok(None) => frames.end().unwrap_err().to_string(),
                Err(error) => error.to_string(),
            }
        };
        let mut flipped = frame(b"one");
        *flipped.last_mut().unwrap() ^= 1;
        assert!(error(&flipped).contains("checksum"), "{}", error(&flipped));
        assert!(error(&frame(b"one")[..7]).contains("ends inside a frame, after 7 bytes"));
        // A length of 1 GiB is refused as soon as it is known.
        let long = [0x80, 0x80, 0x80, 0x80, 0x04];
        assert!(error(&long).contains("a frame of 1073741824 bytes"), "{}", error(&long));
        assert!(error(&[0xff; 10]).contains("more than 64 bits"));
    }
}
