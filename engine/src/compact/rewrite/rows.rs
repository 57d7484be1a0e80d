//! The rows of run batches as slices.

use std::ops::Range;

use arrow::array::{Array, AsArray, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};

use crate::block::histogram::HistogramColumns;
use crate::model::Histogram;
use crate::source::{histograms_of, starts_of};
use crate::{Error, Result};

/// Consecutive samples of one series, of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// When they are.
    pub(super) ts: &'a [i64],
    /// What they are.
    pub(super) samples: Samples<'a>,
    /// Their start timestamps, if one of them has any.
    pub(super) starts: Option<&'a [i64]>,
}

/// One sample a timestamp.
#[derive(Debug, Clone, Copy)]
pub(super) enum Samples<'a> {
    /// Numbers.
    Floats(&'a [f64]),
    /// Native histograms.
    Histograms(&'a [Histogram]),
}

impl<'a> Row<'a> {
    /// Its samples `range`.
    pub(super) fn part(&self, range: Range<usize>) -> Row<'a> {
        Row {
            ts: &self.ts[range.clone()],
            samples: match self.samples {
                Samples::Floats(values) => Samples::Floats(&values[range.clone()]),
                Samples::Histograms(all) => Samples::Histograms(&all[range.clone()]),
            },
            starts: self.starts.map(|starts| &starts[range]),
        }
    }
}

/// Calls `each` with the rows of a batch, in order: the series, and its samples.
pub(super) fn rows(
    batch: &RecordBatch,
    each: &mut dyn FnMut(u32, Row<'_>) -> Result<()>,
) -> Result<()> {
    let wrong = || Error::internal("a batch that is no run batch");
    let list = |at: usize| batch.column(at).as_list_opt::<i32>().ok_or_else(wrong);
    let series = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values();
    let (ts, values) = (list(1)?, list(2)?);
    let all_ts = ts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values();
    let all_values = values.values().as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.values();
    let (histograms, starts) = (histograms_of(batch)?, starts_of(batch)?);
    for (at, &series) in series.iter().enumerate() {
        let held;
        let samples = match &histograms {
            Some((lists, all)) if lists.is_valid(at) => {
                held = histograms_at(all, range(lists, at))?;
                Samples::Histograms(&held)
            }
            _ => Samples::Floats(&all_values[range(values, at)]),
        };
        let starts = starts.map(|(lists, all)| &all[range(lists, at)]);
        let starts = starts.filter(|starts| starts.iter().any(|&start| start != 0));
        each(series, Row { ts: &all_ts[range(ts, at)], samples, starts })?;
    }
    Ok(())
}

/// Where the values of a row lie.
fn range(lists: &ListArray, at: usize) -> Range<usize> {
    let offsets = lists.value_offsets();
    offsets[at] as usize..offsets[at + 1] as usize
}

fn histograms_at(all: &StructArray, rows: Range<usize>) -> Result<Vec<Histogram>> {
    let columns = HistogramColumns::of(all)?;
    rows.map(|row| Ok(columns.view(row)?.to_histogram())).collect()
}
