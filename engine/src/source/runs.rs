//! Run batches with native histograms and start timestamps, made and read.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch, StructArray,
    UInt32Array, new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema, SchemaRef};

use super::run_schema;
use crate::block::histogram::{HistogramBuilder, histogram_fields};
use crate::model::HistogramParts;
use crate::scan::located::{item as number_item, list};
use crate::{Error, Result};

/// A histogram counts as so many floats where batches and waves of reading are limited.
pub const HISTOGRAM_WEIGHT: usize = 64;

/// The name of the column of histograms.
const HISTOGRAM: &str = "histogram";

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields: Vec<FieldRef> = run_schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(HISTOGRAM, DataType::List(item()), true)));
    Arc::new(Schema::new(fields))
});

/// The name of the column of start timestamps.
const STARTS: &str = "start_ts";

static START_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields: Vec<FieldRef> = SCHEMA.fields().iter().cloned().collect();
    let starts = DataType::List(number_item(DataType::Int64));
    fields.push(Arc::new(Field::new(STARTS, starts, false)));
    Arc::new(Schema::new(fields))
});

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(histogram_fields()), false))
}

/// The schema of run batches that may have native histograms.
pub fn histogram_run_schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The schema of run batches that may have start timestamps, and native histograms: a last column
/// `start_ts`, `List<Int64>`, has one for each timestamp, in ms, 0 where it is unknown.
pub fn start_run_schema() -> SchemaRef {
    Arc::clone(&START_SCHEMA)
}

/// The schema of run batches that may have native histograms, or start timestamps too.
pub(crate) fn run_schema_with(histograms: bool, starts: bool) -> SchemaRef {
    match (starts, histograms) {
        (true, _) => start_run_schema(),
        (false, true) => histogram_run_schema(),
        (false, false) => run_schema(),
    }
}

/// Whether batches of `schema` have a column of start timestamps.
pub(crate) fn has_starts(schema: &Schema) -> bool {
    schema.column_with_name(STARTS).is_some()
}

/// The column of start timestamps of a run batch, if it has one, and the numbers in its lists.
///
/// # Errors
/// [`Internal`](crate::ErrorKind::Internal) for a column of another type.
pub fn starts_of(batch: &RecordBatch) -> Result<Option<(&ListArray, &[i64])>> {
    let wrong = || Error::internal("a batch that is no run batch");
    let Some(column) = batch.column_by_name(STARTS) else { return Ok(None) };
    let lists = column.as_list_opt::<i32>().ok_or_else(wrong)?;
    let numbers = lists.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
    Ok(Some((lists, numbers.values())))
}

/// Whether batches of `schema` have a column of native histograms.
pub(crate) fn has_histograms(schema: &Schema) -> bool {
    schema.column_with_name(HISTOGRAM).is_some()
}

/// The column of histograms of a run batch, if it has one, and the array of structs in its lists.
///
/// # Errors
/// [`Internal`](crate::ErrorKind::Internal) for a column of another type.
pub fn histograms_of(batch: &RecordBatch) -> Result<Option<(&ListArray, &StructArray)>> {
    let wrong = || Error::internal("a batch that is no run batch");
    let Some(column) = batch.column_by_name(HISTOGRAM) else { return Ok(None) };
    let lists = column.as_list_opt::<i32>().ok_or_else(wrong)?;
    Ok(Some((lists, lists.values().as_struct_opt().ok_or_else(wrong)?)))
}

/// Makes run batches with native histograms: samples are added series by series, in order of time;
/// neighbours of one series and kind become one row.
#[derive(Debug, Default)]
pub struct RunBuilder {
    series: Vec<u32>,
    lengths: Vec<usize>,
    has_histograms: Vec<bool>,
    ts: Vec<i64>,
    values: Vec<f64>,
    /// Histograms in the order of their samples: rows of arrays, and then those that came one by one.
    arrays: Vec<(StructArray, Range<usize>)>,
    made: HistogramBuilder,
    /// One a timestamp; none if the batches have no column for them.
    starts: Option<Vec<i64>>,
    /// How many histograms there are, and the bytes that those in arrays take.
    count: usize,
    bytes: usize,
    /// Whether the next samples are a row of their own, whatever they are.
    ended: bool,
}

impl RunBuilder {
    /// A builder of batches of [`histogram_run_schema`] or [`start_run_schema`].
    pub fn of(schema: &Schema) -> Self {
        Self { starts: has_starts(schema).then(Vec::new), ..Self::default() }
    }

    /// The start timestamps of the samples that were added last, one each; left alone where the batches
    /// have no column for them.
    pub fn starts(&mut self, of_last: &[i64]) {
        if let Some(starts) = &mut self.starts {
            starts.resize(self.ts.len().saturating_sub(of_last.len()), 0);
            starts.extend_from_slice(of_last);
        }
    }

    /// Adds floats.
    pub fn floats(&mut self, series: u32, ts: &[i64], values: &[f64]) {
        self.ts.extend_from_slice(ts);
        self.values.extend_from_slice(values);
        self.row(series, ts.len(), false);
    }

