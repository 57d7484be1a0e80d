//! The series whose offset lies below a ratio.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::Limit;
use crate::exec::ArgumentValues;
use crate::exec::fault::Fault;
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::notes::{NoteTaker, Notes};
use crate::exec::operator::Transform;
use crate::exec::parameters;

pub(super) struct RatioStream {
    grid: Grid,
    sides: usize,
    argument: ArgumentValues,
    /// The ratio of each step, once the argument is known.
    ratios: Option<Vec<f64>>,
    offsets: Arc<[f64]>,
    notes: NoteTaker,
    builder: GridBuilder,
    ready: Option<RecordBatch>,
}

impl RatioStream {
    pub(super) fn new(operator: &Limit, offsets: &Arc<[f64]>, notes: &Arc<Notes>) -> Self {
        let Limit { grid, cells, argument, sides, .. } = *operator;
        Self {
            grid,
            sides,
            argument: ArgumentValues::new(argument, grid),
            ratios: None,
            offsets: Arc::clone(offsets),
            notes: NoteTaker::new(notes),
            builder: GridBuilder::of(grid, cells),
            ready: None,
        }
    }

    /// Makes the ratios known.
    fn read_ratios(&mut self) -> Result<()> {
        if self.ratios.is_some() {
            return Ok(());
        }
        let scalar = self.argument.scalar();
        let ratios: Vec<f64> = (0..self.grid.steps).map(|step| scalar.at(step)).collect();
        if ratios.iter().any(|&ratio| ratio != 0.0) {
            if ratios.iter().any(|ratio| ratio.is_nan()) {
                return Err(Fault::Other("Ratio value is NaN".to_owned()).into());
            }
            let greatest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            for ratio in [greatest.max(0.0), least.min(0.0)] {
                parameters::check_ratio(ratio, &self.notes);
            }
        }
        self.ratios = Some(ratios);
        Ok(())
    }
}

/// Whether a series is kept (`AddRatioSampleWithOffset`).
fn keeps(ratio: f64, offset: f64) -> bool {
    let ratio = ratio.clamp(-1.0, 1.0);
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}

impl Transform for RatioStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            return self.argument.push(input, &batch);
        }
        self.read_ratios()?;
        let ratios = self.ratios.as_deref().unwrap_or_default();
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            let offset = self.offsets[series as usize];
            let slots = self.builder.all_slots();
            slots.values.copy_from_slice(row.values);
            for (step, &ratio) in ratios.iter().enumerate() {
                if ratio == 0.0 || !keeps(ratio, offset) {
                    continue;
                }
                slots.valid[step] = row.valid[step];
                if let Some(histogram) = row.histogram(step) {
                    slots.histograms[step] = Some(Arc::clone(histogram));
                }
            }
            self.builder.commit(series);
        }
        self.ready = self.builder.take()?;
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        // Also without any series a wrong parameter is an error.
        if input == self.sides { self.read_ratios() } else { Ok(()) }
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.ready.take())
    }

    fn held(&self) -> usize {
        self.builder.held()
    }
}
