//! Columns to histograms.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StructArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};

use super::hint;
use crate::model::{CountsView, Histogram, HistogramView, Spans};
use crate::{Error, Result};

/// The histograms of a batch with the columns of
/// [`histograms_schema`](crate::block::schema::histograms_schema), all of them.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt), if a column lacks or a row contradicts itself.
pub fn from_batch(batch: &RecordBatch) -> Result<Vec<Histogram>> {
    let columns = HistogramColumns::new(|name| batch.column_by_name(name))?;
    (0..batch.num_rows()).map(|row| Ok(columns.view(row)?.to_histogram())).collect()
}

/// The columns of histograms, downcast once.
#[derive(Debug)]
pub struct HistogramColumns<'a> {
    is_float: &'a BooleanArray,
    reset_hint: &'a Int32Array,
    schema: &'a Int32Array,
    zero_threshold: &'a Float64Array,
    sum: &'a Float64Array,
    count: &'a Int64Array,
    zero_count: &'a Int64Array,
    count_float: &'a Float64Array,
    zero_count_float: &'a Float64Array,
    positive: Side<'a>,
    negative: Side<'a>,
    custom_values: List<'a, Float64Type>,
}

#[derive(Debug)]
struct Side<'a> {
    offsets: List<'a, Int32Type>,
    lengths: List<'a, Int32Type>,
    counts: List<'a, Int64Type>,
    counts_float: List<'a, Float64Type>,
}

/// A column of lists.
#[derive(Debug)]
struct List<'a, T: ArrowPrimitiveType> {
    ends: &'a [i32],
    values: &'a [T::Native],
}

impl<'a, T: ArrowPrimitiveType> List<'a, T> {
    fn new(list: &'a ListArray) -> Option<Self> {
        let values = list.values();
        let is_type = *values.data_type() == T::DATA_TYPE;
        let values = values.as_primitive_opt::<T>().filter(|_| is_type)?.values();
        Some(Self { ends: list.value_offsets(), values })
    }

    fn row(&self, row: usize) -> &'a [T::Native] {
        &self.values[self.ends[row] as usize..self.ends[row + 1] as usize]
    }
}

impl<'a> HistogramColumns<'a> {
    /// The columns of an array with [`histogram_fields`](super::histogram_fields).
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt), if a column lacks.
    pub fn of(array: &'a StructArray) -> Result<Self> {
        Self::new(|name| array.column_by_name(name))
    }

    fn new(by_name: impl Fn(&str) -> Option<&'a ArrayRef>) -> Result<Self> {
        let lacks = |name: &str| Error::corrupt(format!("histograms: column {name}"));
        let column = |name: &str| by_name(name).ok_or_else(|| lacks(name));
        let int32 = |name: &str| column(name)?.as_primitive_opt().ok_or_else(|| lacks(name));
        let int64 = |name: &str| column(name)?.as_primitive_opt().ok_or_else(|| lacks(name));
        let float = |name: &str| column(name)?.as_primitive_opt().ok_or_else(|| lacks(name));
        let list = |name: &str| column(name)?.as_list_opt::<i32>().ok_or_else(|| lacks(name));
        let numbers = |name: &str| List::new(list(name)?).ok_or_else(|| lacks(name));
        let whole = |name: &str| List::new(list(name)?).ok_or_else(|| lacks(name));
        let floats = |name: &str| List::new(list(name)?).ok_or_else(|| lacks(name));
        let side = |offsets: &str, lengths: &str, counts: &str, counts_float: &str| {
            Ok::<_, Error>(Side {
                offsets: numbers(offsets)?,
                lengths: numbers(lengths)?,
                counts: whole(counts)?,
                counts_float: floats(counts_float)?,
            })
        };
        Ok(Self {
            is_float: column("is_float")?.as_boolean_opt().ok_or_else(|| lacks("is_float"))?,
            reset_hint: int32("reset_hint")?,
            schema: int32("schema")?,
            zero_threshold: float("zero_threshold")?,
            sum: float("sum")?,
            count: int64("count")?,
            zero_count: int64("zero_count")?,
            count_float: float("count_float")?,
            zero_count_float: float("zero_count_float")?,
            positive: side(
                "positive_offsets",
                "positive_lengths",
                "positive_counts",
                "positive_counts_float",
            )?,
            negative: side(
                "negative_offsets",
                "negative_lengths",
                "negative_counts",
                "negative_counts_float",
            )?,
            custom_values: floats("custom_values")?,
        })
    }

    /// The sums, one a row: the stale marker's bits make a histogram a stale marker.
    pub fn sums(&self) -> &'a [f64] {
        self.sum.values()
    }

    /// The histogram of a row.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt), if the row contradicts itself.
    pub fn view(&self, row: usize) -> Result<HistogramView<'a>> {
        let is_float = self.is_float.value(row);
        if self.count.is_null(row) != is_float || self.count_float.is_null(row) == is_float {
            return Err(Error::corrupt(
                "a histogram's counts are not of the kind that is_float says",
            ));
        }
        let counts = match is_float {
            false => CountsView::Int {
                count: self.count.value(row) as u64,
                zero_count: self.zero_count.value(row) as u64,
                positive: self.positive.counts.row(row),
                negative: self.negative.counts.row(row),
            },
            true => CountsView::Float {
                count: self.count_float.value(row),
                zero_count: self.zero_count_float.value(row),
                positive: self.positive.counts_float.row(row),
                negative: self.negative.counts_float.row(row),
            },
        };
        let lengths = match counts {
            CountsView::Int { positive, negative, .. } => (positive.len(), negative.len()),
            CountsView::Float { positive, negative, .. } => (positive.len(), negative.len()),
        };
        Ok(HistogramView {
            counter_reset_hint: hint(self.reset_hint.value(row))?,
            schema: self.schema.value(row),
            zero_threshold: self.zero_threshold.value(row),
            sum: self.sum.value(row),
            positive: self.positive.spans(row, lengths.0)?,
            negative: self.negative.spans(row, lengths.1)?,
            custom_values: self.custom_values.row(row),
            counts,
        })
    }
}

impl<'a> Side<'a> {
    /// The spans of a row, which have `counts` buckets.
    fn spans(&self, row: usize, counts: usize) -> Result<Spans<'a>> {
        let (offsets, lengths) = (self.offsets.row(row), self.lengths.row(row));
        if offsets.len() != lengths.len() {
            return Err(Error::corrupt(
                "a histogram has other numbers of span offsets and lengths",
            ));
        }
        if let Some(length) = lengths.iter().find(|&&length| length < 0) {
            return Err(Error::corrupt(format!("a span of {length} buckets")));
        }
        let buckets: u64 = lengths.iter().map(|&length| length as u64).sum();
        if buckets != counts as u64 {
            return Err(Error::corrupt(format!(
                "a histogram with {buckets} buckets has counts of {counts}"
            )));
        }
        Ok(Spans { offsets, lengths })
    }
}