    /// Adds histograms, one a timestamp.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for one whose spans are not those of its counts.
    pub fn histograms<'a>(
        &mut self,
        series: u32,
        ts: &[i64],
        histograms: impl IntoIterator<Item = HistogramParts<'a>>,
    ) -> Result<()> {
        histograms.into_iter().try_for_each(|histogram| self.made.push(histogram))?;
        self.histogram_row(series, ts);
        Ok(())
    }

    /// Adds histograms, one a timestamp: `rows` of `all`. Rows that follow on those added before are handed
    /// on without a copy.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) if Arrow refuses what was added before.
    pub fn histogram_rows(
        &mut self,
        series: u32,
        ts: &[i64],
        all: &StructArray,
        rows: Range<usize>,
    ) -> Result<()> {
        self.end_made()?;
        self.bytes += all.get_array_memory_size() / all.len().max(1) * rows.len();
        match self.arrays.last_mut() {
            Some((last, before))
                if Arc::ptr_eq(last.column(0), all.column(0)) && before.end == rows.start =>
            {
                before.end = rows.end;
            }
            _ => self.arrays.push((all.clone(), rows)),
        }
        self.histogram_row(series, ts);
        Ok(())
    }

    fn histogram_row(&mut self, series: u32, ts: &[i64]) {
        self.ts.extend_from_slice(ts);
        self.count += ts.len();
        self.row(series, ts.len(), true);
    }

    /// Makes an array of the histograms that came one by one.
    fn end_made(&mut self) -> Result<()> {
        if !self.made.is_empty() {
            let all = std::mem::take(&mut self.made).finish()?;
            self.bytes += all.get_array_memory_size();
            let rows = 0..all.len();
            self.arrays.push((all, rows));
        }
        Ok(())
    }

    fn row(&mut self, series: u32, samples: usize, has_histograms: bool) {
        if samples == 0 {
            return;
        }
        let goes_on = self.series.last() == Some(&series)
            && self.has_histograms.last() == Some(&has_histograms)
            && !self.ended;
        self.ended = false;
        match self.lengths.last_mut() {
            Some(length) if goes_on => *length += samples,
            _ => {
                self.series.push(series);
                self.lengths.push(samples);
                self.has_histograms.push(has_histograms);
            }
        }
    }

    /// Ends the row in hand: what comes next is another, even of the same series and kind.
    pub(crate) fn end_row(&mut self) {
        self.ended = true;
    }

    /// How many samples the batch has, histograms by their weight.
    pub(crate) fn weight(&self) -> usize {
        self.ts.len() + self.count * HISTOGRAM_WEIGHT
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        let starts = self.starts.as_ref().map_or(0, Vec::capacity);
        (self.ts.capacity() + self.values.capacity() + starts) * 8 + self.bytes + self.made.held()
    }

    /// The batch, if it has a row; the builder is empty after.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) if Arrow refuses what was added.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>> {
        self.end_made()?;
        let next = Self { starts: self.starts.as_ref().map(|_| Vec::new()), ..Self::default() };
        let built = std::mem::replace(self, next);
        if built.series.is_empty() {
            return Ok(None);
        }
        let failed = |e| Error::internal("run batch").with_source(e);
        let lengths = |histograms: bool| -> Vec<usize> {
            let rows = built.lengths.iter().zip(&built.has_histograms);
            rows.map(|(&length, &has)| if has == histograms { length } else { 0 }).collect()
        };
        let parts = built.arrays.iter().map(|(all, rows)| all.slice(rows.start, rows.len()));
        let parts: Vec<StructArray> = parts.collect();
        let histograms = match &parts[..] {
            [] => new_empty_array(&DataType::Struct(histogram_fields())),
            [one] => Arc::new(one.clone()) as ArrayRef,
            many => {
                let many: Vec<&dyn Array> = many.iter().map(|array| array as &dyn Array).collect();
                concat(&many).map_err(failed)?
            }
        };
        let histograms = ListArray::try_new(
            item(),
            OffsetBuffer::from_lengths(lengths(true)),
            histograms,
            Some(NullBuffer::from(built.has_histograms.clone())),
        );
        let floats = NullBuffer::from_iter(built.has_histograms.iter().map(|has| !has));
        let starts = built.starts.map(|mut starts| {
            starts.resize(built.ts.len(), 0);
            starts
        });
        let (ts, values) = (Int64Array::from(built.ts), Float64Array::from(built.values));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(built.series)),
            list(DataType::Int64, &built.lengths, Arc::new(ts), None)?,
            list(DataType::Float64, &lengths(false), Arc::new(values), Some(floats))?,
            Arc::new(histograms.map_err(failed)?),
        ];
        let mut schema = histogram_run_schema();
        if let Some(starts) = starts {
            let starts = Arc::new(Int64Array::from(starts));
            columns.push(list(DataType::Int64, &built.lengths, starts, None)?);
            schema = start_run_schema();
        }
        RecordBatch::try_new(schema, columns).map(Some).map_err(failed)
    }
}
