//! Reads run batches: one call a series, however its run is cut into rows and batches.

use std::sync::Arc;

use arrow::array::{Array, ListArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use engine::block::histogram::HistogramColumns;
use engine::source::{histograms_of, starts_of};

use crate::functions::Samples;
use crate::functions::histogram::FloatHistogram;

/// Joins the rows of a stream of run batches to whole series.
///
/// A series of floats that lies in one row is handed on without a copy; the last row of a batch is
/// kept until the next batch shows whether it goes on.
#[derive(Debug, Default)]
pub struct RunReader {
    /// The row that may go on, as a copy; meaningless if `series` is none.
    series: Option<u32>,
    ts: Vec<i64>,
    values: Vec<f64>,
    /// Whether any row of the kept series had values; if some rows had none (timestamps only),
    /// their values are filled up with 0, which is not a stale marker.
    has_values: bool,
    histogram_ts: Vec<i64>,
    histograms: Vec<Arc<FloatHistogram>>,
    histogram_bytes: usize,
    /// As long as `ts` and `histogram_ts`, or shorter by what has no start timestamps.
    start_ts: Vec<i64>,
    histogram_start_ts: Vec<i64>,
}

/// The rows of one run batch as slices.
struct Rows<'a> {
    series: &'a [u32],
    ts: &'a ListArray,
    ts_values: &'a [i64],
    value: &'a ListArray,
    value_values: &'a [f64],
    histograms: Option<(&'a ListArray, HistogramColumns<'a>)>,
    starts: Option<(&'a ListArray, &'a [i64])>,
}

/// What a row has beside timestamps.
enum Part<'a> {
    Floats(Option<&'a [f64]>),
    Histograms(std::ops::Range<usize>),
}

impl<'a> Rows<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self> {
        let broken = || internal_datafusion_err!("not a run batch: {}", batch.schema());
        if batch.num_columns() < 3 {
            return Err(broken());
        }
        let list = |at: usize| batch.column(at).as_any().downcast_ref::<ListArray>();
        let (ts, value) = (list(1).ok_or_else(broken)?, list(2).ok_or_else(broken)?);
        fn primitive<T: arrow::datatypes::ArrowPrimitiveType>(
            array: &dyn Array,
        ) -> Option<&[T::Native]> {
            let array = array.as_any().downcast_ref::<arrow::array::PrimitiveArray<T>>();
            array.map(|array| array.values().as_ref())
        }
        let histograms = match histograms_of(batch)? {
            Some((lists, array)) => Some((lists, HistogramColumns::of(array)?)),
            None => None,
        };
        Ok(Self {
            series: primitive::<UInt32Type>(batch.column(0)).ok_or_else(broken)?,
            ts,
            ts_values: primitive::<Int64Type>(ts.values()).ok_or_else(broken)?,
            value,
            value_values: primitive::<Float64Type>(value.values()).ok_or_else(broken)?,
            histograms,
            starts: starts_of(batch)?,
        })
    }

    /// The start timestamps of a row; none where all are unknown.
    fn starts(&self, at: usize, samples: usize) -> Result<&'a [i64]> {
        let Some((lists, all)) = self.starts else { return Ok(&[]) };
        let offsets = lists.value_offsets();
        let starts = &all[offsets[at] as usize..offsets[at + 1] as usize];
        if starts.len() != samples {
            return Err(internal_datafusion_err!(
                "a run has other numbers of start timestamps and times"
            ));
        }
        Ok(if starts.iter().all(|&start| start == 0) { &[] } else { starts })
    }

    fn row(&self, at: usize) -> Result<(u32, &'a [i64], Part<'a>)> {
        let cut = |list: &ListArray| {
            let offsets = list.value_offsets();
            offsets[at] as usize..offsets[at + 1] as usize
        };
        let ts = &self.ts_values[cut(self.ts)];
        let broken = || internal_datafusion_err!("a run has other numbers of values and times");
        if let Some((lists, _)) = self.histograms.as_ref().filter(|(lists, _)| lists.is_valid(at)) {
            let rows = cut(lists);
            return match rows.len() == ts.len() {
                true => Ok((self.series[at], ts, Part::Histograms(rows))),
                false => Err(broken()),
            };
        }
        let values = (!self.value.is_null(at)).then(|| &self.value_values[cut(self.value)]);
        if values.is_some_and(|values| values.len() != ts.len()) {
            return Err(broken());
        }
        Ok((self.series[at], ts, Part::Floats(values)))
    }
}

