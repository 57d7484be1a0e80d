//! Grid batches, read.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, FixedSizeListArray, Float64Array};
use arrow::datatypes::UInt32Type;
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

use super::{Grid, histograms};
use crate::functions::histogram::FloatHistogram;

/// A series' cells, one a step: a number where `valid`, or a histogram.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The numbers; one that is not valid may be anything.
    pub values: &'a [f64],
    /// Which steps have a number.
    pub valid: &'a [bool],
    /// The histograms; empty if there is none.
    pub histograms: &'a [Option<Arc<FloatHistogram>>],
}

impl<'a> Row<'a> {
    /// Whether any step has a histogram.
    pub fn has_histograms(&self) -> bool {
        self.histograms.iter().any(Option::is_some)
    }

    /// The histogram of a step.
    #[inline]
    pub fn histogram(&self, step: usize) -> Option<&'a Arc<FloatHistogram>> {
        self.histograms.get(step)?.as_ref()
    }

    /// Which steps have a number or a histogram.
    pub fn present(&self) -> Cow<'a, [bool]> {
        if self.histograms.is_empty() {
            return Cow::Borrowed(self.valid);
        }
        let both = self.valid.iter().zip(self.histograms);
        Cow::Owned(both.map(|(&valid, histogram)| valid || histogram.is_some()).collect())
    }
}

/// A [`Row`] that is kept.
#[derive(Debug, Clone, Default)]
pub struct OwnedRow {
    /// The numbers.
    pub values: Vec<f64>,
    /// Which steps have a number.
    pub valid: Vec<bool>,
    /// The histograms; empty if there is none.
    pub histograms: Vec<Option<Arc<FloatHistogram>>>,
}

impl OwnedRow {
    /// A row of `steps` empty cells.
    pub fn new(steps: usize) -> Self {
        Self { values: vec![0.0; steps], valid: vec![false; steps], histograms: Vec::new() }
    }

    /// The row to read.
    pub fn row(&self) -> Row<'_> {
        Row { values: &self.values, valid: &self.valid, histograms: &self.histograms }
    }

    /// Whether a step has a number or a histogram.
    pub fn is_present(&self, step: usize) -> bool {
        self.valid[step] || matches!(self.histograms.get(step), Some(Some(_)))
    }

    /// Takes over the cell of a step.
    pub fn set(&mut self, step: usize, from: Row<'_>) {
        match from.histogram(step) {
            Some(histogram) => self.set_histogram(step, Arc::clone(histogram)),
            None => {
                self.values[step] = from.values[step];
                self.valid[step] = from.valid[step];
            }
        }
    }

    /// Empties the cell of a step.
    pub fn clear(&mut self, step: usize) {
        self.valid[step] = false;
        if let Some(cell) = self.histograms.get_mut(step) {
            *cell = None;
        }
    }

    /// Puts a histogram into the cell of a step.
    pub fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        if self.histograms.is_empty() {
            self.histograms = vec![None; self.values.len()];
        }
        self.histograms[step] = Some(histogram);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.values.capacity() * 8 + self.valid.capacity() + bytes(&self.histograms)
    }
}

impl From<Row<'_>> for OwnedRow {
    fn from(row: Row<'_>) -> Self {
        let histograms = if row.has_histograms() { row.histograms.to_vec() } else { Vec::new() };
        Self { values: row.values.to_vec(), valid: row.valid.to_vec(), histograms }
    }
}

/// The bytes of cells of histograms.
pub(super) fn bytes(cells: &[Option<Arc<FloatHistogram>>]) -> usize {
    size_of_val(cells) + cells.iter().flatten().map(|histogram| histogram.bytes()).sum::<usize>()
}

/// A grid batch, read: one row a series, whatever the number of tiles.
#[derive(Debug)]
pub struct GridRows {
    grid: Grid,
    batch: RecordBatch,
    valid: Option<Vec<bool>>,
    all_valid: Vec<bool>,
    histograms: Vec<Option<Arc<FloatHistogram>>>,
}

impl GridRows {
    /// Reads `batch`, which must be of `grid`'s schema.
    pub fn new(batch: RecordBatch, grid: Grid) -> Result<Self> {
        if batch.num_columns() < 3 || !batch.num_rows().is_multiple_of(grid.tiles()) {
            return Err(internal_datafusion_err!("not a batch of the grid {grid}"));
        }
        let column = batch.column(2).as_any().downcast_ref::<FixedSizeListArray>();
        let list = column.ok_or_else(|| internal_datafusion_err!("grid value is not a list"))?;
        let cells = list.values();
        if list.offset() != 0 || cells.len() != batch.num_rows() * grid.width() {
            return Err(internal_datafusion_err!("grid batch is a slice or has another width"));
        }
        let valid = cells
            .nulls()
            .filter(|nulls| nulls.null_count() > 0)
            .map(|nulls| nulls.iter().collect::<Vec<bool>>());
        let all_valid = vec![true; if valid.is_some() { 0 } else { grid.steps }];
        let histograms = histograms::decode(&batch, grid.width())?;
        Ok(Self { grid, batch, valid, all_valid, histograms })
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.batch.num_rows() / self.grid.tiles()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.batch.num_rows() == 0
    }

    fn cells(&self) -> &[f64] {
        let list = self.batch.column(2).as_any().downcast_ref::<FixedSizeListArray>();
        let cells = list.and_then(|list| list.values().as_any().downcast_ref::<Float64Array>());
        cells.map_or(&[], |cells| cells.values())
    }

    /// The series of row `at`.
    pub fn series(&self, at: usize) -> u32 {
        let column = arrow::array::cast::as_primitive_array::<UInt32Type>(self.batch.column(0));
        column.value(at * self.grid.tiles())
    }

    /// The numbers of row `at`, one a step; a slot that is not [valid](Self::valid) holds anything.
    pub fn values(&self, at: usize) -> &[f64] {
        let from = at * self.grid.slots();
        &self.cells()[from..from + self.grid.steps]
    }

    /// Which steps of row `at` have a number.
    pub fn valid(&self, at: usize) -> &[bool] {
        match &self.valid {
            None => &self.all_valid,
            Some(valid) => {
                let from = at * self.grid.slots();
                &valid[from..from + self.grid.steps]
            }
        }
    }

    /// Row `at`, histograms included.
    pub fn row(&self, at: usize) -> Row<'_> {
        let from = at * self.grid.slots();
        let histograms = self.histograms.get(from..from + self.grid.steps).unwrap_or_default();
        Row { values: self.values(at), valid: self.valid(at), histograms }
    }

    /// The rows' numbers: series, values, validity.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[f64], &[bool])> {
        (0..self.len()).map(|at| (self.series(at), self.values(at), self.valid(at)))
    }

    /// The rows with all that they have.
    pub fn rows(&self) -> impl Iterator<Item = (u32, Row<'_>)> {
        (0..self.len()).map(|at| (self.series(at), self.row(at)))
    }
}
