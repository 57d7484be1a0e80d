//! The stream of an answer.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use engine::model::{Aggregates, Labels, Matcher, TimeRange};
use engine::source::{Columns, ResolvedParts, Select, SelectOptions, SeriesSource};
use engine::{Error, ErrorKind};
use futures::future::try_join_all;
use futures::{StreamExt, stream};
use proto::thanos::{Series, SeriesResponse, ShardInfo};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;

use super::failure::status;
use super::frames::{Framer, warning};
use super::relay;
use super::roster::{Member, Ordered, wire};
use super::shard::Shard;
use super::slices::{Reader, SeriesChunks, read};
use crate::grpc::produced::{Messages, produced};

/// How many samples the first slice has, so that a client soon sees series, and how many a later one
/// has at most: encoded, about 16 MiB.
const SLICE_SAMPLES: std::ops::Range<u64> = 256 << 10..8 << 20;
/// Messages that wait for the client to take them.
const WAITING: usize = 16;
/// The most warnings of an answer.
const WARNINGS: usize = 100;
/// How often an answer goes on without a block that was found damaged.
const DAMAGED_BLOCKS: usize = 16;

/// An answer that is being made.
pub(super) struct Answer {
    pub(super) source: Arc<dyn SeriesSource>,
    pub(super) context: Arc<TaskContext>,
    pub(super) matchers: Vec<Matcher>,
    pub(super) range: TimeRange,
    pub(super) options: SelectOptions,
    /// Labels that are left out.
    pub(super) without: Vec<String>,
    pub(super) shard: Option<ShardInfo>,
    pub(super) skip_chunks: bool,
    /// Which aggregates of downsampled series are wanted.
    pub(super) aggregates: Aggregates,
    /// The coarsest resolution that may answer, in ms.
    pub(super) max_resolution: i64,
    /// The most series; 0 is no limit.
    pub(super) limit: usize,
    pub(super) batch_size: usize,
}

pub(super) type Frames = Messages<SeriesResponse>;

impl Answer {
    /// Makes the answer on `runtime`, as fast as the client takes it; it ends when the stream is
    /// dropped. `held` is given back at the end.
    pub(super) fn stream(self, runtime: &Handle, held: impl Send + 'static) -> Frames {
        produced(runtime, WAITING, |sender| async move {
            let _held = held;
            match self.make(sender).await {
                Ok(()) | Err(Stop::Gone) => Ok(()),
                Err(Stop::Failed(status)) => Err(status),
            }
        })
    }

    async fn make(&self, sender: mpsc::Sender<SeriesResponse>) -> Result<(), Stop> {
        let mut out =
            Out { sender, framer: Framer::new(self.batch_size), left: self.limit, last: None };
        if out.left == 0 {
            out.left = usize::MAX;
        }
        if self.skip_chunks {
            self.labels(&mut out).await?;
        } else {
            self.samples(&mut out).await?;
        }
        out.flush().await
    }

