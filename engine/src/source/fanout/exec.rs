//! The operator: the children's runs, series by series of the union.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Gauge, MetricBuilder,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::Stream;

use super::algo::{Piece, Scratch, Stretch, take};
use super::inputs::{Input, Row, Stash};
use super::totals;
use super::union::Union;
use crate::model::TimeRange;
use crate::scan::frame::{properties, run_operator};
use crate::scan::located::{BATCH_SAMPLES, list};
use crate::scan::{Settling, left_out};
use crate::source::{
    DedupFunc, RunBuilder, Select, SelectOptions, has_histograms, has_starts, run_schema,
    run_schema_with,
};
use crate::{Error, Result};

/// What the operator knows of the query.
#[derive(Debug)]
pub(super) struct Plan {
    union: Union,
    names: Vec<String>,
    dedup: Option<DedupFunc>,
    counter: bool,
    range: TimeRange,
    /// Whether chunks reach beyond the range.
    whole_chunks: bool,
}

impl Plan {
    pub(super) fn new(
        union: Union,
        names: Vec<String>,
        select: &Select,
        options: &SelectOptions,
    ) -> Self {
        let dedup = options.dedup.then_some(options.dedup_func);
        let (range, whole_chunks) = (select.range, select.whole_chunks());
        Self { union, names, dedup, counter: select.counter(), range, whole_chunks }
    }
}

/// Merges the runs of several sources and makes replicas one.
#[derive(Debug)]
pub struct FanoutExec {
    plan: Arc<Plan>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FanoutExec {
    pub(super) fn new(plan: Arc<Plan>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let any = |has: fn(&Schema) -> bool| inputs.iter().any(|input| has(&input.schema()));
        let schema = run_schema_with(any(has_histograms), any(has_starts));
        let properties = properties(schema, 1);
        Self { plan, inputs, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::new(Arc::clone(&self.plan), children)))
    }
}

impl DisplayAs for FanoutExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let func = match self.plan.dedup {
            None => "none",
            Some(DedupFunc::Coverage) => "coverage",
            Some(DedupFunc::Penalty) => "penalty",
            Some(DedupFunc::Chain) => "chain",
        };
        let Union { series, replicated, .. } = self.plan.union;
        write!(
            f,
            "FanoutExec: dedup={func}, replicated={replicated}, series={series}, sources=[{}]",
            self.plan.names.join(", ")
        )
    }
}

impl ExecutionPlan for FanoutExec {
    run_operator!("FanoutExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let inputs = self.inputs.iter().zip(&self.plan.names).enumerate();
        let inputs = inputs
            .map(|(at, (input, name))| Input::new(at as u32, name, input, &context))
            .collect::<DfResult<Vec<_>>>()?;
        Ok(Box::pin(Merging {
            stash: Stash::new(self.plan.union.series),
            plan: Arc::clone(&self.plan),
            inputs,
            next: 0,
            rows: Rows::default(),
            schema: self.schema(),
            runs: has_histograms(&self.schema()).then(|| RunBuilder::of(&self.schema())),
            settling: Settling::default(),
            scratch: Scratch::default(),
            stretches: Vec::new(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
            peak: MetricBuilder::new(&self.metrics).peak_memory_usage("peak_memory", partition),
            memory: MemoryConsumer::new("FanoutExec").register(context.memory_pool()),
        }))
    }
}

struct Merging {
    plan: Arc<Plan>,
    inputs: Vec<Input>,
    stash: Stash,
    /// The next series of the union.
    next: usize,
    rows: Rows,
    schema: SchemaRef,
    /// What is made instead of rows where some child may have native histograms or start timestamps.
    runs: Option<RunBuilder>,
    settling: Settling,
    scratch: Scratch,
    stretches: Vec<Stretch>,
    metrics: BaselineMetrics,
    peak: Gauge,
    memory: MemoryReservation,
}

impl Merging {
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Option<DfResult<RecordBatch>>> {
        let plan = Arc::clone(&self.plan);
        while self.next < plan.union.series && self.weight() < BATCH_SAMPLES {
            for (input, place) in self.inputs.iter_mut().zip(&plan.union.places) {
                let until = place.until[self.next];
                ready!(input.poll_passed(until, place, &mut self.stash, context))?;
            }
            let time = self.metrics.elapsed_compute().clone();
            let _timer = time.timer();
            let made = self.runs.as_ref().map_or(self.rows.held(), RunBuilder::held);
            let held = self.stash.held() + made;
            self.memory.try_resize(held)?;
            self.peak.set_max(held);
            let rows = self.stash.take(self.next);
            self.series(&rows)?;
            self.next += 1;
        }
        if let Some(runs) = &mut self.runs {
            return Poll::Ready(runs.finish().map_err(Into::into).transpose());
        }
        let rows = std::mem::take(&mut self.rows);
        if rows.series.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(rows.finish().map_err(Into::into)))
    }

