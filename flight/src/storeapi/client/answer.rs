//! The frames of a Series answer: checked one by one, buffered under a budget.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::chunk::{AggregateChunks, Encoding};
use engine::model::{Aggregate, Labels, TimeRange};
use engine::source::{ChunkBuffer, ChunkedSeries, EncodedChunk, SelectOptions};
use engine::{Error, ErrorKind, Result};
use proto::thanos::chunk::Encoding as WireEncoding;
use proto::thanos::series_response::Result as Frame;
use proto::thanos::{AggrChunk, Chunk, Series, SeriesResponse};
use tonic::Streaming;
use xxhash_rust::xxh64::xxh64;

use super::budget::{Budget, Lease};
use super::late;
use super::wire::{failure, shortened};

/// Bytes that a frame, a series, a label or a chunk takes beside its text and data.
const OVERHEAD: usize = 64;
/// The most warnings that are kept.
const WARNINGS_MAX: usize = 100;

/// What an endpoint answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// Each series once, sorted by labels.
    pub(super) series: Vec<ChunkedSeries>,
    pub(super) warnings: Vec<String>,
    /// The memory that it takes.
    pub(super) lease: Lease,
}

/// How an answer is received.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    pub(super) address: &'a str,
    /// The longest that a frame may take.
    pub(super) timeout: Duration,
    /// Whether nothing may be missing.
    pub(super) strict: bool,
    /// Whether aggregates of downsampled samples may come.
    pub(super) downsampled: bool,
}

impl Frames<'_> {
    /// Reads the stream to its end.
    pub(super) async fn receive(
        &self,
        mut stream: Streaming<SeriesResponse>,
        options: &SelectOptions,
        budget: &Arc<Budget>,
    ) -> Result<Answer> {
        let mut received = Received {
            frames: self,
            texts: HashSet::new(),
            buffer: ChunkBuffer::new(options, usize::MAX),
            warnings: Vec::new(),
            lease: budget.lease(),
        };
        loop {
            let next = tokio::time::timeout(self.timeout, stream.message()).await;
            let next = next.map_err(|_| late(self.address, self.timeout))?;
            let frame = next.map_err(|status| failure(self.address, &status, self.strict))?;
            let Some(frame) = frame else { break };
            received.frame(frame)?;
        }
        let Received { buffer, warnings, lease, .. } = received;
        options.limits.spend_samples(buffer.samples())?;
        options.limits.spend_bytes(buffer.bytes())?;
        Ok(Answer { series: buffer.series(), warnings, lease })
    }

    /// What the endpoint did wrong.
    fn fault(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: {what}", self.address))
    }
}

/// What has come so far.
struct Received<'a> {
    frames: &'a Frames<'a>,
    /// Label names and values: thousands of series have the same.
    texts: HashSet<Arc<str>>,
    buffer: ChunkBuffer,
    warnings: Vec<String>,
    lease: Lease,
}

impl Received<'_> {
    fn frame(&mut self, frame: SeriesResponse) -> Result<()> {
        self.spend(OVERHEAD)?;
        match frame.result {
            Some(Frame::Series(series)) => self.series(series),
            Some(Frame::Batch(batch)) => {
                batch.series.into_iter().try_for_each(|series| self.series(series))
            }
            Some(Frame::Warning(warning)) => {
                let text = format!("{}: {}", self.frames.address, shortened(&warning));
                if self.frames.strict {
                    return Err(Error::new(ErrorKind::Unavailable, text));
                }
                if self.warnings.len() < WARNINGS_MAX && !self.warnings.contains(&text) {
                    self.spend(text.len())?;
                    self.warnings.push(text);
                }
                Ok(())
            }
            // Hints, and what later versions send.
            Some(Frame::Hints(_)) | None => Ok(()),
        }
    }

    fn series(&mut self, series: Series) -> Result<()> {
        let mut pairs = Vec::with_capacity(series.labels.len());
        for label in series.labels {
            pairs.push((self.text(label.name)?, self.text(label.value)?));
        }
        self.spend(OVERHEAD * (1 + pairs.len()))?;
        let labels = Labels::new(pairs)
            .map_err(|error| self.frames.fault(format!("a series: {}", error.message())))?;
        let mut chunks = Vec::with_capacity(series.chunks.len());
        let mut bytes = 0;
        for chunk in series.chunks {
            let chunk = encoded(chunk, self.frames.downsampled)
                .map_err(|what| self.frames.fault(format!("series {labels}: {what}")))?;
            bytes += chunk.bytes.len() + OVERHEAD;
            chunks.push(chunk);
        }
        self.spend(bytes)?;
        self.buffer.push(labels, chunks).map_err(|error| {
            let message = format!("{}: {}", self.frames.address, error.message());
            let kind = if self.frames.strict { error.kind() } else { ErrorKind::Unavailable };
            Error::new(kind, message)
        })
    }

    /// A text, held once. It is paid for each time: otherwise a stream without end costs nothing.
    fn text(&mut self, text: String) -> Result<Arc<str>> {
        self.spend(text.len())?;
        if let Some(known) = self.texts.get(text.as_str()) {
            return Ok(Arc::clone(known));
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        Ok(text)
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.lease.grow(bytes).map_err(|what| self.frames.fault(what))
    }
}

