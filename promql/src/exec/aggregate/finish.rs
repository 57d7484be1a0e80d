//! States to result rows.

use std::collections::BTreeMap;

use arrow::array::cast::AsArray;
use arrow::datatypes::{Float64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

use super::mixed::{self, COLUMNS, Totals};
use super::{AggregateGroups, Final, State};
use crate::exec::grid::GridBuilder;
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::functions::Remarks;
use crate::functions::aggregate::Accumulator;

pub(super) struct FinalStream {
    state: State,
    groups: AggregateGroups,
    notes: NoteTaker,
    /// The states as they came, by partition.
    partitions: BTreeMap<u32, Vec<RecordBatch>>,
    held: usize,
    merged: Vec<Option<(Accumulator, Totals)>>,
    /// The next group to give, once the input has ended.
    next: Option<usize>,
    builder: GridBuilder,
}

impl FinalStream {
    pub(super) fn new(operator: &Final) -> Self {
        Self {
            state: operator.state,
            groups: operator.groups.clone(),
            notes: NoteTaker::new(&operator.groups.notes),
            partitions: BTreeMap::new(),
            held: 0,
            merged: vec![None; operator.groups.count],
            next: None,
            builder: GridBuilder::of(operator.state.grid, operator.state.cells()),
        }
    }

    fn merge(&mut self, batch: &RecordBatch) -> Result<()> {
        let broken = || internal_datafusion_err!("not a batch of aggregation states");
        let groups = batch.column(1).as_primitive_opt::<UInt32Type>().ok_or_else(broken)?;
        let list = batch.column(2).as_fixed_size_list_opt().ok_or_else(broken)?;
        let numbers = list.values().as_primitive_opt::<Float64Type>().ok_or_else(broken)?.values();
        let State { function, grid, totals } = self.state;
        let cells = if totals { mixed::cells(batch, grid.steps)? } else { Vec::new() };
        let length = list.value_length() as usize;
        for (at, &group) in groups.values().iter().enumerate() {
            let state = numbers.get(at * length..(at + 1) * length).ok_or_else(broken)?;
            let split = length - if totals { COLUMNS * grid.steps } else { 0 };
            let (of_function, of_totals) = state.split_at(split);
            let state = Accumulator::from_state(function, grid.steps, of_function);
            let state = state.ok_or_else(broken)?;
            let cells = cells.get(2 * at * grid.steps..2 * (at + 1) * grid.steps);
            let totals = Totals::read(of_totals, cells.unwrap_or_default());
            match &mut self.merged[group as usize] {
                Some((merged, merged_totals)) => {
                    merged.merge(&state);
                    let mut remarks = Remarks::default();
                    merged_totals.merge(function, totals, &mut remarks);
                    self.note(group, remarks);
                }
                empty => *empty = Some((state, totals)),
            }
        }
        Ok(())
    }

    /// Notes remarks on a group, under its first series.
    fn note(&mut self, group: u32, remarks: Remarks) {
        if !remarks.is_empty() {
            let series = self.groups.group_of.iter().position(|&of| of == group);
            self.notes.add(series.unwrap_or_default() as u32, remarks);
        }
    }
}

impl Transform for FinalStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        let partition = batch.column(0).as_primitive_opt::<UInt32Type>();
        let partition = partition.and_then(|column| column.values().first().copied()).unwrap_or(0);
        self.held += batch.get_array_memory_size();
        self.partitions.entry(partition).or_default().push(batch);
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        for (_, batches) in std::mem::take(&mut self.partitions) {
            for batch in batches {
                self.merge(&batch)?;
            }
        }
        self.next = Some(0);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.merged.len() && !self.builder.is_full() {
            if let Some((state, totals)) = self.merged[next].take() {
                let slots = self.builder.all_slots();
                state.finish(slots.values, slots.valid);
                let mut remarks = Remarks::default();
                let function = self.state.function;
                totals.finish(function, slots.valid, slots.histograms, &mut remarks);
                self.builder.commit(next as u32);
                self.note(next as u32, remarks);
            }
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held
    }
}
