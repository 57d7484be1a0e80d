//! The root: batches to the answer's values, where ids get their labels back.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use engine::model::is_stale;
use futures::StreamExt;

use super::optimize::optimized;
use crate::ast::ValueType;
use crate::exec::grid::GridRows;
use crate::exec::operator::single;
use crate::exec::runs::RunReader;
use crate::functions::Windows;
use crate::plan::{Node, Runs};
use crate::query::{MatrixSeries, QueryValue};

/// Executes a plan for what its operators take note of.
pub(super) async fn execute(
    plan: Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<()> {
    let plan = optimized(plan, context.session_config().options())?;
    let mut stream = plan.execute(0, Arc::clone(context))?;
    while let Some(batch) = stream.next().await {
        batch?;
    }
    Ok(())
}

/// The plan with its metrics.
fn explained(plan: &dyn ExecutionPlan) -> Arc<str> {
    DisplayableExecutionPlan::with_metrics(plan).indent(false).to_string().into()
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
) -> Result<(QueryValue, Arc<str>)> {
    let Node { plan, series, grid, ordered } = node;
    let plan = optimized(single(plan), context.session_config().options())?;
    let memory = reservation(context);
    let mut stream = plan.execute(0, Arc::clone(context))?;
    let mut found = Vec::new();
    while let Some(batch) = stream.next().await {
        let rows = GridRows::new(batch?, grid)?;
        for (id, values, valid) in rows.iter() {
            let slots = (0..values.len()).filter(|&slot| valid[slot]);
            let (timestamps, values): (Vec<i64>, Vec<f64>) =
                slots.map(|slot| (grid.time(slot), values[slot])).unzip();
            if !values.is_empty() {
                memory.try_grow(values.len() * 16 + size_of::<MatrixSeries>())?;
                let labels = series.labels(id as usize);
                found.push(MatrixSeries { labels, timestamps, values });
            }
        }
    }
    drop(stream);
    if is_range || !ordered {
        found.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
    }
    let value = match kind {
        _ if is_range => QueryValue::Matrix(found),
        ValueType::Scalar => {
            let value = found.first().and_then(|series| series.values.first());
            QueryValue::Scalar(grid.start, value.copied().unwrap_or(f64::NAN))
        }
        _ => QueryValue::Vector(
            grid.start,
            found.into_iter().map(|series| (series.labels, series.values[0])).collect(),
        ),
    };
    Ok((value, explained(plan.as_ref())))
}

/// Executes a range vector: the raw samples in the window.
pub(super) async fn matrix_of_runs(
    runs: Runs,
    windows: Windows,
    context: &Arc<TaskContext>,
) -> Result<(QueryValue, Arc<str>)> {
    let plan = optimized(single(runs.plan), context.session_config().options())?;
    let memory = reservation(context);
    let mut stream = plan.execute(0, Arc::clone(context))?;
    let mut reader = RunReader::default();
    let mut found: Vec<MatrixSeries> = Vec::new();
    let (start, end) = (windows.start(0), windows.end(0));
    let mut each = |id: u32, ts: &[i64], values: Option<&[f64]>| {
        let samples = ts.iter().copied().zip(values.unwrap_or_default().iter().copied());
        let inside = |&(t, value): &(i64, f64)| start < t && t <= end && !is_stale(value);
        let (timestamps, values): (Vec<i64>, Vec<f64>) = samples.filter(inside).unzip();
        if !values.is_empty() {
            memory.try_grow(values.len() * 16 + size_of::<MatrixSeries>())?;
            let labels = runs.series.labels(id as usize);
            found.push(MatrixSeries { labels, timestamps, values });
        }
        Ok(())
    };
    while let Some(batch) = stream.next().await {
        reader.push(&batch?, &mut each)?;
    }
    reader.finish(&mut each)?;
    drop(stream);
    found.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
    Ok((QueryValue::Matrix(found), explained(plan.as_ref())))
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