/// A chunk as it is buffered; the error says what is wrong with it.
fn encoded(chunk: AggrChunk, downsampled: bool) -> Result<EncodedChunk, String> {
    let range = TimeRange::new(chunk.min_time, chunk.max_time);
    let within = |what: &str| format!("a chunk from {} to {}: {what}", range.min, range.max);
    if range.is_empty() {
        return Err(within("it ends before it begins"));
    }
    if let Some(raw) = chunk.raw {
        let (encoding, bytes) = data(raw).map_err(|what| within(&what))?;
        return Ok(EncodedChunk { range, encoding, bytes });
    }
    let parts = [
        (Aggregate::Count, chunk.count),
        (Aggregate::Sum, chunk.sum),
        (Aggregate::Min, chunk.min),
        (Aggregate::Max, chunk.max),
        (Aggregate::Counter, chunk.counter),
    ];
    if parts.iter().all(|(_, part)| part.is_none()) {
        return Err(within("it is empty"));
    }
    if !downsampled {
        return Err(within("it is downsampled, but raw samples were asked for"));
    }
    let mut chunks = AggregateChunks::default();
    for (aggregate, part) in parts {
        let Some(part) = part else { continue };
        let (encoding, bytes) =
            data(part).map_err(|what| within(&format!("{aggregate:?}: {what}")))?;
        chunks.set(aggregate, encoding, bytes);
    }
    Ok(EncodedChunk { range, encoding: Encoding::Aggregates, bytes: chunks.encode() })
}

/// The encoding and the bytes of a chunk on the wire, whose hash is checked.
fn data(chunk: Chunk) -> Result<(Encoding, Bytes), String> {
    let encoding = match WireEncoding::try_from(chunk.r#type) {
        Ok(WireEncoding::Xor) => Encoding::Xor,
        Ok(WireEncoding::Histogram) => Encoding::Histogram,
        Ok(WireEncoding::FloatHistogram) => Encoding::FloatHistogram,
        Err(_) => return Err(format!("unknown encoding {}", chunk.r#type)),
    };
    if chunk.hash != 0 && chunk.hash != xxh64(&chunk.data, 0) {
        return Err("its bytes have another hash than it says".to_owned());
    }
    Ok((encoding, chunk.data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: i32, hash: u64) -> Option<Chunk> {
        Some(Chunk { r#type: kind, data: Bytes::from_static(b"data"), hash })
    }

    /// Each aggregate in its place; one with wrong bytes is named.
    #[test]
    fn aggregates_are_kept_together() {
        let right = xxh64(b"data", 0);
        let chunk = AggrChunk {
            max_time: 9,
            count: part(0, right),
            counter: part(2, 0),
            ..AggrChunk::default()
        };
        let kept = encoded(chunk.clone(), true).unwrap();
        assert_eq!((kept.encoding, kept.range), (Encoding::Aggregates, TimeRange::new(0, 9)));
        let parts = AggregateChunks::parse(&kept.bytes).unwrap();
        let kinds = Aggregate::ALL.map(|aggregate| parts.get(aggregate).map(|(kind, _)| kind));
        let (count, counter) = (Some(Encoding::Xor), Some(Encoding::FloatHistogram));
        assert_eq!(kinds, [count, None, None, None, counter]);
        let error = encoded(chunk.clone(), false).unwrap_err();
        assert!(error.contains("it is downsampled"), "{error}");
        let wrong = AggrChunk { counter: part(0, right + 1), ..chunk.clone() };
        let error = encoded(wrong, true).unwrap_err();
        assert!(error.contains("Counter: its bytes have another hash"), "{error}");
        let unknown = AggrChunk { sum: part(7, 0), ..chunk };
        let error = encoded(unknown, true).unwrap_err();
        assert_eq!(error, "a chunk from 0 to 9: Sum: unknown encoding 7");
        let empty = AggrChunk { max_time: 9, ..AggrChunk::default() };
        assert_eq!(encoded(empty, true).unwrap_err(), "a chunk from 0 to 9: it is empty");
    }
}
