//! The messages in the body of a gRPC call: a byte that says whether it is compressed, four bytes of
//! length, the message.

use bytes::{Buf, Bytes, BytesMut};
use tonic::Status;

/// Bytes before a message.
const HEAD: usize = 5;

/// A message as it stands in the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) compressed: bool,
    pub(super) bytes: Bytes,
}

/// Finds messages in the pieces of a body. Holds what arrived of one message, never what a length
/// promises.
#[derive(Debug)]
pub(super) struct Frames {
    held: BytesMut,
    most: usize,
}

impl Frames {
    /// Messages of at most `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { held: BytesMut::new(), most }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Status> {
        let Some(head) = self.held.first_chunk::<HEAD>() else { return Ok(None) };
        let compressed = match head[0] {
            0 => false,
            1 => true,
            other => {
                return Err(Status::internal(format!(
                    "a message's first byte is {other}, not 0 or 1"
                )));
            }
        };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > self.most {
            return Err(Status::resource_exhausted(format!(
                "received message larger than max ({length} vs. {})",
                self.most
            )));
        }
        if self.held.len() < HEAD + length {
            return Ok(None);
        }
        self.held.advance(HEAD);
        Ok(Some(Message { compressed, bytes: self.held.split_to(length).freeze() }))
    }

    /// Whether a message has begun that is not complete.
    pub(super) fn is_inside(&self) -> bool {
        !self.held.is_empty()
    }
}

/// A message with its head. The length of what is passed fits in 32 bits.
pub(super) fn framed(compressed: bool, message: &[u8]) -> Result<Bytes, Status> {
    let length = u32::try_from(message.len())
        .map_err(|_| Status::resource_exhausted("a message of 4 GiB or more cannot be sent"))?;
    let mut framed = Vec::with_capacity(HEAD + message.len());
    framed.push(u8::from(compressed));
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    Ok(Bytes::from(framed))
}
