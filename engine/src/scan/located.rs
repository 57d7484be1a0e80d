//! Located runs: what flows between scan, merge and dedup.
//!
//! ```text
//! series:  UInt32         index into the roster, ascending over the stream of a partition
//! replica: UInt32         rank of the replica among those of the query, by its labels
//! file:    UInt32         index into the plan's list of blocks
//! row:     Int64          first row in the block's samples.parquet
//! ts:      List<Int64>    timestamps of consecutive rows in ms, strictly ascending
//! stale:   List<UInt32>   positions in `ts` of stale markers, where the plan asks for them
//! settle:  Int64          set by dedup after a change of leader (`Pick::settle`)
//! ```
//!
//! A batch ends between two series if it can, and holds about 64 Ki samples.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;

use crate::{Error, Result};

/// A batch is closed before a series that would make it longer.
pub(crate) const BATCH_SAMPLES: usize = 64 * 1024;
/// A batch is closed even inside a series when it is this long.
pub(crate) const BATCH_SAMPLES_MAX: usize = 1024 * 1024;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("series", DataType::UInt32, false),
        Field::new("replica", DataType::UInt32, false),
        Field::new("file", DataType::UInt32, false),
        Field::new("row", DataType::Int64, false),
        Field::new("ts", DataType::List(item(DataType::Int64)), false),
        Field::new("stale", DataType::List(item(DataType::UInt32)), false),
        Field::new("settle", DataType::Int64, false),
    ]))
});

/// The schema of located runs.
pub(crate) fn located_schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The item field of a list without nulls.
pub(crate) fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("item", data_type, false))
}

/// A batch of located runs as slices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'a> {
    pub(crate) series: &'a [u32],
    pub(crate) replica: &'a [u32],
    pub(crate) file: &'a [u32],
    pub(crate) row: &'a [i64],
    /// `ts` of row `i` is `ts[offsets[i]..offsets[i + 1]]`.
    pub(crate) offsets: &'a [i32],
    pub(crate) ts: &'a [i64],
    stale_offsets: &'a [i32],
    stale: &'a [u32],
    pub(crate) settle: &'a [i64],
}

impl<'a> Located<'a> {
    /// The columns of `batch`, which has [`located_schema`].
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self> {
        let wrong = || Error::internal("a batch that is no batch of located runs");
        if batch.num_columns() != SCHEMA.fields().len() {
            return Err(wrong());
        }
        let ids = |at: usize| {
            let column = batch.column(at).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
            Ok::<_, Error>(column.values().as_ref())
        };
        let numbers = |at: usize| {
            let column = batch.column(at).as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            Ok::<_, Error>(column.values().as_ref())
        };
        let list = |at: usize| batch.column(at).as_list_opt::<i32>().ok_or_else(wrong);
        let (ts, stale) = (list(4)?, list(5)?);
        Ok(Self {
            series: ids(0)?,
            replica: ids(1)?,
            file: ids(2)?,
            row: numbers(3)?,
            offsets: ts.value_offsets(),
            ts: ts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values(),
            stale_offsets: stale.value_offsets(),
            stale: stale.values().as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values(),
            settle: numbers(6)?,
        })
    }

    /// How many runs there are.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// The timestamps of run `at`.
    pub(crate) fn ts(&self, at: usize) -> &'a [i64] {
        &self.ts[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }

    /// The positions of stale markers in run `at`.
    pub(crate) fn stale(&self, at: usize) -> &'a [u32] {
        &self.stale[self.stale_offsets[at] as usize..self.stale_offsets[at + 1] as usize]
    }
}

/// A run without its timestamps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) series: u32,
    pub(crate) replica: u32,
    pub(crate) file: u32,
    pub(crate) row: i64,
    pub(crate) settle: i64,
}

/// Makes batches of located runs.
#[derive(Debug, Default)]
pub(crate) struct LocatedBuilder {
    series: Vec<u32>,
    replica: Vec<u32>,
    file: Vec<u32>,
    row: Vec<i64>,
    settle: Vec<i64>,
    lengths: Vec<usize>,
    ts: Vec<i64>,
    stale_lengths: Vec<usize>,
    stale: Vec<u32>,
}

impl LocatedBuilder {
    /// How many samples the batch has so far.
    pub(crate) fn samples(&self) -> usize {
        self.ts.len()
    }

    /// The timestamps so far; [`Self::close_run`] makes what was appended since a run.
    pub(crate) fn ts_mut(&mut self) -> &mut Vec<i64> {
        &mut self.ts
    }

    /// Makes the timestamps from position `start` on a run, with its stale markers (ascending
    /// positions in the run). A run without samples is left out.
    pub(crate) fn close_run(
        &mut self,
        place: Place,
        start: usize,
        stale: impl IntoIterator<Item = u32>,
    ) {
        if start == self.ts.len() {
            return;
        }
        self.series.push(place.series);
        self.replica.push(place.replica);
        self.file.push(place.file);
        self.row.push(place.row);
        self.settle.push(place.settle);
        self.lengths.push(self.ts.len() - start);
        let before = self.stale.len();
        self.stale.extend(stale);
        self.stale_lengths.push(self.stale.len() - before);
    }

    /// Appends samples `from..to` of run `at` of another batch.
    pub(crate) fn copy(
        &mut self,
        runs: &Located<'_>,
        at: usize,
        from: usize,
        to: usize,
        settle: i64,
    ) {
        let start = self.ts.len();
        self.ts.extend_from_slice(&runs.ts(at)[from..to]);
        let place = Place {
            series: runs.series[at],
            replica: runs.replica[at],
            file: runs.file[at],
            row: runs.row[at] + from as i64,
            settle,
        };
        let inside = |marker: &u32| (from..to).contains(&(*marker as usize));
        let stale = runs.stale(at).iter().copied().filter(inside);
        self.close_run(place, start, stale.map(|marker| marker - from as u32));
    }

    /// The batch, if it has a run; the builder is empty after.
    pub(crate) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if self.series.is_empty() {
            return Ok(None);
        }
        // The next batch is about as long: its timestamps are not moved while it grows.
        let next = Self { ts: Vec::with_capacity(self.ts.len()), ..Self::default() };
        let built = std::mem::replace(self, next);
        let ts: ArrayRef = Arc::new(Int64Array::from(built.ts));
        let stale: ArrayRef = Arc::new(UInt32Array::from(built.stale));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(built.series)),
            Arc::new(UInt32Array::from(built.replica)),
            Arc::new(UInt32Array::from(built.file)),
            Arc::new(Int64Array::from(built.row)),
            list(DataType::Int64, &built.lengths, ts, None)?,
            list(DataType::UInt32, &built.stale_lengths, stale, None)?,
            Arc::new(Int64Array::from(built.settle)),
        ];
        RecordBatch::try_new(located_schema(), columns)
            .map(Some)
            .map_err(|e| Error::internal(format!("located runs: {e}")))
    }
}

/// A list array of `values` cut into `lengths`.
pub(crate) fn list(
    item_type: DataType,
    lengths: &[usize],
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let mut offsets = Vec::with_capacity(lengths.len() + 1);
    let mut end = 0usize;
    offsets.push(0);
    for length in lengths {
        end += length;
        offsets.push(i32::try_from(end).map_err(|_| Error::internal("a batch is too long"))?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    ListArray::try_new(item(item_type), offsets, values, nulls)
        .map(|list| Arc::new(list) as ArrayRef)
        .map_err(|e| Error::internal(format!("list: {e}")))
}
