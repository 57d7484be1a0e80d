//! Native histograms as columns of `histograms.parquet`, both ways and exact.
//!
//! Whole counts are in the `…` columns as i64 (u64 by its bits), float counts in the `…_float`
//! columns; `is_float` says which are set, the others are null.
//!
//! The same columns as one array of structs ([`histogram_fields`]) are what run batches carry
//! ([`crate::source`]).

mod read;
mod write;

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, ListArray, StructArray};
use arrow::datatypes::{DataType, Fields};

use super::schema::histograms_schema;
use crate::model::{CounterResetHint, Histogram};
use crate::{Error, Result};

pub use read::{HistogramColumns, from_batch};
pub(super) use write::to_columns;

/// The number of the first column that belongs to the histogram itself.
pub(crate) const FIRST_COLUMN: usize = 5;

static FIELDS: LazyLock<Fields> =
    LazyLock::new(|| histograms_schema().fields().iter().skip(FIRST_COLUMN).cloned().collect());

/// The columns of a histogram: those of [`histograms_schema`] from `is_float` on.
pub fn histogram_fields() -> Fields {
    FIELDS.clone()
}

/// Histograms as an array of structs with [`histogram_fields`].
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) for one whose spans are not those of its counts.
pub fn histogram_array(histograms: &[Histogram]) -> Result<StructArray> {
    from_columns(to_columns(histograms)?)
}

/// An array of structs of columns as a file has them, in the order of [`histogram_fields`].
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if they are of other types.
pub(crate) fn from_columns(columns: Vec<ArrayRef>) -> Result<StructArray> {
    let wrong = |e| Error::corrupt("columns of histograms").with_source(e);
    let fields = histogram_fields();
    let columns = fields.iter().zip(columns).map(|(field, column)| {
        // Files call the elements of lists what they like.
        match (field.data_type(), column.as_list_opt::<i32>()) {
            (DataType::List(element), Some(list)) => {
                let (_, offsets, values, nulls) = list.clone().into_parts();
                let list = ListArray::try_new(Arc::clone(element), offsets, values, nulls);
                Ok(Arc::new(list.map_err(wrong)?) as ArrayRef)
            }
            _ => Ok(column),
        }
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
