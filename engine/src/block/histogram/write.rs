//! Histograms to columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, ListArray, PrimitiveArray, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Fields, Float64Type, Int32Type, Int64Type};

use super::{hint_number, histogram_fields};
use crate::block::failed;
use crate::model::{CountsView, HistogramParts, Span};
use crate::{Error, Result};

/// How much room is taken for lists that have not come yet, in numbers.
const RESERVED_MAX: usize = 1 << 20;

/// Makes the columns of histograms, which are added one after the other.
#[derive(Debug, Default)]
pub struct HistogramBuilder {
    is_float: Vec<bool>,
    reset_hint: Vec<i32>,
    schema: Vec<i32>,
    zero_threshold: Vec<f64>,
    sum: Vec<f64>,
    /// Of whole counts, and of float counts: the histogram's and its zero bucket's; 0 where the counts are of
    /// the other kind.
    whole: [Vec<i64>; 2],
    floats: [Vec<f64>; 2],
    positive: Side,
    negative: Side,
    custom_values: Lists<f64>,
}

/// The buckets on one side of zero.
#[derive(Debug, Default)]
struct Side {
    offsets: Lists<i32>,
    lengths: Lists<i32>,
    whole: Lists<i64>,
    floats: Lists<f64>,
}

/// A column of lists.
#[derive(Debug)]
struct Lists<T> {
    /// Where each list ends in `values`; first 0.
    ends: Vec<i32>,
    values: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { ends: vec![0], values: Vec::new() }
    }
}

impl<T> Lists<T> {
    fn held(&self) -> usize {
        self.ends.capacity() * size_of::<i32>() + self.values.capacity() * size_of::<T>()
    }

    /// Adds a list. The first one tells how much room the builder's other rows will take.
    fn push(&mut self, list: impl IntoIterator<Item = T>, rows: usize) -> Result<()> {
        let list = list.into_iter();
        if self.values.capacity() == 0 {
            self.ends.reserve(rows);
            self.values.reserve(rows.saturating_mul(list.size_hint().0).min(RESERVED_MAX));
        }
        self.values.extend(list);
        let end = i32::try_from(self.values.len())
            .map_err(|_| Error::invalid("histograms with more buckets than a column can hold"))?;
        self.ends.push(end);
        Ok(())
    }
}

