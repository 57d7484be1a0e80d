//! Native histograms as columns of `histograms.parquet`, both ways and exact.
//!
//! Whole counts are in the `…` columns as i64 (u64 by its bits), float counts in the `…_float`
//! columns; `is_float` says which are set, the others are null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray,
    PrimitiveArray, RecordBatch,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int32Type, Int64Type, Schema};

use super::{failed, schema::histograms_schema};
use crate::model::{CounterResetHint, Histogram, HistogramCounts, Span};
use crate::{Error, Result};

/// The number of the first column that belongs to the histogram itself.
pub(super) const FIRST_COLUMN: usize = 5;

/// The columns of `histograms` from `is_float` on, as [`histograms_schema`] has them.
pub(super) fn to_columns(histograms: &[Histogram]) -> Result<Vec<ArrayRef>> {
    let schema = histograms_schema();
    let each = || histograms.iter();
    for histogram in each() {
        check_buckets(histogram).map_err(Error::invalid)?;
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
fn check_buckets(histogram: &Histogram) -> Result<(), String> {
    let counts = match &histogram.counts {
        HistogramCounts::Int { positive, negative, .. } => (positive.len(), negative.len()),
        HistogramCounts::Float { positive, negative, .. } => (positive.len(), negative.len()),
    };
    let sides = [(&histogram.positive_spans, counts.0), (&histogram.negative_spans, counts.1)];
    for (spans, counts) in sides {
        let buckets: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        if buckets != counts as u64 {
            return Err(format!("a histogram with {buckets} buckets has counts of {counts}"));
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

/// The histograms of a batch with the columns of [`histograms_schema`], all of them.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt), if a column lacks or a row contradicts itself.
pub fn from_batch(batch: &RecordBatch) -> Result<Vec<Histogram>> {
    let rows = Columns::new(batch)?;
    (0..batch.num_rows()).map(|row| rows.histogram(row)).collect()
}

/// The columns of a batch, downcast once.
struct Columns<'a> {
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
    custom_values: &'a ListArray,
}

struct Side<'a> {
    offsets: &'a ListArray,
    lengths: &'a ListArray,
    counts: &'a ListArray,
    counts_float: &'a ListArray,
}

impl<'a> Columns<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self> {
        let lacks = |name: &str| Error::corrupt(format!("histograms: column {name}"));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| lacks(name));
        let int32 = |name: &str| column(name)?.as_primitive_opt().ok_or_else(|| lacks(name));
        let int64 = |name: &str| column(name)?.as_primitive_opt().ok_or_else(|| lacks(name));
        let float = |name: &str| column(name)?.as_primitive_opt().ok_or_else(|| lacks(name));
        let list = |name: &str, element: DataType| {
            let list = column(name)?.as_list_opt::<i32>().ok_or_else(|| lacks(name))?;
            match *list.values().data_type() == element {
                true => Ok(list),
                false => Err(lacks(name)),
            }
        };
        let side = |offsets: &str, lengths: &str, counts: &str, counts_float: &str| {
            Ok::<_, Error>(Side {
                offsets: list(offsets, DataType::Int32)?,
                lengths: list(lengths, DataType::Int32)?,
                counts: list(counts, DataType::Int64)?,
                counts_float: list(counts_float, DataType::Float64)?,
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
            custom_values: list("custom_values", DataType::Float64)?,
        })
    }

    fn histogram(&self, row: usize) -> Result<Histogram> {
        let is_float = self.is_float.value(row);
        if self.count.is_null(row) != is_float || self.count_float.is_null(row) == is_float {
            return Err(Error::corrupt(
                "a histogram's counts are not of the kind that is_float says",
            ));
        }
        let counts = match is_float {
            false => HistogramCounts::Int {
                count: self.count.value(row) as u64,
                zero_count: self.zero_count.value(row) as u64,
                positive: values::<Int64Type>(self.positive.counts, row),
                negative: values::<Int64Type>(self.negative.counts, row),
            },
            true => HistogramCounts::Float {
                count: self.count_float.value(row),
                zero_count: self.zero_count_float.value(row),
                positive: values::<Float64Type>(self.positive.counts_float, row),
                negative: values::<Float64Type>(self.negative.counts_float, row),
            },
        };
        let histogram = Histogram {
            counter_reset_hint: hint(self.reset_hint.value(row))?,
            schema: self.schema.value(row),
            zero_threshold: self.zero_threshold.value(row),
            sum: self.sum.value(row),
            positive_spans: self.positive.spans(row)?,
            negative_spans: self.negative.spans(row)?,
            custom_values: values::<Float64Type>(self.custom_values, row),
            counts,
        };
        check_buckets(&histogram).map_err(Error::corrupt)?;
        Ok(histogram)
    }
}

impl Side<'_> {
    fn spans(&self, row: usize) -> Result<Vec<Span>> {
        let offsets = values::<Int32Type>(self.offsets, row);
        let lengths = values::<Int32Type>(self.lengths, row);
        if offsets.len() != lengths.len() {
            return Err(Error::corrupt("a histogram has as many span offsets as lengths"));
        }
        let span = |(offset, length): (i32, i32)| {
            let length = u32::try_from(length)
                .map_err(|_| Error::corrupt(format!("a span of {length} buckets")))?;
            Ok(Span { offset, length })
        };
        offsets.into_iter().zip(lengths).map(span).collect()
    }
}

fn values<T: ArrowPrimitiveType>(list: &ListArray, row: usize) -> Vec<T::Native> {
    let offsets = list.value_offsets();
    let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
    list.values().as_primitive::<T>().values()[start..end].to_vec()
}
