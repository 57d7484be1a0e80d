//! Native histograms as columns of `histograms.parquet`, both ways and exact.
//!
//! Whole counts are in the `…` columns as i64 (u64 by its bits), float counts in the `…_float`
//! columns; `is_float` says which are set, the others are null.
//!
//! The same columns as one array of structs ([`histogram_fields`]) are what run batches carry
//! ([`crate::source`]).

mod read;
mod write;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, ListArray, StructArray, new_empty_array, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Fields};

use super::schema::histograms_schema;
use crate::model::{CounterResetHint, Histogram};
use crate::{Error, Result};

pub use read::{HistogramColumns, from_batch};
pub use write::HistogramBuilder;

/// The number of the first column that belongs to the histogram itself.
pub(in crate::block) const FIRST_COLUMN: usize = 5;

static FIELDS: LazyLock<Fields> =
    LazyLock::new(|| histograms_schema().fields().iter().skip(FIRST_COLUMN).cloned().collect());

/// The columns of a histogram: those of [`histograms_schema`] from `is_float` on.
pub fn histogram_fields() -> Fields {
    FIELDS.clone()
}

/// The numbers of these columns in a file; each is one leaf.
pub(crate) fn histogram_columns() -> Range<usize> {
    FIRST_COLUMN..FIRST_COLUMN + FIELDS.len()
}

/// Histograms as an array of structs with [`histogram_fields`].
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) for one whose spans are not those of its counts.
pub fn histogram_array(histograms: &[Histogram]) -> Result<StructArray> {
    built(histograms)?.finish()
}

/// The columns of `histograms` in the order of [`histogram_fields`].
///
/// # Errors
/// As [`histogram_array`].
pub(super) fn to_columns(histograms: &[Histogram]) -> Result<Vec<ArrayRef>> {
    built(histograms)?.columns()
}

fn built(histograms: &[Histogram]) -> Result<HistogramBuilder> {
    let mut builder = HistogramBuilder::with_capacity(histograms.len());
    histograms.iter().try_for_each(|histogram| builder.push(histogram.parts()))?;
    Ok(builder)
}

/// An array of structs of columns as a file has them, in the order of [`histogram_fields`]. A column that is
/// not given has no values: it is all null, or its lists are all empty.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if they are of other types.
pub(crate) fn from_columns(columns: Vec<Option<ArrayRef>>) -> Result<StructArray> {
    let wrong = |e| Error::corrupt("columns of histograms").with_source(e);
    let fields = histogram_fields();
    let is_float = columns.first().and_then(|column| column.as_ref()?.as_boolean_opt());
    let is_float = is_float.ok_or_else(|| Error::corrupt("histograms: column is_float"))?.values();
    let columns = fields.iter().zip(&columns).map(|(field, column)| {
        let (nulls, offsets, values) = match (field.data_type(), column) {
            (DataType::List(_), Some(column)) => {
                let list = column.as_list_opt::<i32>().cloned();
                let lacks = || Error::corrupt(format!("histograms: column {}", field.name()));
                // Files call the elements of lists what they like.
                let (_, offsets, values, nulls) = list.ok_or_else(lacks)?.into_parts();
                (nulls, offsets, values)
            }
            (DataType::List(element), None) => {
                let of_floats = field.name().ends_with("_float");
                let valid = || if of_floats { is_float.clone() } else { !is_float };
                let nulls = field.is_nullable().then(|| NullBuffer::new(valid()));
                let offsets = OffsetBuffer::new_zeroed(is_float.len());
                (nulls, offsets, new_empty_array(element.data_type()))
            }
            (_, Some(column)) => return Ok(Arc::clone(column)),
            (kind, None) => return Ok(new_null_array(kind, is_float.len())),
        };
        let DataType::List(element) = field.data_type() else {
            return Err(Error::internal("a list that is none"));
        };
        let list = ListArray::try_new(Arc::clone(element), offsets, values, nulls);
        Ok(Arc::new(list.map_err(wrong)?) as ArrayRef)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    StructArray::try_new(fields.clone(), columns, None).map_err(wrong)
}

fn hint_number(hint: CounterResetHint) -> i32 {
    match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::CounterReset => 1,
        CounterResetHint::NotCounterReset => 2,
        CounterResetHint::Gauge => 3,
    }
}

fn hint(number: i32) -> Result<CounterResetHint> {
    Ok(match number {
        0 => CounterResetHint::Unknown,
        1 => CounterResetHint::CounterReset,
        2 => CounterResetHint::NotCounterReset,
        3 => CounterResetHint::Gauge,
        other => return Err(Error::corrupt(format!("reset_hint {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HistogramCounts, Span};

    fn histogram(counts: HistogramCounts) -> Histogram {
        Histogram {
            counter_reset_hint: CounterResetHint::Unknown,
            schema: 1,
            zero_threshold: 0.5,
            sum: 4.5,
            positive_spans: vec![Span { offset: -1, length: 2 }],
            negative_spans: Vec::new(),
            custom_values: Vec::new(),
            counts,
        }
    }

    #[test]
    fn columns_without_values_need_not_be_given() {
        let (count, zero_count) = (3, 1);
        let whole =
            HistogramCounts::Int { count, zero_count, positive: vec![2, 0], negative: vec![] };
        let floats = HistogramCounts::Float {
            count: 2.5,
            zero_count: 0.0,
            positive: vec![2.5, 0.0],
            negative: vec![],
        };
        for counts in [whole, floats] {
            let all = histogram_array(&[histogram(counts.clone()), histogram(counts)]).unwrap();
            let given = all.columns().iter().map(|column| {
                let values = column.as_list_opt::<i32>().map(ListArray::values);
                let has_values =
                    values.map_or(column.null_count() < column.len(), |v| !v.is_empty());
                has_values.then(|| Arc::clone(column))
            });
            let given: Vec<Option<ArrayRef>> = given.collect();
            assert!(given.iter().filter(|column| column.is_none()).count() > 5);
            assert_eq!(from_columns(given).unwrap(), all);
        }
    }
}