impl RunReader {
    /// Reads a batch; `each` gets every series that is known to be complete, and its samples.
    pub fn push(
        &mut self,
        batch: &RecordBatch,
        mut each: impl FnMut(u32, &Samples<'_>) -> Result<()>,
    ) -> Result<()> {
        let rows = Rows::new(batch)?;
        let count = batch.num_rows();
        for at in 0..count {
            let (series, ts, part) = rows.row(at)?;
            let starts = rows.starts(at, ts.len())?;
            let goes_on = at + 1 == count || rows.series[at + 1] == series;
            if self.series.is_some_and(|kept| kept != series) {
                self.finish(&mut each)?;
            }
            match part {
                Part::Floats(values) if self.series.is_none() && !goes_on => {
                    let floats = Samples::floats(ts, values.unwrap_or_default());
                    each(series, &Samples { start_ts: starts, ..floats })?;
                }
                Part::Floats(values) => {
                    add_starts(&mut self.start_ts, self.ts.len(), starts);
                    self.keep(series, ts, values);
                }
                Part::Histograms(rows_of) => {
                    self.series = Some(series);
                    add_starts(&mut self.histogram_start_ts, self.histogram_ts.len(), starts);
                    self.histogram_ts.extend_from_slice(ts);
                    for row in rows_of {
                        let Some((_, columns)) = &rows.histograms else { break };
                        let histogram = FloatHistogram::from_view(&columns.view(row)?);
                        self.histogram_bytes += histogram.bytes();
                        self.histograms.push(Arc::new(histogram));
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands on the series that was kept; call it after the last batch.
    pub fn finish(&mut self, mut each: impl FnMut(u32, &Samples<'_>) -> Result<()>) -> Result<()> {
        if let Some(series) = self.series.take() {
            let values: &[f64] = if self.has_values { &self.values } else { &[] };
            pad(&mut self.start_ts, self.ts.len());
            pad(&mut self.histogram_start_ts, self.histogram_ts.len());
            let samples = Samples {
                start_ts: &self.start_ts,
                histogram_start_ts: &self.histogram_start_ts,
                histogram_ts: &self.histogram_ts,
                histograms: &self.histograms,
                ..Samples::floats(&self.ts, values)
            };
            each(series, &samples)?;
        }
        self.ts.clear();
        self.values.clear();
        self.has_values = false;
        self.histogram_ts.clear();
        self.histograms.clear();
        self.start_ts.clear();
        self.histogram_start_ts.clear();
        self.histogram_bytes = 0;
        Ok(())
    }

    fn keep(&mut self, series: u32, ts: &[i64], values: Option<&[f64]>) {
        self.series = Some(series);
        self.ts.extend_from_slice(ts);
        match values {
            Some(values) => {
                self.has_values = true;
                self.values.extend_from_slice(values);
            }
            None => self.values.resize(self.ts.len(), 0.0),
        }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        let starts = self.start_ts.capacity() + self.histogram_start_ts.capacity();
        (self.ts.capacity() + self.values.capacity() + starts) * 8 + self.histogram_bytes
    }
}

/// Adds the start timestamps, if there are some, of samples that come after `before` others.
fn add_starts(all: &mut Vec<i64>, before: usize, starts: &[i64]) {
    if !starts.is_empty() {
        all.resize(before, 0);
        all.extend_from_slice(starts);
    }
}

/// Makes start timestamps, if there are some, as many as `samples`.
fn pad(all: &mut Vec<i64>, samples: usize) {
    if !all.is_empty() {
        all.resize(samples, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ListBuilder, PrimitiveBuilder, UInt32Array};
    use arrow::datatypes::Field;
    use engine::source::run_schema;

    use super::*;

    fn batch(rows: &[(u32, &[(i64, f64)])]) -> RecordBatch {
        let field = |t| Arc::new(Field::new("item", t, false));
        let mut ts = ListBuilder::new(PrimitiveBuilder::<Int64Type>::new())
            .with_field(field(arrow::datatypes::DataType::Int64));
        let mut value = ListBuilder::new(PrimitiveBuilder::<Float64Type>::new())
            .with_field(field(arrow::datatypes::DataType::Float64));
        for (_, run) in rows {
            for &(t, v) in *run {
                ts.values().append_value(t);
                value.values().append_value(v);
            }
            ts.append(true);
            value.append(true);
        }
        let series = UInt32Array::from_iter_values(rows.iter().map(|(series, _)| *series));
        let columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(series), Arc::new(ts.finish()), Arc::new(value.finish())];
        RecordBatch::try_new(run_schema(), columns).unwrap()
    }

    #[test]
    fn a_run_goes_on_over_rows_and_batches() {
        let mut seen = Vec::new();
        let mut each = |series: u32, samples: &Samples<'_>| {
            seen.push((series, samples.ts.to_vec(), samples.values.to_vec()));
            Ok(())
        };
        let mut reader = RunReader::default();
        reader
            .push(&batch(&[(1, &[(1, 1.)]), (2, &[(1, 2.)]), (2, &[(2, 3.)])]), &mut each)
            .unwrap();
        reader.push(&batch(&[(2, &[(3, 4.)])]), &mut each).unwrap();
        reader.push(&batch(&[(4, &[(1, 5.)])]), &mut each).unwrap();
        reader.finish(&mut each).unwrap();
        let expected = vec![
            (1, vec![1], vec![1.]),
            (2, vec![1, 2, 3], vec![2., 3., 4.]),
            (4, vec![1], vec![5.]),
        ];
        assert_eq!(seen, expected);
    }
}
