//! Totals of native histograms in the states of groups.
//!
//! The numbers of a total lie behind those of the function, two columns; its histograms in lists of
//! their own, two slots a step: the total, and what it has lost.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Field;
use datafusion::error::Result;

use crate::exec::grid::{self, Row};
use crate::functions::aggregate::AggregateFunction;
use crate::functions::histogram::FloatHistogram;
use crate::functions::{HistogramTotal, Remark, Remarks};

/// Numbers of a total.
pub(super) const COLUMNS: usize = 2;

/// A group's totals, one a step at which it has histograms; empty without any.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    steps: Vec<Option<HistogramTotal>>,
}

/// The columns of histograms.
pub(super) fn fields() -> [Field; 2] {
    grid::histogram_fields()
}

impl Totals {
    /// Adds the histograms of a row; `has_number` says at which steps the group has a number so far.
    pub(super) fn add(
        &mut self,
        function: AggregateFunction,
        row: Row<'_>,
        has_number: impl Fn(usize) -> bool,
        remarks: &mut Remarks,
    ) {
        if !row.has_histograms() {
            return;
        }
        self.steps.resize(row.values.len(), None);
        for (step, (total, histogram)) in self.steps.iter_mut().zip(row.histograms).enumerate() {
            let Some(histogram) = histogram else { continue };
            let Some(total) = total else {
                // Behind a number they are not added up: there is no result, and only that is told.
                let mixed = has_number(step);
                *total = Some(match mixed {
                    true => HistogramTotal::closed(histogram),
                    false => HistogramTotal::new(histogram),
                });
                if mixed {
                    remarks.add(Remark::MixedGroup);
                }
                continue;
            };
            let could = !total.is_incompatible();
            match function {
                AggregateFunction::Avg => total.add_to_mean(histogram, remarks),
                _ => total.add(histogram, remarks),
            }
            if could && total.is_incompatible() && has_number(step) {
                remarks.add(Remark::MixedGroup);
            }
        }
    }

    /// Adds the totals of a later partition.
    pub(super) fn merge(
        &mut self,
        function: AggregateFunction,
        other: Self,
        remarks: &mut Remarks,
    ) {
        if self.steps.is_empty() {
            *self = other;
            return;
        }
        for (total, other) in self.steps.iter_mut().zip(other.steps) {
            let Some(other) = other else { continue };
            match total {
                None => *total = Some(other),
                Some(total) if function == AggregateFunction::Avg => {
                    total.merge_means(&other, remarks);
                }
                Some(total) => total.merge(&other, remarks),
            }
        }
    }

    /// Writes the results; a step that also has a number has none of either kind.
    pub(super) fn finish(
        self,
        function: AggregateFunction,
        valid: &mut [bool],
        histograms: &mut [Option<Arc<FloatHistogram>>],
        remarks: &mut Remarks,
    ) {
        for (step, total) in self.steps.into_iter().enumerate() {
            let Some(total) = total else { continue };
            if valid[step] {
                valid[step] = false;
                // Numbers after histograms that cannot be added are not looked at.
                if !total.is_incompatible() {
                    remarks.add(Remark::MixedGroup);
                }
                continue;
            }
            let result = match function {
                AggregateFunction::Avg => total.mean(remarks),
                _ => total.sum(remarks),
            };
            histograms[step] = result.map(|mut result| {
                if !result.is_compact() {
                    Arc::make_mut(&mut result).compact();
                }
                result
            });
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let own = size_of_val(self.steps.as_slice());
        own + self.steps.iter().flatten().map(HistogramTotal::bytes).sum::<usize>()
    }

    /// Takes the totals apart: numbers to `numbers`, a column behind the other, histograms to `cells`.
    pub(super) fn write(
        self,
        steps: usize,
        numbers: &mut Vec<f64>,
        cells: &mut Vec<Option<Arc<FloatHistogram>>>,
    ) {
        let from = numbers.len();
        numbers.resize(from + COLUMNS * steps, 0.0);
        let cell = cells.len();
        cells.resize(cell + 2 * steps, None);
        for (step, total) in self.steps.into_iter().enumerate() {
            let Some(total) = total else { continue };
            let (histograms, [count, flags]) = total.into_parts();
            numbers[from + step] = count;
            numbers[from + steps + step] = flags;
            for (at, histogram) in histograms.into_iter().enumerate() {
                cells[cell + 2 * step + at] = histogram;
            }
        }
    }

    /// The totals that [`write`](Self::write) took apart.
    pub(super) fn read(numbers: &[f64], cells: &[Option<Arc<FloatHistogram>>]) -> Self {
        let (counts, flags) = numbers.split_at(numbers.len() / COLUMNS);
        let total = |(step, cells): (usize, &[Option<Arc<FloatHistogram>>])| {
            let numbers = [counts[step], flags[step]];
            Some(HistogramTotal::from_parts(cells[0].clone()?, cells[1].clone(), numbers))
        };
        Self { steps: cells.chunks_exact(2).enumerate().map(total).collect() }
    }
}

/// The columns of histograms for `groups` groups.
pub(super) fn columns(
    cells: &[Option<Arc<FloatHistogram>>],
    groups: usize,
    steps: usize,
) -> Result<[ArrayRef; 2]> {
    grid::encode_histograms(cells, groups, 2 * steps)
}

/// The cells of all groups of a batch, `2 * steps` a group; empty if there is no histogram.
pub(super) fn cells(batch: &RecordBatch, steps: usize) -> Result<Vec<Option<Arc<FloatHistogram>>>> {
    grid::decode_histograms(batch, 2 * steps)
}
