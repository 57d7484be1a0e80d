//! Some of the series of a source.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, UInt32Array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt32Type;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use super::Resolved;
use crate::scan::frame::{properties, run_operator};
use crate::{Error, Result};

/// A series that is not kept.
const LEFT_OUT: u32 = u32::MAX;

/// The series `kept` (indices into the roster, ascending) of what was resolved.
pub fn keep(resolved: Resolved, kept: &[u32]) -> Resolved {
    let Resolved { roster, runs, warnings } = resolved;
    let runs = Arc::new(KeptExec::new(runs, roster.len(), kept));
    Resolved { roster: Arc::new(roster.take(kept)), runs, warnings }
}

/// Leaves series out, and numbers the others anew.
#[derive(Debug)]
pub struct KeptExec {
    input: Arc<dyn ExecutionPlan>,
    /// The new number of each series of the input, or [`LEFT_OUT`].
    numbers: Arc<[u32]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl KeptExec {
    fn new(input: Arc<dyn ExecutionPlan>, series: usize, kept: &[u32]) -> Self {
        let mut numbers = vec![LEFT_OUT; series];
        for (number, &at) in kept.iter().enumerate() {
            numbers[at as usize] = number as u32;
        }
        Self::of(input, numbers.into())
    }

    fn of(input: Arc<dyn ExecutionPlan>, numbers: Arc<[u32]>) -> Self {
        let partitions = input.properties().partitioning.partition_count();
        let properties = properties(input.schema(), partitions);
        Self { input, numbers, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    fn on(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self::of(input, Arc::clone(&self.numbers))))
    }
}

impl DisplayAs for KeptExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.numbers.iter().filter(|&&number| number != LEFT_OUT).count();
        write!(f, "KeptExec: series={kept} of {}", self.numbers.len())
    }
}

impl ExecutionPlan for KeptExec {
    run_operator!("KeptExec");

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DfResult<SendableRecordBatchStream> {
        let numbers = Arc::clone(&self.numbers);
        let batches = self.input.execute(partition, context)?;
        let batches =
            batches.map(move |batch| -> DfResult<RecordBatch> { Ok(filtered(&batch?, &numbers)?) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), batches)))
    }
}

fn filtered(batch: &RecordBatch, numbers: &[u32]) -> Result<RecordBatch> {
    let wrong = |error: &dyn fmt::Display| Error::internal(format!("keep series: {error}"));
    let series = batch.columns().first().and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let series = series.ok_or_else(|| wrong(&"no series in a batch"))?;
    let number = |&at: &u32| numbers.get(at as usize).copied().unwrap_or(LEFT_OUT);
    let new: Vec<u32> = series.values().iter().map(number).collect();
    let mask: BooleanArray = new.iter().map(|&number| Some(number != LEFT_OUT)).collect();
    let mut columns = batch.columns().to_vec();
    columns[0] = Arc::new(UInt32Array::from(new));
    let renumbered =
        RecordBatch::try_new(batch.schema(), columns).map_err(|error| wrong(&error))?;
    if mask.true_count() == mask.len() {
        return Ok(renumbered);
    }
    filter_record_batch(&renumbered, &mask).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Aggregates, Labels, MatchOp, Matcher, TimeRange};
    use crate::source::{Columns, MemorySource, Select, SelectOptions, SeriesSource};
    use arrow::datatypes::Int64Type;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn only_what_is_kept_comes_and_is_numbered_anew() {
        let series = (0..5).map(|at| {
            let labels = Labels::new([("__name__", "m".to_owned()), ("i", at.to_string())]);
            (labels.unwrap(), vec![(i64::from(at), 1.0), (100, 2.0)])
        });
        let source = MemorySource::new(series.collect());
        let select = Select {
            matchers: vec![Matcher::new("__name__", MatchOp::Equal, "m").unwrap()],
            range: TimeRange::ALL,
            columns: Columns::Values,
            aggregates: Aggregates::default(),
            max_resolution: 0,
        };
        let resolved = source.resolve(&select, &SelectOptions::default()).await.unwrap();
        let kept = keep(resolved, &[1, 4]);
        let names: Vec<String> =
            (0..kept.roster.len()).map(|at| kept.roster.labels(at).get("i").to_owned()).collect();
        assert_eq!(names, ["1", "4"]);
        let stream = kept.runs.execute(0, Arc::default()).unwrap();
        let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].column(0).as_primitive::<UInt32Type>().values(), &[0, 1]);
        let first = batches[0].column(1).as_list::<i32>().value(1);
        assert_eq!(first.as_primitive::<Int64Type>().values(), &[4, 100]);
    }
}
