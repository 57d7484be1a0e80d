//! The grid: what operators above range functions exchange.
//!
//! ```text
//! series: UInt32                          index into the node's series, known to the planner
//! tile:   Int32                           0, 1, … : which part of the step axis
//! value:  FixedSizeList<Float64?, width>  one slot a step of the tile; null = no number
//! ```
//!
//! A plan that may have native histograms has two more columns, and in each of them as many elements
//! as the tile has histograms; a slot has a number, or a histogram, or nothing:
//!
//! ```text
//! slot:      List<Int32>                  the slots with histograms, ascending
//! histogram: List<Struct>                 the histograms, as in run batches ([`engine::source`])
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

mod builder;
mod histograms;
mod rows;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_plan::ExecutionPlan;

pub use builder::GridBuilder;
pub(super) use histograms::{
    decode as decode_histograms, encode as encode_histograms, fields as histogram_fields,
};
pub use rows::{GridRows, OwnedRow, Row};

/// Most slots of a tile.
const MAX_WIDTH: usize = 1024;

/// What the slots of a grid may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Numbers.
    Floats,
    /// Numbers and native histograms.
    Mixed,
}

impl Cells {
    /// What the batches of `plan`, grid or runs, may hold.
    pub fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        match plan.schema().column_with_name(histograms::HISTOGRAM) {
            Some(_) => Self::Mixed,
            None => Self::Floats,
        }
    }

    /// What both together may hold.
    pub fn or(self, other: Self) -> Self {
        if self == Self::Mixed { self } else { other }
    }
}

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

    /// The schema of grid batches on this axis that have numbers alone.
    pub fn schema(&self) -> SchemaRef {
        self.schema_of(Cells::Floats)
    }

    /// The schema of grid batches on this axis.
    pub fn schema_of(&self, cells: Cells) -> SchemaRef {
        let item = Arc::new(Field::new("item", DataType::Float64, true));
        let width = i32::try_from(self.width()).expect("a tile has at most 1,024 slots");
        let metadata = HashMap::from([
            ("stoa.start".to_owned(), self.start.to_string()),
            ("stoa.step".to_owned(), self.step.to_string()),
            ("stoa.steps".to_owned(), self.steps.to_string()),
            ("stoa.width".to_owned(), width.to_string()),
        ]);
        let mut fields = vec![
            Field::new("series", DataType::UInt32, false),
            Field::new("tile", DataType::Int32, false),
            Field::new("value", DataType::FixedSizeList(item, width), false),
        ];
        if cells == Cells::Mixed {
            fields.extend(histograms::fields());
        }
        Arc::new(Schema::new_with_metadata(fields, metadata))
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
