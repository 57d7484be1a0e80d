//! The grid: what operators above range functions exchange.
//!
//! ```text
//! series: UInt32                          index into the node's series, known to the planner
//! tile:   Int32                           0, 1, … : which part of the step axis
//! value:  FixedSizeList<Float64?, width>  one slot a step of the tile; null = no sample
//! ```
//!
//! | steps | tiles | width | padding |
//! |--:|--:|--:|--:|
//! | 1 (instant) | 1 | 1 | 0 |
//! | 481 | 1 | 481 | 0 |
//! | 1,441 | 2 | 721 | 1 |
//! | 11,000 | 11 | 1,000 | 0 |
//!
//! Start, step and number of steps of the whole axis are in the schema's metadata. All tiles of a
//! series stand side by side in one batch, so a series' slots are one contiguous slice;
//! padding is null. A series without any value is left out. A series occurs once in a stream,
//! and in one partition only; [`super::operator`] says where ascending order holds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, FixedSizeListArray, Float64Array, Int32Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

/// Most slots of a tile.
const MAX_WIDTH: usize = 1024;

/// About how many cells a batch holds, unless one series alone has more.
const BATCH_CELLS: usize = 64 * 1024;

/// The step axis of a grid: `start, start + step, …`, `steps` in number, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    /// The first step in ms.
    pub start: i64,
    /// The distance of two steps in ms; positive.
    pub step: i64,
    /// How many steps there are. No step, no slot: subqueries between two multiples of their step.
    pub steps: usize,
}

impl Grid {
    /// The axis with one step.
    pub fn instant(time: i64) -> Self {
        Self { start: time, step: 1, steps: 1 }
    }

    /// The steps `start + k*step <= end`; none if `end` lies before `start`.
    pub fn until(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let steps = match end.checked_sub(start) {
            Some(length) if length >= 0 => usize::try_from(length / step).unwrap_or(0) + 1,
            _ => 0,
        };
        Self { start, step, steps }
    }

    /// The time of step `at` in ms.
    #[inline]
    pub fn time(&self, at: usize) -> i64 {
        self.start.saturating_add((at as i64).saturating_mul(self.step))
    }

    /// The time of the last step (of the first, if there is none).
    pub fn end(&self) -> i64 {
        self.time(self.steps.saturating_sub(1))
    }

    /// How many tiles the axis has.
    pub fn tiles(&self) -> usize {
        self.steps.div_ceil(MAX_WIDTH).max(1)
    }

    /// How many slots each tile has.
    pub fn width(&self) -> usize {
        self.steps.div_ceil(self.tiles()).max(1)
    }

    /// Slots of a series, padding included.
    pub fn slots(&self) -> usize {
        self.tiles() * self.width()
    }

    /// The schema of grid batches on this axis.
    pub fn schema(&self) -> SchemaRef {
        let item = Arc::new(Field::new("item", DataType::Float64, true));
        let width = i32::try_from(self.width()).expect("a tile has at most 1,024 slots");
        let metadata = HashMap::from([
            ("stoa.start".to_owned(), self.start.to_string()),
            ("stoa.step".to_owned(), self.step.to_string()),
            ("stoa.steps".to_owned(), self.steps.to_string()),
            ("stoa.width".to_owned(), width.to_string()),
        ]);
        Arc::new(Schema::new_with_metadata(
            vec![
                Field::new("series", DataType::UInt32, false),
                Field::new("tile", DataType::Int32, false),
                Field::new("value", DataType::FixedSizeList(item, width), false),
            ],
            metadata,
        ))
    }
}

impl std::fmt::Display for Grid {
    /// `start=… step=… steps=…` in ms, or `at=…` for one step.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.steps == 1 {
            return write!(f, "at={}", self.start);
        }
        write!(f, "start={} step={} steps={}", self.start, self.step, self.steps)
    }
}

/// A grid batch, read: one row a series, whatever the number of tiles.
#[derive(Debug)]
pub struct GridRows {
    grid: Grid,
    batch: RecordBatch,
    valid: Option<Vec<bool>>,
    all_valid: Vec<bool>,
}

