//! The root: batches to the answer's values, where ids get their labels back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use engine::model::{Label, Labels, is_stale};
use futures::StreamExt;

use super::optimize::optimized;
use crate::ast::ValueType;
use crate::exec::fault::Fault;
use crate::exec::grid::GridRows;
use crate::exec::operator::single;
use crate::exec::runs::RunReader;
use crate::functions::histogram::FloatHistogram;
use crate::functions::range::boundaries;
use crate::functions::{Reach, Samples, Windows};
use crate::plan::{Node, Runs};
use crate::query::{MatrixSeries, QueryValue, SampleValue};

/// Executes a plan for what its operators take note of.
pub(super) async fn execute(
    plan: Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<()> {
    let plan = ready(plan, context)?;
    let mut stream = plan.execute(0, Arc::clone(context))?;
    while let Some(batch) = stream.next().await {
        batch?;
    }
    Ok(())
}

/// `plan` with one partition, ready to be executed.
pub(super) fn ready(
    plan: Arc<dyn ExecutionPlan>,
    context: &TaskContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    optimized(single(plan), context.session_config().options())
}

/// What came of a plan.
pub(super) struct Executed {
    pub(super) value: QueryValue,
    /// The memory that the value takes.
    pub(super) memory: MemoryReservation,
    pub(super) plan: Arc<dyn ExecutionPlan>,
    /// How long series were put in order.
    pub(super) sorting: Duration,
}

fn reservation(context: &TaskContext) -> MemoryReservation {
    MemoryConsumer::new("answer").register(context.memory_pool())
}

/// Executes a scalar or instant vector.
pub(super) async fn of_grid(
    node: Node,
    kind: ValueType,
    is_range: bool,
    context: &Arc<TaskContext>,
) -> Result<Executed> {
    let Node { plan, series, grid, ordered, .. } = node;
    let plan = ready(plan, context)?;
    let memory = reservation(context);
    let mut stream = plan.execute(0, Arc::clone(context))?;
    let mut found = Vec::new();
    while let Some(batch) = stream.next().await {
        let rows = GridRows::new(batch?, grid)?;
        for (id, row) in rows.rows() {
            let slots = (0..row.values.len()).filter(|&slot| row.valid[slot]);
            let (timestamps, values): (Vec<i64>, Vec<f64>) =
                slots.map(|slot| (grid.time(slot), row.values[slot])).unzip();
            let histograms: Vec<(i64, FloatHistogram)> = row
                .histograms
                .iter()
                .enumerate()
                .filter_map(|(slot, histogram)| {
                    Some((grid.time(slot), (**histogram.as_ref()?).clone()))
                })
                .collect();
            if !values.is_empty() || !histograms.is_empty() {
                let labels = series.labels(id as usize);
                let series = MatrixSeries { labels, timestamps, values, histograms };
                memory.try_grow(bytes(&series))?;
                found.push(series);
            }
        }
    }
    drop(stream);
    let executed = Instant::now();
    if is_range || !ordered {
        found.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
    }
    let sorting = executed.elapsed();
    if has_twins(&found) {
        return Err(Fault::SameLabels.into());
    }
    let value = match kind {
        _ if is_range => QueryValue::Matrix(found),
        ValueType::Scalar => {
            let value = found.first().and_then(|series| series.values.first());
            QueryValue::Scalar(grid.start, value.copied().unwrap_or(f64::NAN))
        }
        _ => QueryValue::Vector(grid.start, found.into_iter().filter_map(only_sample).collect()),
    };
    Ok(Executed { value, memory, plan, sorting })
}

/// Whether any two series have the same labels.
fn has_twins(found: &[MatrixSeries]) -> bool {
    let mut labels: Vec<&Labels> = found.iter().map(|series| &series.labels).collect();
    labels.sort_unstable();
    labels.windows(2).any(|pair| pair[0] == pair[1])
}

/// Bytes of a series of the answer.
fn bytes(series: &MatrixSeries) -> usize {
    let histograms = series.histograms.iter().map(|(_, histogram)| 8 + histogram.bytes());
    let labels = series.labels.len() * size_of::<Label>();
    let points = series.values.len() * 16 + histograms.sum::<usize>();
    points + labels + size_of::<MatrixSeries>()
}

/// The one sample of a series at one step.
fn only_sample(mut series: MatrixSeries) -> Option<(Labels, SampleValue)> {
    let value = match (series.values.first(), series.histograms.pop()) {
        (Some(&value), _) => SampleValue::Float(value),
        (None, Some((_, histogram))) => SampleValue::Histogram(Box::new(histogram)),
        (None, None) => return None,
    };
    Some((series.labels, value))
}

/// Executes a range vector: the raw samples in the window; of a range that reaches further, with values
/// at its edges.
pub(super) async fn matrix_of_runs(
    runs: Runs,
    windows: Windows,
    reach: Option<Reach>,
    context: &Arc<TaskContext>,
) -> Result<Executed> {
    let plan = ready(Arc::clone(&runs.plan), context)?;
    let memory = reservation(context);
    let mut stream = plan.execute(0, Arc::clone(context))?;
    let mut reader = RunReader::default();
    let mut found: Vec<MatrixSeries> = Vec::new();
    let (start, end) = (windows.start(0), windows.end(0));
    let lookback = reach.map_or(0, |reach| reach.lookback);
    let behind = reach.map_or(0, |reach| if reach.smoothed { reach.lookback } else { 0 });
    let (from, to) = (start.saturating_sub(lookback), end.saturating_add(behind));
    let mut each = |id: u32, samples: &Samples<'_>| {
        let floats = samples.ts.iter().copied().zip(samples.values.iter().copied());
        let inside = |&(t, value): &(i64, f64)| from < t && t <= to && !is_stale(value);
        let (mut timestamps, mut values): (Vec<i64>, Vec<f64>) = floats.filter(inside).unzip();
        let histograms = samples.histogram_ts.iter().zip(samples.histograms);
        let histograms = histograms
            .filter(|(t, histogram)| from < **t && **t <= to && !histogram.is_stale())
            .map(|(&t, histogram)| (t, (**histogram).clone()));
        let histograms: Vec<(i64, FloatHistogram)> = histograms.collect();
        if let Some(reach) = reach {
            if !histograms.is_empty() {
                let word = if reach.smoothed { "smoothed" } else { "anchored" };
                let text = format!("{word} modifier is not supported with histograms");
                return Err(Fault::Other(text).into());
            }
            (timestamps, values) = boundaries(&timestamps, &values, (start, end), reach);
        }
        if let Some(consumed) = &runs.consumed {
            let sizes: u64 = histograms.iter().map(|(_, histogram)| histogram.samples()).sum();
            consumed.add(values.len() as u64 + sizes);
        }
        if !values.is_empty() || !histograms.is_empty() {
            let labels = runs.labels(id as usize);
            let series = MatrixSeries { labels, timestamps, values, histograms };
            memory.try_grow(bytes(&series))?;
            found.push(series);
        }
        Ok(())
    };
    while let Some(batch) = stream.next().await {
        reader.push(&batch?, &mut each)?;
    }
    reader.finish(&mut each)?;
    drop(stream);
    let executed = Instant::now();
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    let sorting = executed.elapsed();
    Ok(Executed { value: QueryValue::Matrix(without_twins(found)?), memory, plan, sorting })
}

