//! Run batches with native histograms and start timestamps.

use arrow::record_batch::RecordBatch;

use super::stream::{Assembly, schema};
use super::waves::stretch;
use crate::Result;
use crate::scan::located::Located;
use crate::scan::wave::Stretch;
use crate::source::RunBuilder;

impl Assembly {
    /// One batch of located runs, of floats and of histograms, to one run batch. The counter rule
    /// holds among floats alone.
    pub(super) fn assemble_mixed(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let runs = Located::of(batch)?;
        let schema = schema(&self.plan);
        let mut built = RunBuilder::of(&schema);
        let (mut values, mut starts): (Vec<f64>, Vec<i64>) = (Vec::new(), Vec::new());
        let counter = self.settles();
        let mut before: Option<(u32, i64)> = None;
        for at in 0..runs.len() {
            let (series, stretch) = (runs.series[at], stretch(&runs, at));
            if self.plan.files[stretch.file as usize].histograms {
                let mut ts = runs.ts(at);
                for (histograms, rows) in self.histograms.rows(stretch)? {
                    let (now, later) = ts.split_at(rows.len());
                    built.histogram_rows(series, now, histograms, rows)?;
                    ts = later;
                }
                self.read_starts(stretch, &mut starts)?;
                built.starts(&starts);
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
            self.read_starts(stretch, &mut starts)?;
            built.starts(starts.get(from..).unwrap_or_default());
        }
        let batch = built.finish()?;
        Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema)))
    }

    /// The start timestamps of a stretch; none if its file has none.
    fn read_starts(&mut self, stretch: Stretch, starts: &mut Vec<i64>) -> Result<()> {
        starts.clear();
        let has_starts = self.plan.files[stretch.file as usize].has_starts();
        match self.starts.as_mut().filter(|_| has_starts) {
            Some(decoder) => decoder.read(stretch, starts),
            None => Ok(()),
        }
    }
}
