//! The samples of a running Prometheus as a [`SeriesSource`], by remote read.
//!
//! ```text
//! matchers ── those on external labels are checked here, and go no further
//!    │
//! POST /api/v1/read ──▶ frames of series with their chunks, or of samples from old servers
//!    │
//! external labels laid over each series ──▶ ChunkBuffer ──▶ roster in order, runs
//! ```
//!
//! Laying external labels over changes the order of series, so an answer is buffered, compressed, and
//! accounted; its bytes and series are limited while it arrives. All encodings of Prometheus are
//! decoded, XOR2 too, which native Thanos passes on blindly.

mod frames;
mod request;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use engine::chunk::Encoding;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::{
    ChunkBuffer, EncodedChunk, Extent, Listing, Resolved, ResolvedParts, Select, SelectOptions,
    SeriesSource, kept_parts,
};
use engine::{Error, Result};
use prost::Message as _;
use proto::prometheus::{ChunkedReadResponse, ChunkedSeries};
use reqwest::Response;

use super::peer::Peer;
use super::prometheus::Prometheus;
use frames::{Frames, broken};

/// The content type of an answer in frames.
const STREAMED: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// The content type of an answer of samples.
const SAMPLED: &str = "application/x-protobuf";

/// Most bytes of an answer that are held.
const MAX_BUFFERED: usize = 2 << 30;

/// A Prometheus' samples, under its external labels.
#[derive(Debug, Clone)]
pub struct RemoteRead {
    prometheus: Prometheus,
    peer: Arc<Peer>,
}

/// What is left of matchers when those on external labels have been checked.
enum Checked {
    /// No series can match.
    Nothing,
    /// These are for Prometheus.
    Ask(Vec<Matcher>),
}

impl RemoteRead {
    /// The samples of `prometheus`, whose external labels and times `peer` knows.
    pub fn new(prometheus: Prometheus, peer: Arc<Peer>) -> Self {
        Self { prometheus, peer }
    }

    /// Part of `range` that is served.
    fn served(&self, range: TimeRange) -> TimeRange {
        TimeRange::new(range.min.max(self.peer.range().min), range.max)
    }

    /// The answer to `select` in `range`.
    async fn buffered(
        &self,
        select: &Select,
        range: TimeRange,
        options: &SelectOptions,
    ) -> Result<ChunkBuffer> {
        let external = self.peer.labels();
        let mut buffer = ChunkBuffer::new(options, MAX_BUFFERED);
        if let Checked::Ask(matchers) = check(&select.matchers, &external) {
            if matchers.is_empty() {
                return Err(no_matchers());
            }
            if !range.is_empty() {
                self.read(&matchers, range, &external, &mut buffer).await?;
            }
        }
        Ok(buffer)
    }

    async fn read(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        external: &Labels,
        buffer: &mut ChunkBuffer,
    ) -> Result<()> {
        let body = request::encode(matchers, range)?;
        let response = self.prometheus.post("api/v1/read", request::HEADERS, body).await?;
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut taking = Taking { external, texts: HashSet::new() };
        if content_type.starts_with(STREAMED) {
            stream(response, &mut taking, buffer).await
        } else if content_type.starts_with(SAMPLED) {
            samples::take(response, &mut taking, buffer).await
        } else {
            Err(broken(format!("unknown content type {content_type:?}")))
        }
    }
}

/// Takes an answer in frames.
async fn stream(
    mut response: Response,
    taking: &mut Taking<'_>,
    buffer: &mut ChunkBuffer,
) -> Result<()> {
    let mut frames = Frames::default();
    while let Some(bytes) = response.chunk().await.map_err(|e| broken(e.without_url()))? {
        frames.push(&bytes);
        while let Some(frame) = frames.next()? {
            let message = ChunkedReadResponse::decode(frame).map_err(broken)?;
            for series in message.chunked_series {
                let (labels, chunks) = taking.series(series)?;
                buffer.push(labels, chunks)?;
            }
        }
    }
    frames.end()
}

/// Makes series of messages; equal texts are held once.
struct Taking<'a> {
    external: &'a Labels,
    texts: HashSet<Arc<str>>,
}

