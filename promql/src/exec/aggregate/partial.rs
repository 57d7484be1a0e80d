//! Rows to states.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::mixed::{self, Totals};
use super::{AggregateGroups, Operator, Partial, State};
use crate::exec::grid::{GridRows, Row};
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::functions::aggregate::Accumulator;
use crate::functions::{Remark, Remarks};

/// About how many numbers of state a batch holds, unless one group alone has more.
const BATCH_STATE: usize = 64 * 1024;

/// The state of a group.
#[derive(Debug, Clone)]
struct Group {
    numbers: Accumulator,
    totals: Totals,
}

pub(super) struct PartialStream {
    state: State,
    groups: AggregateGroups,
    notes: NoteTaker,
    partition: u32,
    schema: SchemaRef,
    states: Vec<Option<Group>>,
    held: usize,
    /// The next group to give, once the input has ended.
    next: Option<usize>,
}

impl PartialStream {
    pub(super) fn new(operator: &Partial, partition: usize) -> Self {
        Self {
            state: operator.state,
            groups: operator.groups.clone(),
            notes: NoteTaker::new(&operator.groups.notes),
            partition: partition as u32,
            schema: operator.schema(),
            states: vec![None; operator.groups.count],
            held: 0,
            next: None,
        }
    }

    fn group(&mut self, series: u32) -> &mut Group {
        let group = self.groups.group_of[series as usize];
        self.states[group as usize].get_or_insert_with(|| {
            let numbers = Accumulator::new(self.state.function, self.state.grid.steps);
            self.held += numbers.bytes();
            Group { numbers, totals: Totals::default() }
        })
    }

    /// Adds a row that has histograms.
    fn add_mixed(&mut self, series: u32, row: Row<'_>) {
        let function = self.state.function;
        let mut remarks = Remarks::default();
        let group = self.group(series);
        if function.counts_samples() {
            group.numbers.add(row.values, &row.present());
            return;
        }
        if function.takes_histograms() {
            let before = group.totals.bytes();
            let Group { numbers, totals } = group;
            totals.add(function, row, |step| numbers.has_seen(step), &mut remarks);
            let grown = group.totals.bytes().saturating_sub(before);
            group.numbers.add(row.values, row.valid);
            self.held += grown;
        } else {
            group.numbers.add(row.values, row.valid);
            remarks.add(Remark::IgnoredInAggregation);
        }
        self.notes.add(series, remarks);
    }
}

impl Transform for PartialStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, row) in GridRows::new(batch, self.state.grid)?.rows() {
            if row.has_histograms() {
                self.add_mixed(series, row);
            } else {
                self.group(series).numbers.add(row.values, row.valid);
            }
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        self.next = Some(0);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut next) = self.next else { return Ok(None) };
        let steps = self.state.grid.steps;
        let length = self.state.columns() * steps;
        let (mut groups, mut numbers, mut cells) = (Vec::new(), Vec::new(), Vec::new());
        while next < self.states.len() && numbers.len() < BATCH_STATE {
            // Taken, so that states do not lie in memory twice.
            if let Some(group) = self.states[next].take() {
                groups.push(next as u32);
                numbers.extend_from_slice(group.numbers.state());
                if self.state.totals {
                    group.totals.write(steps, &mut numbers, &mut cells);
                }
            }
            next += 1;
        }
        self.next = Some(next);
        if groups.is_empty() {
            return Ok(None);
        }
        let item = Arc::new(Field::new("item", DataType::Float64, false));
        let numbers = Arc::new(Float64Array::from(numbers));
        let list = FixedSizeListArray::try_new(item, length as i32, numbers, None)?;
        let partition = UInt32Array::from(vec![self.partition; groups.len()]);
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(partition), Arc::new(UInt32Array::from(groups)), Arc::new(list)];
        if self.state.totals {
            columns.extend(mixed::columns(&cells, columns[0].len(), steps)?);
        }
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns)?))
    }

    fn held(&self) -> usize {
        self.held
    }
}
