//! Histograms to columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, PrimitiveArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type, Schema};

use super::{FIRST_COLUMN, hint_number};
use crate::block::{failed, schema::histograms_schema};
use crate::model::{Histogram, HistogramCounts};
use crate::{Error, Result};

/// The columns of `histograms` from `is_float` on, as [`histograms_schema`] has them. A histogram
/// whose spans are not those of its counts is an [`Invalid`](crate::ErrorKind::Invalid) error.
pub(in crate::block) fn to_columns(histograms: &[Histogram]) -> Result<Vec<ArrayRef>> {
    let schema = histograms_schema();
    let each = || histograms.iter();
    for histogram in each() {
        check_buckets(histogram)?;
    }
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(each().map(|h| Some(is_float(h))).collect::<BooleanArray>()),
        Arc::new(Int32Array::from_iter_values(each().map(|h| hint_number(h.counter_reset_hint)))),
        Arc::new(Int32Array::from_iter_values(each().map(|h| h.schema))),
        Arc::new(Float64Array::from_iter_values(each().map(|h| h.zero_threshold))),
        Arc::new(Float64Array::from_iter_values(each().map(|h| h.sum))),
        Arc::new(each().map(|h| whole(h).map(|(c, ..)| c)).collect::<Int64Array>()),
        Arc::new(each().map(|h| whole(h).map(|(_, z, ..)| z)).collect::<Int64Array>()),
        Arc::new(each().map(|h| floats(h).map(|(c, ..)| c)).collect::<Float64Array>()),
        Arc::new(each().map(|h| floats(h).map(|(_, z, ..)| z)).collect::<Float64Array>()),
    ];
    let mut list = |column: ArrayRefOf<'_>| -> Result<()> {
        let at = FIRST_COLUMN + columns.len();
        columns.push(column(&schema, at)?);
        Ok(())
    };
    for negative in [false, true] {
        let spans = |h: &Histogram| match negative {
            true => h.negative_spans.clone(),
            false => h.positive_spans.clone(),
        };
        for span in each().flat_map(spans) {
            if i32::try_from(span.length).is_err() {
                return Err(Error::invalid(format!("a span of {} buckets", span.length)));
            }
        }
        list(&|schema, at| {
            let rows = each().map(|h| Some(spans(h).iter().map(|s| s.offset).collect()));
            lists::<Int32Type>(schema, at, rows.collect())
        })?;
        list(&|schema, at| {
            let rows = each().map(|h| Some(spans(h).iter().map(|s| s.length as i32).collect()));
            lists::<Int32Type>(schema, at, rows.collect())
        })?;
        list(&|schema, at| {
            let side = |(_, _, p, n): (i64, i64, &[i64], &[i64])| {
                if negative { n.to_vec() } else { p.to_vec() }
            };
            lists::<Int64Type>(schema, at, each().map(|h| whole(h).map(side)).collect())
        })?;
        list(&|schema, at| {
            let side = |(_, _, p, n): (f64, f64, &[f64], &[f64])| {
                if negative { n.to_vec() } else { p.to_vec() }
            };
            lists::<Float64Type>(schema, at, each().map(|h| floats(h).map(side)).collect())
        })?;
    }
    list(&|schema, at| {
        let rows = each().map(|h| Some(h.custom_values.clone()));
        lists::<Float64Type>(schema, at, rows.collect())
    })?;
    Ok(columns)
}

type ArrayRefOf<'a> = &'a dyn Fn(&Schema, usize) -> Result<ArrayRef>;

fn lists<T: ArrowPrimitiveType>(
    schema: &Schema,
    at: usize,
    rows: Vec<Option<Vec<T::Native>>>,
) -> Result<ArrayRef> {
    let DataType::List(element) = schema.field(at).data_type() else {
        return Err(Error::internal(format!("column {at} of histograms is no list")));
    };
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|r| r.as_ref().map_or(0, Vec::len)));
    let values = rows.into_iter().flatten().flatten();
    let values: ArrayRef = Arc::new(PrimitiveArray::<T>::from_iter_values(values));
    let nulls = schema.field(at).is_nullable().then_some(nulls);
    let list = ListArray::try_new(Arc::clone(element), offsets, values, nulls);
    Ok(Arc::new(list.map_err(failed)?))
}

/// Whether the spans name as many buckets as there are counts.
fn check_buckets(histogram: &Histogram) -> Result<()> {
    let counts = match &histogram.counts {
        HistogramCounts::Int { positive, negative, .. } => (positive.len(), negative.len()),
        HistogramCounts::Float { positive, negative, .. } => (positive.len(), negative.len()),
    };
    let sides = [(&histogram.positive_spans, counts.0), (&histogram.negative_spans, counts.1)];
    for (spans, counts) in sides {
        let buckets: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        if buckets != counts as u64 {
            let what = format!("a histogram with {buckets} buckets has counts of {counts}");
            return Err(Error::invalid(what));
        }
    }
    Ok(())
}

fn is_float(histogram: &Histogram) -> bool {
    matches!(histogram.counts, HistogramCounts::Float { .. })
}

fn whole(histogram: &Histogram) -> Option<(i64, i64, &[i64], &[i64])> {
    match &histogram.counts {
        HistogramCounts::Int { count, zero_count, positive, negative } => {
            Some((*count as i64, *zero_count as i64, positive, negative))
        }
        HistogramCounts::Float { .. } => None,
    }
}

fn floats(histogram: &Histogram) -> Option<(f64, f64, &[f64], &[f64])> {
    match &histogram.counts {
        HistogramCounts::Float { count, zero_count, positive, negative } => {
            Some((*count, *zero_count, positive, negative))
        }
        HistogramCounts::Int { .. } => None,
    }
}