    /// Series without samples.
    async fn labels(&self, out: &mut Out) -> Result<(), Stop> {
        let options = SelectOptions {
            dedup: true,
            replica_labels: self.without.clone(),
            ..self.options.clone()
        };
        let listed = self.source.series(&self.matchers, self.range, &options, 0).await;
        let listed = listed.map_err(|error| self.failed(&error))?;
        for text in listed.warnings {
            out.warn(text).await?;
        }
        let mut shard = Shard::new(self.shard.clone());
        for labels in &listed.items {
            if shard.as_mut().is_none_or(|shard| shard.has(labels)) {
                out.series(labels, Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// Series with samples. A block that turns out damaged is left out of what follows, with a
    /// warning, unless the client wants all or nothing.
    async fn samples(&self, out: &mut Out) -> Result<(), Stop> {
        let mut warned = Vec::new();
        for attempt in 0.. {
            match self.slices(out, &mut warned).await {
                Err(SliceError::Read(error)) => {
                    let goes_on = error.kind() == ErrorKind::Corrupt
                        && self.options.partial_response
                        && attempt < DAMAGED_BLOCKS;
                    if !goes_on {
                        return Err(self.failed(&error));
                    }
                    // Resolved anew, the source leaves the block out and names it.
                    tracing::warn!(err = %error, "the answer goes on without what is damaged");
                }
                Err(SliceError::Stop(stop)) => return Err(stop),
                Ok(()) => break,
            }
        }
        Ok(())
    }

    async fn slices(&self, out: &mut Out, warned: &mut Vec<String>) -> Result<(), SliceError> {
        let select = Select {
            matchers: self.matchers.clone(),
            range: self.range,
            columns: Columns::Samples,
            aggregates: self.aggregates,
            max_resolution: self.max_resolution,
        };
        let ResolvedParts { sources, warnings } =
            self.source.resolve_parts(&select, &self.options).await?;
        let mut ordered = Ordered::new(&sources, &self.without, Shard::new(self.shard.clone()));
        if ordered.series.len() > self.options.series_limit {
            let message = format!("more than {} series are selected", self.options.series_limit);
            return Err(Error::new(ErrorKind::ResourcesExhausted, message).into());
        }
        for text in warnings {
            self.warn(out, warned, text).await?;
        }
        if let Some(last) = &out.last {
            ordered.behind(last);
        }
        let readers = sources.iter().map(|source| Reader::new(source, self.range, &self.context));
        let readers = try_join_all(readers).await?;
        let most = |n: usize| SLICE_SAMPLES.end.min(SLICE_SAMPLES.start << (2 * n.min(8)));
        // The next slice is read while the client takes this one.
        let slices = stream::iter(ordered.cut(&sources, most)).map(|cut| {
            let (series, readers) = (&ordered.series[cut], &readers);
            async move {
                Ok::<_, Error>((series, read(readers, series, self.range, &self.context).await?))
            }
        });
        let mut slices = std::pin::pin!(slices.buffered(2));
        while let Some(slice) = slices.next().await {
            let (series, chunks) = slice?;
            self.slice(out, warned, series, chunks).await?;
            if out.left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Series, ascending, and the chunks of each; what has equal labels is one.
    async fn slice(
        &self,
        out: &mut Out,
        warned: &mut Vec<String>,
        series: &[Member],
        chunks: Vec<SeriesChunks>,
    ) -> Result<(), SliceError> {
        let mut chunks = chunks.into_iter();
        for same in series.chunk_by(|a, b| a.labels == b.labels) {
            let mut wire = Vec::new();
            for chunks in chunks.by_ref().take(same.len()) {
                match chunks {
                    SeriesChunks::Written(written) => wire.append(&mut written.wire()),
                    SeriesChunks::Kept(kept) => {
                        let (mut sent, failed) = relay::wire(&kept, self.aggregates);
                        wire.append(&mut sent);
                        if let Some(error) = failed {
                            let error = error.context(format!("series {}", same[0].labels));
                            if !self.options.partial_response {
                                return Err(error.into());
                            }
                            self.warn(out, warned, error.to_string()).await?;
                        }
                    }
                }
            }
            if wire.is_empty() {
                continue;
            }
            if same.len() > 1 {
                // Of equal times, the replica that sorts first comes first; a copy comes once.
                wire.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
                wire.dedup();
            }
            wire.shrink_to_fit();
            out.series(&same[0].labels, wire).await?;
        }
        Ok(())
    }

    /// Sends each warning once, and a few of them: a source may have one for each series.
    async fn warn(
        &self,
        out: &mut Out,
        warned: &mut Vec<String>,
        text: String,
    ) -> Result<(), Stop> {
        if warned.len() < WARNINGS && !warned.contains(&text) {
            out.warn(text.clone()).await?;
            warned.push(text);
        }
        Ok(())
    }

    fn failed(&self, error: &Error) -> Stop {
        Stop::Failed(status(error, !self.options.partial_response))
    }
}

/// Why no further message is made.
enum Stop {
    /// The client went away.
    Gone,
    Failed(Status),
}

enum SliceError {
    Read(Error),
    Stop(Stop),
}

impl From<Error> for SliceError {
    fn from(error: Error) -> Self {
        Self::Read(error)
    }
}

impl From<Stop> for SliceError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// Where messages go.
struct Out {
    sender: mpsc::Sender<SeriesResponse>,
    framer: Framer,
    /// How many more series the client wants.
    left: usize,
    /// The labels that were answered last.
    last: Option<Labels>,
}

impl Out {
    async fn series(
        &mut self,
        labels: &Labels,
        chunks: Vec<proto::thanos::AggrChunk>,
    ) -> Result<(), Stop> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        let mut full = Vec::new();
        self.framer.push(Series { labels: wire(labels), chunks }, &mut full);
        for frame in full {
            self.send(frame).await?;
        }
        self.last = Some(labels.clone());
        Ok(())
    }

    /// A batch does not wait behind a warning.
    async fn warn(&mut self, text: String) -> Result<(), Stop> {
        self.flush().await?;
        self.send(warning(text)).await
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        match self.framer.flush() {
            Some(frame) => self.send(frame).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, frame: SeriesResponse) -> Result<(), Stop> {
        self.sender.send(frame).await.map_err(|_| Stop::Gone)
    }
}
