//! Coverage that reads the other replicas late.
//!
//! The input has the runs of each series' first replica. Its timestamps and the label index ([`Lead`])
//! tell where it has holes; only the row runs of the others that may have samples there are fetched
//! and decoded, in waves, while the wave before is at work. A series without a hole passes as it is.
//!
//! ```text
//! first replica   |····|·· ·|····|····|     one hole, in the second time bucket
//! second replica       |····|               this run is read
//! ```
//!
//! A series of which the first replica has no sample in the wanted range is not in the input: all of
//! its other replicas is read.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder, Time,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt, stream};

use super::algo::{Lead, Pace, Pick, Replica, SETTLED, live, pick_paced};
use super::replica::Runs;
use crate::model::TimeRange;
use crate::scan::ScanPlan;
use crate::scan::group::{Group, Grouper};
use crate::scan::located::{BATCH_SAMPLES, Located, LocatedBuilder, located_schema};
use crate::scan::runs::{FetchedRuns, Read, RunDecoder, RunPages, RunWave, RunWaves};
use crate::{Error, Result};

/// A wave is closed when it has this many samples.
const WAVE_SAMPLES: usize = 512 * 1024;
/// How many waves are fetched or worked on at once.
const WAVES: usize = 2;

/// Deduplicates `input`, the first replicas' runs of a partition.
pub(super) fn follow(
    plan: &Arc<ScanPlan>,
    input: SendableRecordBatchStream,
    metrics: &ExecutionPlanMetricsSet,
    partition: usize,
    context: &TaskContext,
) -> Result<SendableRecordBatchStream> {
    let name = format!("DedupExec[{partition}]");
    let baseline = BaselineMetrics::new(metrics, partition);
    let pages = RunPages::new(plan, metrics, partition);
    let gathering = Gathering {
        plan: Arc::clone(plan),
        time: baseline.elapsed_compute().clone(),
        input: Some(input),
        grouper: Grouper::default(),
        groups: VecDeque::new(),
        series: plan.partitions()[partition].clone(),
        pages: RunWaves::new(&pages),
        memory: MemoryConsumer::new(format!("{name} samples")).register(context.memory_pool()),
    };
    let following = Following {
        plan: Arc::clone(plan),
        decoder: RunDecoder::new(Arc::clone(plan), pages.clone(), &name, context)?,
        picks: Vec::new(),
        batch: LocatedBuilder::default(),
        ready: VecDeque::new(),
        metrics: baseline,
        peak: MetricBuilder::new(metrics).peak_memory_usage("peak_memory", partition),
    };
    let waves = waves(gathering).map(move |wave| fetch_wave(wave, pages.clone())).buffered(WAVES);
    let batches = stream::try_unfold(
        (Some(Box::pin(waves)), following),
        |(mut waves, mut following)| async move {
            loop {
                if let Some(batch) = following.ready.pop_front() {
                    following.metrics.output_batches().add(1);
                    following.metrics.record_output(batch.num_rows());
                    return Ok(Some((batch, (waves, following))));
                }
                let Some(open) = &mut waves else { return Ok(None) };
                match open.next().await {
                    Some(wave) => following.wave(wave?)?,
                    None => {
                        waves = None;
                        following.ready.extend(following.batch.finish()?);
                    }
                }
            }
        },
    );
    let batches = batches.map(|batch: Result<RecordBatch>| batch.map_err(DataFusionError::from));
    Ok(Box::pin(RecordBatchStreamAdapter::new(located_schema(), batches)))
}

/// A replica after the first.
#[derive(Debug)]
struct Other {
    replica: u32,
    paces: Vec<Pace>,
}

/// A series of a wave.
#[derive(Debug)]
struct Series {
    id: u32,
    /// The first replica's runs; none if it has no sample in the wanted range.
    group: Option<Group>,
    /// What they say, if they have a live sample.
    lead: Option<Lead>,
    others: Vec<Other>,
    /// Whether the group passes as it is.
    passes: bool,
}

/// Series that are worked on together, and what is to be read for them.
#[derive(Debug)]
struct Wave {
    series: Vec<Series>,
    reads: Vec<Read>,
    pages: RunWave,
    /// Accounts for the samples of the series.
    memory: MemoryReservation,
}

