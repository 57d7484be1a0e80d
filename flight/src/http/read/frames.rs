//! The streamed answer: each frame is its length as a varint, a CRC32C in big endian, and a message with
//! chunks of one series (`storage/remote/chunked.go`, `StreamChunkedReadResponses`).

use std::sync::Arc;
use std::vec::IntoIter;

use bytes::{BufMut, Bytes, BytesMut};
use datafusion::execution::memory_pool::MemoryReservation;
use engine::model::Labels;
use engine::source::EncodedChunk;
use prost::Message;
use proto::prometheus::{Chunk, ChunkedReadResponse, ChunkedSeries};

use super::select::Selected;
use crate::storeapi::server::chunks::Chunks;
use crate::storeapi::server::roster::wire;

/// A frame is ended by the chunk that makes labels and chunks this long
/// (`--storage.remote.read-max-bytes-in-frame`).
const FRAME_BYTES: usize = 1 << 20;

/// The frames of a query's answer, in order.
#[derive(Debug, Default)]
pub(super) struct Frames {
    query: i64,
    series: IntoIter<(Labels, Chunks)>,
    /// Frames of the series in hand.
    ready: IntoIter<Bytes>,
    _memory: Option<Arc<MemoryReservation>>,
}

impl Frames {
    /// The frames of the answer to the query at `index` of the request.
    pub(super) fn new(index: usize, selected: Selected) -> Self {
        let Selected { series, memory } = selected;
        Self {
            query: index as i64,
            series: series.into_iter(),
            ready: IntoIter::default(),
            _memory: Some(memory),
        }
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.next() {
                return Some(frame);
            }
            let (labels, chunks) = self.series.next()?;
            self.ready = framed(self.query, &labels, chunks.encoded(), FRAME_BYTES).into_iter();
        }
    }
}

/// A series in frames of about `most` bytes.
fn framed(
    query_index: i64,
    labels: &Labels,
    chunks: impl Iterator<Item = EncodedChunk>,
    most: usize,
) -> Vec<Bytes> {
    let labels = wire(labels);
    let of_labels: usize = labels.iter().map(Message::encoded_len).sum();
    let mut frames = Vec::new();
    let (mut sent, mut bytes) = (Vec::new(), of_labels);
    let mut chunks = chunks.peekable();
    while let Some(EncodedChunk { range, encoding, bytes: data }) = chunks.next() {
        let chunk = Chunk {
            min_time_ms: range.min,
            max_time_ms: range.max,
            r#type: encoding.byte().into(),
            data,
        };
        bytes += chunk.encoded_len();
        sent.push(chunk);
        if bytes >= most || chunks.peek().is_none() {
            let series =
                ChunkedSeries { labels: labels.clone(), chunks: std::mem::take(&mut sent) };
            frames.push(frame(&ChunkedReadResponse { chunked_series: vec![series], query_index }));
            bytes = of_labels;
        }
    }
    frames
}

fn frame(message: &ChunkedReadResponse) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(message.len() + 16);
    prost::encode_length_delimiter(message.len(), &mut frame).unwrap_or_default();
    frame.put_u32(crc32c::crc32c(&message));
    frame.extend_from_slice(&message);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use engine::chunk::Encoding;
    use engine::model::TimeRange;

    use super::*;

    fn chunk(time: i64, encoding: Encoding) -> EncodedChunk {
        EncodedChunk { range: TimeRange::new(time, time + 1), encoding, bytes: vec![7; 90].into() }
    }

    #[test]
    fn a_frame_is_length_checksum_and_message() {
        let labels = Labels::new([("a", "b")]).unwrap();
        let chunks = [chunk(1, Encoding::Xor), chunk(3, Encoding::FloatHistogram)];
        let frames = framed(2, &labels, chunks.into_iter(), 1 << 20);
        let [frame] = &frames[..] else { panic!("{frames:?}") };
        // The message is longer than 127 bytes and shorter than 16 Ki.
        let length = usize::from(frame[0] & 0x7f) + 128 * usize::from(frame[1]);
        assert_eq!(frame.len(), 2 + 4 + length);
        assert_eq!(frame[2..6], crc32c::crc32c(&frame[6..]).to_be_bytes());
        let message = ChunkedReadResponse::decode(&frame[6..]).unwrap();
        assert_eq!(message.query_index, 2);
        let types: Vec<i32> = message.chunked_series[0].chunks.iter().map(|c| c.r#type).collect();
        assert_eq!(types, [1, 3]);
    }

    #[test]
    fn long_series_go_on_in_the_next_frame() {
        let labels = Labels::new([("a", "b")]).unwrap();
        for (most, lengths) in [(1, vec![1; 5]), (150, vec![2, 2, 1]), (1 << 20, vec![5])] {
            let chunks = (0..5).map(|time| chunk(time, Encoding::Xor));
            let frames = framed(0, &labels, chunks, most);
            let counts = frames.iter().map(|frame| {
                let start = frame.len() - {
                    let mut rest = &frame[..];
                    prost::decode_length_delimiter(&mut rest).unwrap()
                };
                let message = ChunkedReadResponse::decode(&frame[start..]).unwrap();
                assert_eq!(message.chunked_series[0].labels.len(), 1);
                message.chunked_series[0].chunks.len()
            });
            assert_eq!(counts.collect::<Vec<_>>(), lengths, "{most}");
        }
        assert!(framed(0, &labels, std::iter::empty(), 1).is_empty());
    }
}
