//! Reads row runs as located runs: their timestamps, and where stale markers are if that is asked.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;

use super::decode::Decoder;
use super::located::{LocatedBuilder, Place};
use super::picked::PickedRun;
use super::plan::{Piece, ScanPlan};
use super::shelf::Shelf;
use super::wave::{Column, PageBytes, PageUse, Pages, Stretch, WavePages, fetch};
use crate::Result;
use crate::block::Run;
use crate::dedup::SETTLED;
use crate::model::is_stale;

/// A row run to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    pub(crate) place: Place,
    stretch: Stretch,
    /// Whether stale markers are looked for.
    stale: bool,
}

impl Read {
    /// A run of a piece of `series`.
    pub(crate) fn new(plan: &ScanPlan, series: u32, piece: Piece, run: &Run) -> Self {
        Self {
            place: Place {
                series,
                replica: piece.replica,
                file: piece.file,
                row: run.start_row as i64,
                settle: SETTLED,
            },
            stretch: Stretch { file: piece.file, start: run.start_row, rows: run.rows },
            stale: plan.marks_stale() && plan.may_be_stale(piece),
        }
    }

    /// A run that was chosen before.
    pub(crate) fn picked(run: PickedRun) -> Self {
        let PickedRun { series, stretch } = run;
        let Stretch { file, start, .. } = stretch;
        let row = start as i64;
        let place = Place { series, replica: 0, file, row, settle: SETTLED };
        Self { place, stretch, stale: false }
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.stretch.rows as usize
    }
}

/// The pages of the columns that are read.
#[derive(Debug, Clone)]
pub(crate) struct RunPages {
    ts: Arc<Pages>,
    values: Arc<Pages>,
    shelf: Arc<Shelf<f64>>,
}

impl RunPages {
    /// The pages of `plan`; what is done to them is counted in `metrics`.
    pub(crate) fn new(
        plan: &Arc<ScanPlan>,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Self {
        let pages = |column| Arc::new(Pages::new(Arc::clone(plan), column, metrics, partition));
        let shelf = Arc::clone(plan.shelf(partition));
        Self { ts: pages(Column::Ts), values: pages(Column::Values), shelf }
    }
}

/// Collects the pages that runs need, wave after wave.
#[derive(Debug)]
pub(crate) struct RunWaves {
    ts: WavePages,
    values: WavePages,
}

impl RunWaves {
    pub(crate) fn new(pages: &RunPages) -> Self {
        let of = |pages: &Arc<Pages>| WavePages::new(Arc::clone(pages));
        Self { ts: of(&pages.ts), values: of(&pages.values) }
    }

    /// Adds the pages of a run to the wave.
    pub(crate) fn add(&mut self, read: &Read) -> Result<()> {
        self.ts.add(read.stretch)?;
        if read.stale {
            self.values.add(read.stretch)?;
        }
        Ok(())
    }

    /// The bytes that the wave has to fetch so far.
    pub(crate) fn fetch_bytes(&self) -> u64 {
        self.ts.fetch_bytes() + self.values.fetch_bytes()
    }

    /// The wave; the next one begins.
    pub(crate) fn close(&mut self) -> RunWave {
        RunWave { ts: self.ts.close(), values: self.values.close() }
    }
}

/// The pages of a wave.
#[derive(Debug)]
pub(crate) struct RunWave {
    ts: Vec<PageUse>,
    values: Vec<PageUse>,
}

impl RunWave {
    /// Fetches those that are not there yet.
    pub(crate) async fn fetch(self, pages: RunPages) -> Result<FetchedRuns> {
        let ts = fetch(&pages.ts, &self.ts);
        let values = fetch(&pages.values, &self.values);
        let (ts, values) = futures::try_join!(ts, values)?;
        Ok(FetchedRuns { wave: self, ts, values })
    }
}

/// A wave whose pages are there.
#[derive(Debug)]
pub(crate) struct FetchedRuns {
    wave: RunWave,
    ts: Vec<PageBytes>,
    values: Vec<PageBytes>,
}

/// Decodes the runs of wave after wave.
#[derive(Debug)]
pub(crate) struct RunDecoder {
    plan: Arc<ScanPlan>,
    ts: Decoder<i64>,
    values: Decoder<f64>,
    scratch: Vec<f64>,
}

impl RunDecoder {
    /// A decoder whose memory is accounted to consumers that begin with `name`.
    pub(crate) fn new(
        plan: Arc<ScanPlan>,
        pages: RunPages,
        name: &str,
        context: &TaskContext,
    ) -> Result<Self> {
        let memory = |what: &str| {
            MemoryConsumer::new(format!("{name} {what}")).register(context.memory_pool())
        };
        Ok(Self {
            plan,
            ts: Decoder::new(pages.ts, memory("ts"), None)?,
            values: Decoder::new(pages.values, memory("stale markers"), Some(pages.shelf))?,
            scratch: Vec::new(),
        })
    }

    /// Turns to the next wave.
    pub(crate) fn begin(&mut self, fetched: FetchedRuns) -> Result<()> {
        self.ts.begin(fetched.wave.ts, fetched.ts, Vec::new())?;
        self.values.begin(fetched.wave.values, fetched.values, Vec::new())
    }

    /// Bytes of pages held.
    pub(crate) fn memory(&self) -> usize {
        self.ts.memory() + self.values.memory()
    }

    /// Appends what of a run of the wave lies in the wanted range.
    pub(crate) fn read(&mut self, read: &Read, batch: &mut LocatedBuilder) -> Result<()> {
        let start = batch.samples();
        let ts = batch.ts_mut();
        self.ts.read(read.stretch, ts)?;
        let wanted = self.plan.range_of(read.stretch.file);
        let run = &ts[start..];
        let (mut low, mut high) = (0, run.len());
        if run.first().is_some_and(|&first| first < wanted.min) {
            low = run.partition_point(|&t| t < wanted.min);
        }
        if run.last().is_some_and(|&last| last > wanted.max) {
            high = run.partition_point(|&t| t <= wanted.max).max(low);
        }
        ts.truncate(start + high);
        if low > 0 {
            ts.drain(start..start + low);
        }
        let place = Place { row: read.place.row + low as i64, ..read.place };
        self.scratch.clear();
        if read.stale {
            self.values.read(read.stretch, &mut self.scratch)?;
        }
        let values = self.scratch.get(low..high).unwrap_or_default();
        let markers = values.iter().enumerate().filter(|&(_, &value)| is_stale(value));
        batch.close_run(place, start, markers.map(|(at, _)| at as u32));
        Ok(())
    }
}