impl Taking<'_> {
    fn series(&mut self, series: ChunkedSeries) -> Result<(Labels, Vec<EncodedChunk>)> {
        let labels = self.labels(&series.labels)?;
        let chunks = series.chunks.into_iter().map(|chunk| {
            let byte = u8::try_from(chunk.r#type).unwrap_or_default();
            Ok(EncodedChunk {
                range: TimeRange::new(chunk.min_time_ms, chunk.max_time_ms),
                encoding: Encoding::from_byte(byte).map_err(|e| e.context(&labels))?,
                bytes: chunk.data,
            })
        });
        let chunks = chunks.collect::<Result<Vec<_>>>()?;
        Ok((labels, chunks))
    }

    fn labels(&mut self, labels: &[proto::thanos::Label]) -> Result<Labels> {
        let pairs: Vec<(Arc<str>, Arc<str>)> =
            labels.iter().map(|label| (self.text(&label.name), self.text(&label.value))).collect();
        Ok(Labels::new(pairs).map_err(broken)?.overlay(self.external))
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = Arc::from(text);
        self.texts.insert(Arc::clone(&text));
        text
    }
}

/// Checks the matchers on external labels, which Prometheus does not know in its series.
fn check(matchers: &[Matcher], external: &Labels) -> Checked {
    let mut ask = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match external.get(matcher.name()) {
            "" => ask.push(matcher.clone()),
            value if matcher.matches(value) => {}
            _ => return Checked::Nothing,
        }
    }
    Checked::Ask(ask)
}

/// As Thanos' sidecar refuses a request that names no series.
fn no_matchers() -> Error {
    Error::invalid("no matchers specified (excluding external labels)")
}

/// One more than wanted shows that there are more; 0 is no limit.
fn one_more(limit: usize) -> usize {
    if limit == 0 { 0 } else { limit.saturating_add(1) }
}

#[async_trait]
impl SeriesSource for RemoteRead {
    fn extents(&self) -> Vec<Extent> {
        vec![Extent { labels: self.peer.labels(), range: self.peer.range() }]
    }

    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let range = self.served(select.range);
        let buffer = self.buffered(select, range, options).await?;
        buffer.resolve(&Select { range, ..select.clone() }, options, Vec::new())
    }

    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let range = self.served(select.range);
        let buffer = self.buffered(select, range, options).await?;
        Ok(kept_parts(buffer.series(), range, Vec::new(), Box::new(())))
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        let external = self.peer.labels();
        let range = self.served(range);
        let Checked::Ask(matchers) = check(matchers, &external) else {
            return Ok(Listing::default());
        };
        if matchers.is_empty() {
            return Err(no_matchers());
        }
        if range.is_empty() {
            return Ok(Listing::default());
        }
        // Where labels are taken off, several series may become one.
        let ask = if options.dropped().is_empty() { one_more(limit) } else { 0 };
        let full: Vec<Labels> = if matchers.iter().all(|matcher| matcher.matches("")) {
            // Prometheus' API refuses a selector that accepts no label at all; its remote read does not.
            let mut buffer = ChunkBuffer::new(options, MAX_BUFFERED);
            self.read(&matchers, range, &external, &mut buffer).await?;
            buffer.series().into_iter().map(|one| one.labels).collect()
        } else {
            let own = self.prometheus.series(&matchers, range, ask).await?;
            own.into_iter().map(|own| own.overlay(&external)).collect()
        };
        let full = full.into_iter().map(|labels| labels.filter(|name| options.keeps(name)));
        Ok(Listing::new(full.collect(), limit, Vec::new()))
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let external = self.peer.labels();
        let range = self.served(range);
        let Checked::Ask(matchers) = check(matchers, &external) else {
            return Ok(Listing::default());
        };
        if range.is_empty() {
            return Ok(Listing::default());
        }
        let mut names = self.prometheus.label_names(&matchers, range, 0).await?;
        // No name is no series.
        if !names.is_empty() {
            names.extend(external.iter().map(|label| label.name.to_string()));
        }
        names.retain(|name| options.keeps(name));
        Ok(Listing::new(names, limit, Vec::new()))
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let external = self.peer.labels();
        let range = self.served(range);
        let Checked::Ask(matchers) = check(matchers, &external) else {
            return Ok(Listing::default());
        };
        if range.is_empty() || !options.keeps(name) {
            return Ok(Listing::default());
        }
        let values = match external.get(name) {
            "" => self.prometheus.label_values(name, &matchers, range, one_more(limit)).await?,
            value if matchers.is_empty() => vec![value.to_owned()],
            // The label is on every series; whether there is one, Prometheus knows.
            value => match self.prometheus.series(&matchers, range, 1).await?.is_empty() {
                true => Vec::new(),
                false => vec![value.to_owned()],
            },
        };
        Ok(Listing::new(values, limit, Vec::new()))
    }
}
