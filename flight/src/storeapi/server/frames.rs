//! Series to messages.

use proto::thanos::series_response::Result as Frame;
use proto::thanos::{AggrChunk, Series, SeriesBatch, SeriesResponse};

/// About how many bytes of chunks a message has at most: a series with more is spread over several.
const FRAME_BYTES: usize = 1 << 20;

/// Puts series into messages: one each, or several where the client asks for batches.
#[derive(Debug)]
pub(super) struct Framer {
    batch_size: usize,
    batch: Vec<Series>,
    bytes: usize,
}

impl Framer {
    /// Messages of at most `batch_size` series; 0 and 1 mean single series.
    pub(super) fn new(batch_size: usize) -> Self {
        Self { batch_size, batch: Vec::new(), bytes: 0 }
    }

    /// Adds a series; the messages that are full now go to `out`.
    pub(super) fn push(&mut self, series: Series, out: &mut Vec<SeriesResponse>) {
        for series in split(series) {
            self.bytes += series.chunks.iter().map(size).sum::<usize>();
            self.batch.push(series);
            if self.batch.len() >= self.batch_size.max(1) || self.bytes >= FRAME_BYTES {
                out.extend(self.flush());
            }
        }
    }

    /// The message in hand, if there is one.
    pub(super) fn flush(&mut self) -> Option<SeriesResponse> {
        self.bytes = 0;
        let mut series = std::mem::take(&mut self.batch);
        let result = if self.batch_size > 1 && !series.is_empty() {
            Frame::Batch(SeriesBatch { series })
        } else {
            Frame::Series(series.pop()?)
        };
        Some(SeriesResponse { result: Some(result) })
    }
}

/// A warning.
pub(super) fn warning(text: String) -> SeriesResponse {
    SeriesResponse { result: Some(Frame::Warning(text)) }
}

fn size(chunk: &AggrChunk) -> usize {
    chunk.raw.as_ref().map_or(0, |raw| raw.data.len())
}

/// The series in pieces that fit in messages.
fn split(series: Series) -> Vec<Series> {
    if series.chunks.iter().map(size).sum::<usize>() < FRAME_BYTES {
        return vec![series];
    }
    let Series { labels, chunks } = series;
    let mut pieces = Vec::new();
    let (mut piece, mut bytes) = (Vec::new(), 0);
    for chunk in chunks {
        bytes += size(&chunk);
        piece.push(chunk);
        if bytes >= FRAME_BYTES {
            pieces.push(Series { labels: labels.clone(), chunks: std::mem::take(&mut piece) });
            bytes = 0;
        }
    }
    if !piece.is_empty() {
        pieces.push(Series { labels, chunks: piece });
    }
    pieces
}
