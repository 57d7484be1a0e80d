//! Grid batches, written.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float64Array, Int32Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Cells, Grid, Row, histograms, rows};
use crate::functions::Slots;
use crate::functions::histogram::FloatHistogram;

/// About how many cells a batch holds, unless one series alone has more.
const BATCH_CELLS: usize = 64 * 1024;

/// A histogram counts as so many cells.
const HISTOGRAM_CELLS: usize = engine::source::HISTOGRAM_WEIGHT;

/// Writes grid batches, a series at a time.
#[derive(Debug)]
pub struct GridBuilder {
    grid: Grid,
    cells: Cells,
    schema: SchemaRef,
    series: Vec<u32>,
    values: Vec<f64>,
    valid: Vec<bool>,
    /// As long as `values`, or shorter if the last rows have none.
    histograms: Vec<Option<Arc<FloatHistogram>>>,
    /// How many histograms are in the rows so far, and their bytes.
    count: usize,
    bytes: usize,
}

impl GridBuilder {
    /// A builder of batches of numbers on `grid`.
    pub fn new(grid: Grid) -> Self {
        Self::of(grid, Cells::Floats)
    }

    /// A builder of batches on `grid`.
    pub fn of(grid: Grid, cells: Cells) -> Self {
        Self {
            grid,
            cells,
            schema: grid.schema_of(cells),
            series: Vec::new(),
            values: Vec::new(),
            valid: Vec::new(),
            histograms: Vec::new(),
            count: 0,
            bytes: 0,
        }
    }

    /// The slots of the next series, one a step, all invalid; write, then [`commit`](Self::commit).
    /// A row that is not committed is forgotten.
    pub fn slots(&mut self) -> (&mut [f64], &mut [bool]) {
        let from = self.series.len() * self.grid.slots();
        self.values.truncate(from);
        self.valid.truncate(from);
        self.histograms.truncate(from);
        self.values.resize(from + self.grid.slots(), 0.0);
        self.valid.resize(from + self.grid.slots(), false);
        let steps = self.grid.steps;
        (&mut self.values[from..from + steps], &mut self.valid[from..from + steps])
    }

    /// As [`slots`](Self::slots), with those for histograms.
    pub fn all_slots(&mut self) -> Slots<'_> {
        self.slots();
        let from = self.series.len() * self.grid.slots();
        let steps = from..from + self.grid.steps;
        if self.cells == Cells::Mixed {
            self.histograms.resize(from + self.grid.slots(), None);
        }
        let histograms = self.histograms.get_mut(steps.clone()).unwrap_or_default();
        let (values, valid) = (&mut self.values[steps.clone()], &mut self.valid[steps]);
        Slots { values, valid, histograms }
    }

    /// Keeps the slots just written as the row of `series`, if any of them has something, and says
    /// whether it has.
    pub fn commit(&mut self, series: u32) -> bool {
        let from = self.series.len() * self.grid.slots();
        let written = self.histograms.get(from..).unwrap_or_default();
        let histograms = written.iter().flatten().count();
        let kept = histograms > 0 || self.valid[from..].contains(&true);
        if kept {
            self.count += histograms;
            self.bytes += rows::bytes(written);
            self.series.push(series);
        }
        kept
    }

    /// Adds a row of numbers.
    pub fn push(&mut self, series: u32, values: &[f64], valid: &[bool]) {
        let (to, to_valid) = self.slots();
        to.copy_from_slice(values);
        to_valid.copy_from_slice(valid);
        self.commit(series);
    }

    /// Adds a row.
    pub fn push_row(&mut self, series: u32, row: Row<'_>) {
        if !row.has_histograms() {
            return self.push(series, row.values, row.valid);
        }
        let to = self.all_slots();
        to.values.copy_from_slice(row.values);
        to.valid.copy_from_slice(row.valid);
        to.histograms.clone_from_slice(row.histograms);
        self.commit(series);
    }

    /// Whether a batch is full.
    pub fn is_full(&self) -> bool {
        self.series.len() * self.grid.slots() + self.count * HISTOGRAM_CELLS >= BATCH_CELLS
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let floats = self.values.capacity() * 8 + self.valid.capacity();
        floats + self.series.capacity() * 4 + self.bytes
    }

    /// The rows so far as a batch, if there are any.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.series.is_empty() {
            return Ok(None);
        }
        let series = std::mem::take(&mut self.series);
        let mut values = std::mem::take(&mut self.values);
        let mut valid = std::mem::take(&mut self.valid);
        let histograms = std::mem::take(&mut self.histograms);
        (self.count, self.bytes) = (0, 0);
        let (tiles, width) = (self.grid.tiles(), self.grid.width());
        values.truncate(series.len() * self.grid.slots());
        valid.truncate(series.len() * self.grid.slots());
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        let cells = Float64Array::new(values.into(), nulls);
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        let list = FixedSizeListArray::try_new(item, width as i32, Arc::new(cells), None)?;
        let ids = series.iter().flat_map(|&id| std::iter::repeat_n(id, tiles));
        let tile = (0..series.len()).flat_map(|_| 0..tiles as i32);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(ids)),
            Arc::new(Int32Array::from_iter_values(tile)),
            Arc::new(list),
        ];
        if self.cells == Cells::Mixed {
            let rows = series.len() * tiles;
            let kept = histograms.len().min(rows * width);
            columns.extend(histograms::encode(&histograms[..kept], rows, width)?);
        }
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns)?))
    }
}