/// Makes one series of neighbours with the same labels (`mergeSeriesWithSameLabelset`); that both have a
/// point at one time is an error.
fn without_twins(found: Vec<MatrixSeries>) -> Result<Vec<MatrixSeries>> {
    let mut merged: Vec<MatrixSeries> = Vec::with_capacity(found.len());
    for series in found {
        match merged.last_mut() {
            Some(last) if last.labels == series.labels => merge(last, series)?,
            _ => merged.push(series),
        }
    }
    Ok(merged)
}

fn merge(into: &mut MatrixSeries, other: MatrixSeries) -> Result<()> {
    let floats = |series: &mut MatrixSeries| -> Vec<(i64, f64)> {
        series.timestamps.drain(..).zip(series.values.drain(..)).collect()
    };
    let mut other = other;
    let mut points = floats(into);
    points.extend(floats(&mut other));
    points.sort_by_key(|&(time, _)| time);
    (into.timestamps, into.values) = points.into_iter().unzip();
    into.histograms.append(&mut other.histograms);
    into.histograms.sort_by_key(|&(time, _)| time);
    let mut times: Vec<i64> = into.histograms.iter().map(|&(time, _)| time).collect();
    times.extend(&into.timestamps);
    times.sort_unstable();
    match times.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Fault::SameLabels.into()),
        false => Ok(()),
    }
}

/// At most `limit` series, with a warning if some are cut off; 0 means all.
pub(super) fn limited(value: QueryValue, limit: usize, warnings: &mut Vec<String>) -> QueryValue {
    let mut cut = |length: usize| {
        let over = limit > 0 && length > limit;
        if over {
            warnings.push("results truncated due to limit".to_owned());
        }
        over
    };
    match value {
        QueryValue::Vector(time, mut series) => {
            if cut(series.len()) {
                series.truncate(limit);
            }
            QueryValue::Vector(time, series)
        }
        QueryValue::Matrix(mut series) => {
            if cut(series.len()) {
                series.truncate(limit);
            }
            QueryValue::Matrix(series)
        }
        other => other,
    }
}
