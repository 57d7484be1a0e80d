//! The frames of a Series answer: checked one by one, buffered under a budget.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use engine::chunk::Encoding;
use engine::model::{Labels, TimeRange};
use engine::source::{ChunkBuffer, ChunkedSeries, EncodedChunk, SelectOptions};
use engine::{Error, ErrorKind, Result};
use proto::thanos::chunk::Encoding as WireEncoding;
use proto::thanos::series_response::Result as Frame;
use proto::thanos::{AggrChunk, Series, SeriesResponse};
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
            let chunk = encoded(chunk)
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
fn encoded(chunk: AggrChunk) -> Result<EncodedChunk, String> {
    let range = TimeRange::new(chunk.min_time, chunk.max_time);
    let within = |what: &str| format!("a chunk from {} to {}: {what}", range.min, range.max);
    if range.is_empty() {
        return Err(within("it ends before it begins"));
    }
    let Some(raw) = chunk.raw else {
        let parts = [chunk.count, chunk.sum, chunk.min, chunk.max, chunk.counter];
        return Err(within(match parts.iter().any(Option::is_some) {
            true => "it is downsampled, but raw samples were asked for",
            false => "it is empty",
        }));
    };
    let encoding = match WireEncoding::try_from(raw.r#type) {
        Ok(WireEncoding::Xor) => Encoding::Xor,
        Ok(WireEncoding::Histogram) => Encoding::Histogram,
        Ok(WireEncoding::FloatHistogram) => Encoding::FloatHistogram,
        Err(_) => return Err(within(&format!("unknown encoding {}", raw.r#type))),
    };
    if raw.hash != 0 && raw.hash != xxh64(&raw.data, 0) {
        return Err(within("its bytes have another hash than it says"));
    }
    Ok(EncodedChunk { range, encoding, bytes: raw.data })
}
