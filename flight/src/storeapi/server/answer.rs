//! The stream of an answer.

use std::pin::Pin;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use engine::model::{Aggregates, Labels, Matcher, TimeRange};
use engine::source::{Columns, PartRuns, ResolvedParts, Select, SelectOptions, SeriesSource};
use engine::{Error, ErrorKind};
use futures::{Stream, StreamExt, stream};
use proto::thanos::{Series, SeriesResponse, ShardInfo};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tonic::Status;

use super::chunks::{Chunks, whole_windows};
use super::failure::status;
use super::frames::{Framer, warning};
use super::roster::{Ordered, wire};
use super::shard::Shard;
use super::slices::read;

/// How many samples the first slice has, so that a client soon sees series, and how many a later one
/// has at most: encoded, about 16 MiB.
const SLICE_SAMPLES: std::ops::Range<u64> = 256 << 10..8 << 20;
/// Messages that wait for the client to take them.
const WAITING: usize = 16;
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
    /// The most series; 0 is no limit.
    pub(super) limit: usize,
    pub(super) batch_size: usize,
}

pub(super) type Frames =
    Pin<Box<dyn Stream<Item = Result<SeriesResponse, Status>> + Send + 'static>>;

impl Answer {
    /// Makes the answer on `runtime`, as fast as the client takes it; it ends when the stream is
    /// dropped. `held` is given back at the end.
    pub(super) fn stream(self, runtime: &Handle, held: impl Send + 'static) -> Frames {
        let (sender, receiver) = mpsc::channel(WAITING);
        let task = runtime.spawn(async move {
            let _held = held;
            let gone = sender.clone();
            let made = tokio::select! {
                biased;
                () = gone.closed() => return Ok(()),
                made = self.make(sender) => made,
            };
            match made {
                Ok(()) | Err(Stop::Gone) => Ok(()),
                Err(Stop::Failed(status)) => Err(status),
            }
        });
        // The end of the channel alone says nothing: the task may have failed.
        let frames = stream::unfold(Some((receiver, task)), |state| async {
            let (mut receiver, task) = state?;
            if let Some(frame) = receiver.recv().await {
                return Some((Ok(frame), Some((receiver, task))));
            }
            match task.await {
                Ok(Ok(())) => None,
                Ok(Err(status)) => Some((Err(status), None)),
                Err(error) => Some((Err(Status::internal(format!("series: {error}"))), None)),
            }
        });
        Box::pin(frames)
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
            range: whole_windows(self.range),
            columns: Columns::Values,
            aggregates: Aggregates::default(),
            max_resolution: 0,
        };
        let ResolvedParts { roster, runs, warnings } =
            self.source.resolve_parts(&select, &self.options).await?;
        let mut ordered = Ordered::new(&roster, &self.without, Shard::new(self.shard.clone()));
        let histograms = (ordered.histograms > 0)
            .then(|| format!("native histograms of {} series are left out", ordered.histograms));
        for text in warnings.into_iter().chain(histograms) {
            if !warned.contains(&text) {
                out.warn(text.clone()).await?;
                warned.push(text);
            }
        }
        if let Some(last) = &out.last {
            ordered.behind(last);
        }
        let parts = match runs {
            PartRuns::Parts(parts) => parts,
            PartRuns::Whole(plan) => {
                let context = Arc::clone(&self.context);
                let mut all = read(plan, roster.len(), self.range, context).await?;
                let take = |&(_, at): &(Labels, u32)| std::mem::take(&mut all[at as usize]);
                let chunks: Vec<Chunks> = ordered.series.iter().map(take).collect();
                return Ok(out.slice(&ordered.series, chunks).await?);
            }
        };
        let most = |n: usize| SLICE_SAMPLES.end.min(SLICE_SAMPLES.start << (2 * n.min(8)));
        let cuts = ordered.cut(&roster, most);
        // The next slice is read while the client takes this one.
        let slices = stream::iter(cuts).map(|cut| {
            let series = &ordered.series[cut];
            let (parts, context) = (Arc::clone(&parts), Arc::clone(&self.context));
            async move {
                let mut wanted: Vec<u32> = series.iter().map(|&(_, at)| at).collect();
                wanted.sort_unstable();
                let plan = parts.part(&wanted)?;
                let mut all = read(plan, wanted.len(), self.range, context).await?;
                let take = |(_, at): &(Labels, u32)| match wanted.binary_search(at) {
                    Ok(place) => std::mem::take(&mut all[place]),
                    Err(_) => Chunks::default(),
                };
                let chunks: Vec<Chunks> = series.iter().map(take).collect();
                Ok::<_, Error>((series, chunks))
            }
        });
        let mut slices = std::pin::pin!(slices.buffered(2));
        while let Some(slice) = slices.next().await {
            let (series, chunks) = slice?;
            out.slice(series, chunks).await?;
            if out.left == 0 {
                break;
            }
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
    /// Series, ascending, and the chunks of each; what has equal labels is one.
    async fn slice(&mut self, series: &[(Labels, u32)], chunks: Vec<Chunks>) -> Result<(), Stop> {
        let mut chunks = chunks.into_iter();
        for same in series.chunk_by(|a, b| a.0 == b.0) {
            let mut parts: Vec<Chunks> =
                chunks.by_ref().take(same.len()).filter(|chunks| !chunks.is_empty()).collect();
            let mut wire = match parts.pop() {
                Some(only) if parts.is_empty() => only.wire(),
                Some(last) => {
                    parts.push(last);
                    let mut all: Vec<_> = parts.into_iter().flat_map(Chunks::wire).collect();
                    // Of equal times, the replica that sorts first comes first.
                    all.sort_by_key(|chunk| (chunk.min_time, chunk.max_time));
                    all
                }
                None => continue,
            };
            wire.shrink_to_fit();
            self.series(&same[0].0, wire).await?;
        }
        Ok(())
    }

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
