//! Run batches with native histograms.

use arrow::record_batch::RecordBatch;

use super::stream::Assembly;
use super::waves::stretch;
use crate::Result;
use crate::scan::located::Located;
use crate::source::{RunBuilder, histogram_run_schema};

impl Assembly {
    /// One batch of located runs, of floats and of histograms, to one run batch. The counter rule
    /// holds among floats alone.
    pub(super) fn assemble_mixed(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let runs = Located::of(batch)?;
        let mut built = RunBuilder::default();
        let mut values: Vec<f64> = Vec::new();
        let counter = self.settles();
        let mut before: Option<(u32, i64)> = None;
        for at in 0..runs.len() {
            let (series, stretch) = (runs.series[at], stretch(&runs, at));
            if self.plan.files[stretch.file as usize].histograms {
                built.histograms(series, runs.ts(at), self.histograms.rows(stretch)?);
                continue;
            }
            values.clear();
            self.decoder.read(stretch, &mut values)?;
            let mut from = 0;
            if counter {
                let goes_on = before == Some((series, runs.settle[at]));
                from = self.left_out(&runs, at, goes_on, &values);
                before = Some((series, runs.settle[at]));
            }
            built.floats(series, &runs.ts(at)[from..], &values[from..]);
        }
        let batch = built.finish()?;
        Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(histogram_run_schema())))
    }
}