impl GridRows {
    /// Reads `batch`, which must be of `grid`'s schema.
    pub fn new(batch: RecordBatch, grid: Grid) -> Result<Self> {
        if batch.num_columns() != 3 || batch.num_rows() % grid.tiles() != 0 {
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
        Ok(Self { grid, batch, valid, all_valid })
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

    /// The values of row `at`, one a step; a slot that is not [valid](Self::valid) holds anything.
    pub fn values(&self, at: usize) -> &[f64] {
        let from = at * self.grid.slots();
        &self.cells()[from..from + self.grid.steps]
    }

    /// Which steps of row `at` have a value.
    pub fn valid(&self, at: usize) -> &[bool] {
        match &self.valid {
            None => &self.all_valid,
            Some(valid) => {
                let from = at * self.grid.slots();
                &valid[from..from + self.grid.steps]
            }
        }
    }

    /// The rows: series, values, validity.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[f64], &[bool])> {
        (0..self.len()).map(|at| (self.series(at), self.values(at), self.valid(at)))
    }
}

/// Writes grid batches, a series at a time.
#[derive(Debug)]
pub struct GridBuilder {
    grid: Grid,
    schema: SchemaRef,
    series: Vec<u32>,
    values: Vec<f64>,
    valid: Vec<bool>,
}

impl GridBuilder {
    /// A builder of batches on `grid`.
    pub fn new(grid: Grid) -> Self {
        let (series, values, valid) = (Vec::new(), Vec::new(), Vec::new());
        Self { grid, schema: grid.schema(), series, values, valid }
    }

    /// The slots of the next series, one a step, all invalid; write, then [`commit`](Self::commit).
    /// A row that is not committed is forgotten.
    pub fn slots(&mut self) -> (&mut [f64], &mut [bool]) {
        let from = self.series.len() * self.grid.slots();
        self.values.truncate(from);
        self.valid.truncate(from);
        self.values.resize(from + self.grid.slots(), 0.0);
        self.valid.resize(from + self.grid.slots(), false);
        let steps = self.grid.steps;
        (&mut self.values[from..from + steps], &mut self.valid[from..from + steps])
    }

    /// Keeps the slots just written as the row of `series`, if any of them is valid.
    pub fn commit(&mut self, series: u32) {
        let from = self.series.len() * self.grid.slots();
        if self.valid[from..].contains(&true) {
            self.series.push(series);
        }
    }

    /// Adds a row.
    pub fn push(&mut self, series: u32, values: &[f64], valid: &[bool]) {
        let (to, to_valid) = self.slots();
        to.copy_from_slice(values);
        to_valid.copy_from_slice(valid);
        self.commit(series);
    }

    /// Whether a batch is full.
    pub fn is_full(&self) -> bool {
        self.series.len() * self.grid.slots() >= BATCH_CELLS
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.values.capacity() * 8 + self.valid.capacity() + self.series.capacity() * 4
    }

    /// The rows so far as a batch, if there are any.
    pub fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.series.is_empty() {
            return Ok(None);
        }
        let series = std::mem::take(&mut self.series);
        let mut values = std::mem::take(&mut self.values);
        let mut valid = std::mem::take(&mut self.valid);
        let (tiles, width) = (self.grid.tiles(), self.grid.width());
        values.truncate(series.len() * self.grid.slots());
        valid.truncate(series.len() * self.grid.slots());
        let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
        let cells = Float64Array::new(values.into(), nulls);
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        let list = FixedSizeListArray::try_new(item, width as i32, Arc::new(cells), None)?;
        let ids = series.iter().flat_map(|&id| std::iter::repeat_n(id, tiles));
        let tile = (0..series.len()).flat_map(|_| 0..tiles as i32);
        let batch = RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(UInt32Array::from_iter_values(ids)),
                Arc::new(Int32Array::from_iter_values(tile)),
                Arc::new(list),
            ],
        )?;
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_share_one_width() {
        let axis = |steps| Grid { start: 0, step: 1, steps };
        let shape = |steps| (axis(steps).tiles(), axis(steps).width());
        assert_eq!(shape(1), (1, 1));
        assert_eq!(shape(1024), (1, 1024));
        assert_eq!(shape(1441), (2, 721));
        assert_eq!(shape(11_000), (11, 1000));
    }

    #[test]
    fn steps_end_at_or_before_the_end() {
        assert_eq!(Grid::until(0, 100, 30).steps, 4);
        assert_eq!(Grid::until(0, 90, 30).end(), 90);
        assert_eq!(Grid::until(10, 9, 30).steps, 0);
    }

    #[test]
    fn rows_come_back_whole_over_tiles() {
        let grid = Grid { start: 0, step: 10, steps: 1441 };
        let mut builder = GridBuilder::new(grid);
        let values: Vec<f64> = (0..1441).map(f64::from).collect();
        let valid: Vec<bool> = (0..1441).map(|i| i % 3 == 0).collect();
        builder.push(7, &values, &valid);
        builder.push(8, &values, &vec![false; 1441]);
        builder.push(9, &values, &valid);
        let batch = builder.take().unwrap().unwrap();
        assert_eq!(batch.num_rows(), 4);
        let rows = GridRows::new(batch, grid).unwrap();
        let read: Vec<_> = rows.iter().collect();
        assert_eq!(read, vec![(7, &values[..], &valid[..]), (9, &values[..], &valid[..])]);
        assert!(builder.take().unwrap().is_none());
    }
}