/// A wave whose pages are there.
struct Fetched {
    series: Vec<Series>,
    reads: Vec<Read>,
    runs: FetchedRuns,
    memory: MemoryReservation,
}

async fn fetch_wave(wave: Result<Wave>, pages: RunPages) -> Result<Fetched> {
    let Wave { series, reads, pages: wave, memory } = wave?;
    Ok(Fetched { series, reads, runs: wave.fetch(pages).await?, memory })
}

fn waves(gathering: Gathering) -> impl Stream<Item = Result<Wave>> {
    stream::try_unfold(gathering, |mut gathering| async move {
        Ok(gathering.wave().await?.map(|wave| (wave, gathering)))
    })
}

/// Finds the holes of the first replicas.
struct Gathering {
    plan: Arc<ScanPlan>,
    time: Time,
    /// None after its end.
    input: Option<SendableRecordBatchStream>,
    grouper: Grouper,
    groups: VecDeque<Group>,
    /// The series that have not been seen.
    series: Range<u32>,
    pages: RunWaves,
    memory: MemoryReservation,
}

impl Gathering {
    async fn wave(&mut self) -> Result<Option<Wave>> {
        let (mut series, mut reads) = (Vec::new(), Vec::new());
        let time = self.time.clone();
        let mut samples = 0;
        while samples < WAVE_SAMPLES {
            if let Some(group) = self.groups.front() {
                let _timer = time.timer();
                let next = self.series.start;
                let group = if group.series > next { None } else { self.groups.pop_front() };
                self.series.start = next + 1;
                let before = reads.len();
                samples += group.as_ref().map_or(0, Group::samples);
                series.extend(self.plan(next, group, &mut reads)?);
                samples += reads[before..].iter().map(Read::rows).sum::<usize>();
            } else if let Some(input) = &mut self.input {
                let batch = input.next().await.transpose().map_err(Error::from)?;
                let _timer = time.timer();
                match batch {
                    Some(batch) => self.groups.extend(self.grouper.push(batch)?),
                    None => {
                        self.input = None;
                        self.groups.extend(self.grouper.end());
                    }
                }
            } else if let Some(next) = self.series.next() {
                let before = reads.len();
                series.extend(self.plan(next, None, &mut reads)?);
                samples += reads[before..].iter().map(Read::rows).sum::<usize>();
            } else {
                break;
            }
        }
        if series.is_empty() {
            return Ok(None);
        }
        let memory = self.memory.new_empty();
        memory.try_grow(samples * size_of::<i64>())?;
        Ok(Some(Wave { series, reads, pages: self.pages.close(), memory }))
    }

    /// What is to be done for a series; none if it has no sample.
    fn plan(
        &mut self,
        id: u32,
        group: Option<Group>,
        reads: &mut Vec<Read>,
    ) -> Result<Option<Series>> {
        let plan = Arc::clone(&self.plan);
        let (_, pieces) = plan.led(id);
        if pieces.is_empty() {
            let alone = |group| Series { id, group, lead: None, others: Vec::new(), passes: true };
            return Ok(group.is_some().then(|| alone(group)));
        }
        let mut others: Vec<Other> = Vec::new();
        let (mut earliest, mut latest) = (i64::MAX, i64::MIN);
        for &piece in pieces {
            if others.last().is_none_or(|other| other.replica != piece.replica) {
                others.push(Other { replica: piece.replica, paces: Vec::new() });
            }
            let wanted = plan.range_of(piece.file);
            for (times, run) in plan.timed_runs(piece) {
                if !times.overlaps(&wanted) {
                    continue;
                }
                earliest = earliest.min(times.min.max(wanted.min));
                latest = latest.max(times.max.min(wanted.max));
                if let Some(other) = others.last_mut() {
                    other.paces.push(Pace::new(times.min, times.max, run.rows));
                }
            }
        }
        let mut lead = None;
        let mut markers = false;
        // Where samples of the others are needed.
        let mut stretches = vec![(i64::MIN, i64::MAX)];
        if let Some(group) = &group {
            let batches = group.batches()?;
            let first = Runs::new(&batches, group.runs().collect());
            let first = first.replica();
            markers = !first.stale.is_empty();
            let live = live(&first);
            let paces: Vec<&[Pace]> = others.iter().map(|other| other.paces.as_slice()).collect();
            lead = Lead::new(&live, &paces);
            if let Some(lead) = &lead {
                stretches = lead.stretches(&live, earliest, latest).collect();
            }
        }
        let before = reads.len();
        for &piece in pieces.iter().filter(|_| !stretches.is_empty()) {
            let wanted = plan.range_of(piece.file);
            for (times, run) in plan.timed_runs(piece) {
                let times = TimeRange::new(times.min.max(wanted.min), times.max.min(wanted.max));
                let inside =
                    |&(after, before): &(i64, i64)| times.max > after && times.min < before;
                if !times.is_empty() && stretches.iter().any(inside) {
                    let read = Read::new(&plan, id, piece, run);
                    self.pages.add(&read)?;
                    reads.push(read);
                }
            }
        }
        let passes = reads.len() == before && !markers;
        Ok((group.is_some() || !passes).then_some(Series { id, group, lead, others, passes }))
    }
}