impl HistogramBuilder {
    /// A builder with room for `count` histograms.
    pub fn with_capacity(count: usize) -> Self {
        let (whole, floats) = (|| Vec::with_capacity(count), || Vec::with_capacity(count));
        Self {
            is_float: Vec::with_capacity(count),
            reset_hint: Vec::with_capacity(count),
            schema: Vec::with_capacity(count),
            zero_threshold: Vec::with_capacity(count),
            sum: Vec::with_capacity(count),
            whole: [whole(), whole()],
            floats: [floats(), floats()],
            ..Self::default()
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.is_float.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.is_float.is_empty()
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let Self { positive, negative, custom_values, .. } = self;
        let rows = self.is_float.capacity() * (1 + 2 * size_of::<i32>() + 6 * size_of::<f64>());
        rows + positive.held() + negative.held() + custom_values.held()
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for one whose spans are not those of its counts; nothing of the
    /// builder is to be used after.
    pub fn push(&mut self, histogram: HistogramParts<'_>) -> Result<()> {
        let HistogramParts { counts, positive_spans, negative_spans, .. } = histogram;
        let (is_float, whole, floats) = match counts {
            CountsView::Int { count, zero_count, .. } => {
                (false, [count as i64, zero_count as i64], [0.0; 2])
            }
            CountsView::Float { count, zero_count, .. } => (true, [0; 2], [count, zero_count]),
        };
        self.is_float.push(is_float);
        self.reset_hint.push(hint_number(histogram.counter_reset_hint));
        self.schema.push(histogram.schema);
        self.zero_threshold.push(histogram.zero_threshold);
        self.sum.push(histogram.sum);
        self.whole.iter_mut().zip(whole).for_each(|(column, count)| column.push(count));
        self.floats.iter_mut().zip(floats).for_each(|(column, count)| column.push(count));
        let (positive, negative): (Counts<'_>, Counts<'_>) = match counts {
            CountsView::Int { positive, negative, .. } => ((positive, &[]), (negative, &[])),
            CountsView::Float { positive, negative, .. } => ((&[], positive), (&[], negative)),
        };
        let rows = self.is_float.capacity();
        self.positive.push(positive_spans, positive, rows)?;
        self.negative.push(negative_spans, negative, rows)?;
        self.custom_values.push(histogram.custom_values.iter().copied(), rows)
    }

    /// The columns in the order of [`histogram_fields`].
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) if Arrow refuses them.
    pub(in crate::block) fn columns(self) -> Result<Vec<ArrayRef>> {
        let fields = histogram_fields();
        let is_float = BooleanBuffer::from(self.is_float);
        let whole = || Some(NullBuffer::new(!&is_float));
        let floats = || Some(NullBuffer::new(is_float.clone()));
        let [count, zero_count] = self.whole;
        let [count_float, zero_count_float] = self.floats;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::new(is_float.clone(), None)),
            numbers::<Int32Type>(self.reset_hint, None),
            numbers::<Int32Type>(self.schema, None),
            numbers::<Float64Type>(self.zero_threshold, None),
            numbers::<Float64Type>(self.sum, None),
            numbers::<Int64Type>(count, whole()),
            numbers::<Int64Type>(zero_count, whole()),
            numbers::<Float64Type>(count_float, floats()),
            numbers::<Float64Type>(zero_count_float, floats()),
        ];
        for side in [self.positive, self.negative] {
            let at = columns.len();
            columns.push(lists::<Int32Type>(&fields, at, side.offsets, None)?);
            columns.push(lists::<Int32Type>(&fields, at + 1, side.lengths, None)?);
            columns.push(lists::<Int64Type>(&fields, at + 2, side.whole, whole())?);
            columns.push(lists::<Float64Type>(&fields, at + 3, side.floats, floats())?);
        }
        let at = columns.len();
        columns.push(lists::<Float64Type>(&fields, at, self.custom_values, None)?);
        Ok(columns)
    }

    /// The histograms as an array of structs with [`histogram_fields`].
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) if Arrow refuses the columns.
    pub fn finish(self) -> Result<StructArray> {
        StructArray::try_new(histogram_fields(), self.columns()?, None).map_err(failed)
    }
}

/// Counts of buckets, whole or floats; the others are empty.
type Counts<'a> = (&'a [i64], &'a [f64]);

impl Side {
    fn held(&self) -> usize {
        self.offsets.held() + self.lengths.held() + self.whole.held() + self.floats.held()
    }

    fn push(&mut self, spans: &[Span], (whole, floats): Counts<'_>, rows: usize) -> Result<()> {
        let (mut buckets, counts) = (0, (whole.len() + floats.len()) as u64);
        for span in spans {
            if i32::try_from(span.length).is_err() {
                return Err(Error::invalid(format!("a span of {} buckets", span.length)));
            }
            buckets += u64::from(span.length);
        }
        if buckets != counts {
            let what = format!("a histogram with {buckets} buckets has counts of {counts}");
            return Err(Error::invalid(what));
        }
        self.offsets.push(spans.iter().map(|span| span.offset), rows)?;
        self.lengths.push(spans.iter().map(|span| span.length as i32), rows)?;
        self.whole.push(whole.iter().copied(), rows)?;
        self.floats.push(floats.iter().copied(), rows)
    }
}

fn numbers<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
}

fn lists<T: ArrowPrimitiveType>(
    fields: &Fields,
    at: usize,
    lists: Lists<T::Native>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let DataType::List(element) = fields[at].data_type() else {
        return Err(Error::internal(format!("column {at} of histograms is no list")));
    };
    let ends = OffsetBuffer::new(ScalarBuffer::from(lists.ends));
    let list =
        ListArray::try_new(Arc::clone(element), ends, numbers::<T>(lists.values, None), nulls);
    Ok(Arc::new(list.map_err(failed)?))
}
