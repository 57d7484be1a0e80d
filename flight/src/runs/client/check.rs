//! Whether batches are what they must be: series in order, times ascending, within the range.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef, UInt32Type};
use arrow_flight::FlightData;
use engine::block::histogram::HistogramColumns;
use engine::model::TimeRange;
use engine::source::{Columns, HISTOGRAM_WEIGHT, histograms_of, starts_of};

use super::answer::Opening;
use crate::runs::batch::{decode, wire_schema};

/// Reads the batches of an answer, one after the other.
#[derive(Debug)]
pub(super) struct Check {
    runs: SchemaRef,
    wire: SchemaRef,
    series: usize,
    range: TimeRange,
    columns: Columns,
    /// The series of the row before, and its last timestamp.
    last: Option<(u32, i64)>,
    samples: usize,
}

impl Check {
    /// Of an answer with batches of schema `runs` and so many series.
    pub(super) fn new(opening: &Opening, runs: &SchemaRef, series: usize) -> Self {
        let (runs, wire) = (Arc::clone(runs), wire_schema(runs));
        let (range, columns) = (opening.range, opening.columns);
        Self { runs, wire, series, range, columns, last: None, samples: 0 }
    }

    /// How many samples there were so far; a batch and a row count as one, so that nothing is free.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// The batch in a message; the error says what is wrong with it.
    pub(super) fn batch(&mut self, message: FlightData) -> Result<RecordBatch, String> {
        let batch = decode(message, &self.runs, &self.wire)?;
        let wrong = || "a batch that is no run batch".to_owned();
        let ids = batch.column(0).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let ts = batch.column(1).as_list_opt::<i32>().ok_or_else(wrong)?;
        let value = batch.column(2).as_list_opt::<i32>().ok_or_else(wrong)?;
        let all: &[i64] = ts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values();
        let (ts, values) = (ts.value_offsets(), value.value_offsets());
        let histograms = histograms_of(&batch).map_err(|error| error.to_string())?;
        let histograms = match histograms {
            None => None,
            Some((lists, all)) => {
                let columns = HistogramColumns::of(all).map_err(|error| error.to_string())?;
                Some((lists, columns))
            }
        };
        let starts = starts_of(&batch).map_err(|error| error.to_string())?;
        self.samples = self.samples.saturating_add(1);
        for (row, &series) in ids.values().iter().enumerate() {
            let run = &all[ts[row] as usize..ts[row + 1] as usize];
            let length = (values[row + 1] - values[row]) as usize;
            let without = value.is_null(row);
            if let Some((lists, _)) = starts {
                let starts = lists.value_length(row) as usize;
                if starts != run.len() {
                    return Err(format!("{} timestamps and {starts} start timestamps", run.len()));
                }
            }
            match &histograms {
                Some((lists, columns)) if lists.is_valid(row) => {
                    let ends = &lists.value_offsets()[row..row + 2];
                    let rows = ends[0] as usize..ends[1] as usize;
                    if !without || rows.len() != run.len() {
                        return Err(format!(
                            "{} timestamps and {} histograms",
                            run.len(),
                            rows.len()
                        ));
                    }
                    let more = rows.len().saturating_mul(HISTOGRAM_WEIGHT - 1);
                    self.samples = self.samples.saturating_add(more);
                    for at in rows {
                        columns.view(at).map_err(|error| error.to_string())?;
                    }
                }
                _ if without && self.columns == Columns::Timestamps => {}
                _ if !without && length == run.len() => {}
                _ => return Err(format!("{} timestamps and {length} values", run.len())),
            }
            self.row(series, run)?;
        }
        Ok(batch)
    }

    fn row(&mut self, series: u32, run: &[i64]) -> Result<(), String> {
        if series as usize >= self.series {
            return Err(format!("series {series} of {}", self.series));
        }
        let (Some(&first), Some(&last)) = (run.first(), run.last()) else {
            return Err("a row without samples".to_owned());
        };
        match self.last {
            Some((before, _)) if before > series => {
                return Err(format!("series {series} after series {before}"));
            }
            Some((before, end)) if before == series && end >= first => {
                return Err(format!("a sample at {first} after one at {end}"));
            }
            _ => {}
        }
        // Without a branch a sample, which is several samples at once.
        let ascends = run.windows(2).fold(true, |ascends, pair| ascends & (pair[0] < pair[1]));
        if !ascends {
            return Err(format!("the samples from {first} to {last} do not ascend"));
        }
        if !(self.range.contains(first) && self.range.contains(last)) {
            return Err(format!("samples from {first} to {last}, which were not asked for"));
        }
        self.last = Some((series, last));
        self.samples = self.samples.saturating_add(run.len());
        Ok(())
    }
}