/// Chooses and copies.
struct Following {
    plan: Arc<ScanPlan>,
    decoder: RunDecoder,
    picks: Vec<Pick>,
    batch: LocatedBuilder,
    ready: VecDeque<RecordBatch>,
    metrics: BaselineMetrics,
    peak: Gauge,
}

impl Following {
    fn wave(&mut self, wave: Fetched) -> Result<()> {
        let time = self.metrics.elapsed_compute().clone();
        let _timer = time.timer();
        self.decoder.begin(wave.runs)?;
        let mut read = LocatedBuilder::default();
        for run in &wave.reads {
            self.decoder.read(run, &mut read)?;
        }
        self.plan.limits.spend_samples(read.samples())?;
        self.peak.set_max(self.decoder.memory() + wave.memory.size());
        let read = read.finish()?;
        let read = read.as_ref().map(Located::of).transpose()?;
        let mut at = 0;
        for series in &wave.series {
            let start = at;
            while read.is_some_and(|read| read.series.get(at) == Some(&series.id)) {
                at += 1;
            }
            self.series(series, read, start..at)?;
        }
        Ok(())
    }

    /// Chooses among the runs of a series' first replica and those of the others, which are the rows
    /// `rows` of `read`.
    fn series(
        &mut self,
        series: &Series,
        read: Option<Located<'_>>,
        rows: Range<usize>,
    ) -> Result<()> {
        let mut batches = match &series.group {
            Some(group) => group.batches()?,
            None => Vec::new(),
        };
        let runs: Vec<(usize, usize)> = series.group.iter().flat_map(Group::runs).collect();
        let of_others = read.map_or(0, |read| read.offsets[rows.end] - read.offsets[rows.start]);
        let samples = series.group.as_ref().map_or(0, Group::samples) + of_others as usize;
        if self.batch.samples() > 0 && self.batch.samples() + samples > BATCH_SAMPLES {
            self.ready.extend(self.batch.finish()?);
        }
        if series.passes {
            for (batch, at) in runs {
                let length = batches[batch].ts(at).len();
                self.batch.copy(&batches[batch], at, 0, length, SETTLED);
            }
            return Ok(());
        }
        let mut replicas: Vec<Vec<(usize, usize)>> = vec![runs];
        replicas.resize_with(series.others.len() + 1, Vec::new);
        if let Some(read) = read {
            for row in rows {
                let of = |other: &Other| other.replica == read.replica[row];
                let Some(other) = series.others.iter().position(of) else { continue };
                replicas[other + 1].push((batches.len(), row));
            }
            batches.push(read);
        }
        let replicas: Vec<Runs<'_>> =
            replicas.into_iter().map(|runs| Runs::new(&batches, runs)).collect();
        let slices: Vec<Replica<'_>> = replicas.iter().map(Runs::replica).collect();
        let mut paces: Vec<&[Pace]> = vec![&[]];
        paces.extend(series.others.iter().map(|other| other.paces.as_slice()));
        self.picks.clear();
        pick_paced(&slices, &paces, series.lead.as_ref(), &mut self.picks);
        for p in &self.picks {
            replicas[p.replica].copy(&batches, p.start, p.end, p.settle, &mut self.batch);
        }
        Ok(())
    }
}