    fn series(&mut self, rows: &[Row]) -> Result<()> {
        let mut pieces: Vec<Piece<'_>> = Vec::with_capacity(rows.len());
        for row in rows {
            pieces.extend(row.piece()?);
        }
        let series = self.next as u32;
        if self.plan.counter && pieces.iter().any(Piece::is_downsampled) {
            // Totals of counters are floats, and only they are asked for with counters.
            let Rows { ts, values, .. } = &mut self.rows;
            let before = ts.len();
            totals::read(self.plan.dedup, &mut pieces, self.plan.range, |t, value| {
                ts.push(t);
                values.push(value);
            });
            match &mut self.runs {
                Some(runs) => {
                    runs.floats(series, ts, values);
                    ts.clear();
                    values.clear();
                }
                None => self.rows.close(series, self.rows.ts.len() - before, true),
            }
            return Ok(());
        }
        if self.plan.whole_chunks {
            pieces.iter_mut().for_each(|piece| piece.cut(self.plan.range));
        }
        take(self.plan.dedup, &mut pieces, &mut self.scratch, &mut self.stretches);
        if let Some(mut runs) = self.runs.take() {
            self.add(series, &pieces, &mut runs)?;
            self.runs = Some(runs);
            return Ok(());
        }
        let reads = self.stretches.iter().any(|s| pieces[s.piece].values.is_some());
        let before = self.rows.ts.len();
        let mut settled: Option<i64> = None;
        for s in &self.stretches {
            let piece = &pieces[s.piece];
            let mut start = s.start;
            if let Some(values) = piece.values.filter(|_| self.plan.counter) {
                let (ts, values) = (&piece.ts[start..s.end], &values[start..s.end]);
                let goes_on = settled == Some(s.settle);
                start += left_out(&mut self.settling, series, s.settle, goes_on, ts, values);
                settled = Some(s.settle);
            }
            self.rows.ts.extend_from_slice(&piece.ts[start..s.end]);
            match piece.values {
                Some(values) => self.rows.values.extend_from_slice(&values[start..s.end]),
                // No stale marker is among them, and that is all that is asked.
                None if reads => {
                    let length = self.rows.values.len() + s.end - start;
                    self.rows.values.resize(length, 0.0);
                }
                None => {}
            }
        }
        self.rows.close(series, self.rows.ts.len() - before, reads);
        Ok(())
    }

    /// Adds what is taken of a series, floats and histograms; the counter rule holds among floats.
    fn add(&mut self, series: u32, pieces: &[Piece<'_>], runs: &mut RunBuilder) -> Result<()> {
        let mut settled: Option<i64> = None;
        for s in &self.stretches {
            let piece = &pieces[s.piece];
            if let Some(histograms) = piece.histograms {
                let ts = &piece.ts[s.start..s.end];
                runs.histogram_rows(series, ts, histograms.all, histograms.rows(s.start, s.end))?;
                runs.starts(piece.starts.map_or(&[], |starts| &starts[s.start..s.end]));
                continue;
            }
            let ts = &piece.ts[s.start..s.end];
            // Timestamps alone: numbers that are no stale markers.
            let zeros = piece.values.is_none().then(|| vec![0.0; ts.len()]);
            let read = piece.values.map(|values| &values[s.start..s.end]);
            let values = read.or(zeros.as_deref()).unwrap_or_default();
            let mut from = 0;
            if self.plan.counter {
                let goes_on = settled == Some(s.settle);
                from = left_out(&mut self.settling, series, s.settle, goes_on, ts, values);
                settled = Some(s.settle);
            }
            runs.floats(series, &ts[from..], &values[from..]);
            runs.starts(piece.starts.map_or(&[], |starts| &starts[s.start + from..s.end]));
        }
        Ok(())
    }

    /// How many samples the batch in the making has, histograms by their weight.
    fn weight(&self) -> usize {
        self.runs.as_ref().map_or(self.rows.ts.len(), RunBuilder::weight)
    }
}

impl Stream for Merging {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.poll_batch(context);
        self.metrics.record_poll(polled)
    }
}

impl RecordBatchStream for Merging {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The run batch in the making.
#[derive(Debug, Default)]
struct Rows {
    series: Vec<u32>,
    lengths: Vec<usize>,
    value_lengths: Vec<usize>,
    has_values: Vec<bool>,
    ts: Vec<i64>,
    values: Vec<f64>,
}

impl Rows {
    /// Makes the last `samples` samples a row.
    fn close(&mut self, series: u32, samples: usize, has_values: bool) {
        if samples == 0 {
            return;
        }
        self.series.push(series);
        self.lengths.push(samples);
        self.value_lengths.push(if has_values { samples } else { 0 });
        self.has_values.push(has_values);
    }

    fn held(&self) -> usize {
        (self.ts.capacity() + self.values.capacity()) * 8
    }

    fn finish(self) -> Result<RecordBatch> {
        let nulls = self.has_values.contains(&false).then(|| NullBuffer::from(self.has_values));
        let (ts, values): (ArrayRef, ArrayRef) =
            (Arc::new(Int64Array::from(self.ts)), Arc::new(Float64Array::from(self.values)));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.series)),
            list(DataType::Int64, &self.lengths, ts, None)?,
            list(DataType::Float64, &self.value_lengths, values, nulls)?,
        ];
        RecordBatch::try_new(run_schema(), columns)
            .map_err(|e| Error::internal(format!("run batch: {e}")))
    }
}
