//! Which values are fetched together.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, stream};

use crate::scan::fast::Unpacked;
use crate::scan::histograms::{FetchedHistograms, HistogramRows, fetch_histograms};
use crate::scan::located::{Located, LocatedBuilder};
use crate::scan::plan::ScanPlan;
use crate::scan::shelf::Shelf;
use crate::scan::wave::{PageBytes, PageUse, Pages, Stretch, WavePages, fetch, shelved};
use crate::source::HISTOGRAM_WEIGHT;
use crate::{Error, Result};

/// A wave is closed when it has this many samples, histograms by their weight.
const WAVE_SAMPLES: usize = 512 * 1024;
/// A run batch has this many histograms at most.
const MOST_HISTOGRAMS: usize = WAVE_SAMPLES / HISTOGRAM_WEIGHT;

/// The pages of what a wave reads.
#[derive(Debug, Clone)]
pub(super) struct ValuePages {
    pub(super) values: Arc<Pages>,
    /// Those of start timestamps, if they are wanted and there are some.
    pub(super) starts: Option<Arc<Pages>>,
}

/// Batches of located runs whose values are fetched together.
pub(super) struct Wave {
    batches: Vec<RecordBatch>,
    uses: Vec<PageUse>,
    shelved: Vec<(u32, Arc<Unpacked<f64>>)>,
    start_uses: Vec<PageUse>,
    histograms: HistogramRows,
}

/// A wave whose pages are there.
pub(super) struct Fetched {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) uses: Vec<PageUse>,
    pub(super) pages: Vec<PageBytes>,
    pub(super) shelved: Vec<(u32, Arc<Unpacked<f64>>)>,
    pub(super) start_uses: Vec<PageUse>,
    pub(super) start_pages: Vec<PageBytes>,
    pub(super) histograms: FetchedHistograms,
}

pub(super) async fn fetch_wave(wave: Result<Wave>, of: ValuePages) -> Result<Fetched> {
    let Wave { batches, uses, shelved, start_uses, histograms } = wave?;
    let histograms = fetch_histograms(&of.values.plan, histograms);
    let starts = async {
        match &of.starts {
            Some(pages) => fetch(pages, &start_uses).await,
            None => Ok(Vec::new()),
        }
    };
    let (pages, start_pages, histograms) =
        futures::try_join!(fetch(&of.values, &uses), starts, histograms)?;
    Ok(Fetched { batches, uses, pages, shelved, start_uses, start_pages, histograms })
}

/// What is gathered for a wave.
struct Gathering {
    /// None after its end.
    input: Option<SendableRecordBatchStream>,
    /// Portions of a batch that are in no wave yet.
    portions: std::vec::IntoIter<RecordBatch>,
    pages: WavePages,
    starts: Option<WavePages>,
    plan: Arc<ScanPlan>,
    shelf: Arc<Shelf<f64>>,
}

/// Gathers the input into waves.
pub(super) fn waves(
    input: SendableRecordBatchStream,
    of: &ValuePages,
    plan: Arc<ScanPlan>,
    shelf: Arc<Shelf<f64>>,
) -> impl Stream<Item = Result<Wave>> + use<> {
    let pages = WavePages::new(Arc::clone(&of.values));
    let starts = of.starts.as_ref().map(|pages| WavePages::new(Arc::clone(pages)));
    let portions = Vec::new().into_iter();
    let gathering = Gathering { input: Some(input), portions, pages, starts, plan, shelf };
    stream::try_unfold(gathering, |mut gathering| async move {
        Ok(gathering.wave().await?.map(|wave| (wave, gathering)))
    })
}

impl Gathering {
    async fn wave(&mut self) -> Result<Option<Wave>> {
        let (mut batches, mut histograms) = (Vec::new(), HistogramRows::default());
        let mut weight = 0;
        while weight < WAVE_SAMPLES {
            let Some(batch) = self.next().await? else { break };
            weight += self.add(&Located::of(&batch)?, &mut histograms)?;
            batches.push(batch);
        }
        let mut uses = self.pages.close();
        let shelved = shelved(&mut uses, &self.shelf);
        let start_uses = self.starts.as_mut().map(WavePages::close).unwrap_or_default();
        let wave = Wave { batches, uses, shelved, start_uses, histograms };
        Ok((!wave.batches.is_empty()).then_some(wave))
    }

    /// The next batch, or the next portion of one.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(portion) = self.portions.next() {
                return Ok(Some(portion));
            }
            let Some(input) = &mut self.input else { return Ok(None) };
            let Some(batch) = input.next().await.transpose().map_err(Error::from)? else {
                self.input = None;
                return Ok(None);
            };
            if !self.plan.has_histograms() {
                return Ok(Some(batch));
            }
            self.portions = portions(batch, &self.plan)?.into_iter();
        }
    }

    /// Adds the rows of a batch to the wave; returns how many samples it has, by their weight.
    fn add(&mut self, runs: &Located<'_>, histograms: &mut HistogramRows) -> Result<usize> {
        let mut weight = runs.ts.len();
        for at in 0..runs.len() {
            let stretch = stretch(runs, at);
            let has_starts = self.plan.files[stretch.file as usize].has_starts();
            if let Some(starts) = self.starts.as_mut().filter(|_| has_starts) {
                starts.add(stretch)?;
            }
            if self.plan.files[stretch.file as usize].histograms {
                histograms.add(stretch);
                weight += stretch.rows as usize * HISTOGRAM_WEIGHT;
            } else if self.plan.reads_values(runs.series[at]) {
                self.pages.add(stretch)?;
            }
        }
        Ok(weight)
    }
}

/// Cuts a batch so that no portion has more than [`MOST_HISTOGRAMS`].
fn portions(batch: RecordBatch, plan: &ScanPlan) -> Result<Vec<RecordBatch>> {
    let runs = Located::of(&batch)?;
    let histograms = |at: usize| match plan.files[runs.file[at] as usize].histograms {
        true => runs.ts(at).len(),
        false => 0,
    };
    if (0..runs.len()).map(histograms).sum::<usize>() <= MOST_HISTOGRAMS {
        return Ok(vec![batch]);
    }
    let (mut portions, mut portion, mut held) = (Vec::new(), LocatedBuilder::default(), 0);
    for at in 0..runs.len() {
        let (length, weighs) = (runs.ts(at).len(), histograms(at) > 0);
        let mut from = 0;
        while from < length {
            let to = if weighs { length.min(from + MOST_HISTOGRAMS - held) } else { length };
            portion.copy(&runs, at, from, to, runs.settle[at]);
            held += if weighs { to - from } else { 0 };
            if held == MOST_HISTOGRAMS {
                portions.extend(portion.finish()?);
                held = 0;
            }
            from = to;
        }
    }
    portions.extend(portion.finish()?);
    Ok(portions)
}

pub(super) fn stretch(runs: &Located<'_>, at: usize) -> Stretch {
    let rows = (runs.offsets[at + 1] - runs.offsets[at]) as u32;
    Stretch { file: runs.file[at], start: runs.row[at] as u64, rows }
}
