//! States to result rows.

use std::collections::BTreeMap;

use arrow::array::cast::AsArray;
use arrow::datatypes::{Float64Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

use super::Final;
use crate::exec::grid::{Grid, GridBuilder};
use crate::exec::operator::Transform;
use crate::functions::aggregate::{Accumulator, AggregateFunction};

pub(super) struct FinalStream {
    function: AggregateFunction,
    grid: Grid,
    /// The states as they came, by partition.
    partitions: BTreeMap<u32, Vec<RecordBatch>>,
    held: usize,
    merged: Vec<Option<Accumulator>>,
    /// The next group to give, once the input has ended.
    next: Option<usize>,
    builder: GridBuilder,
}

impl FinalStream {
    pub(super) fn new(operator: &Final) -> Self {
        Self {
            function: operator.function,
            grid: operator.grid,
            partitions: BTreeMap::new(),
            held: 0,
            merged: vec![None; operator.groups],
            next: None,
            builder: GridBuilder::new(operator.grid),
        }
    }

    fn merge(&mut self, batch: &RecordBatch) -> Result<()> {
        let broken = || internal_datafusion_err!("not a batch of aggregation states");
        let groups = batch.column(1).as_primitive_opt::<UInt32Type>().ok_or_else(broken)?;
        let list = batch.column(2).as_fixed_size_list_opt().ok_or_else(broken)?;
        let cells = list.values().as_primitive_opt::<Float64Type>().ok_or_else(broken)?.values();
        let length = list.value_length() as usize;
        for (&group, state) in groups.values().iter().zip(cells.chunks_exact(length.max(1))) {
            let state = Accumulator::from_state(self.function, self.grid.steps, state);
            let state = state.ok_or_else(broken)?;
            match &mut self.merged[group as usize] {
                Some(merged) => merged.merge(&state),
                empty => *empty = Some(state),
            }
        }
        Ok(())
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
            if let Some(state) = self.merged[next].take() {
                let (out, valid) = self.builder.slots();
                state.finish(out, valid);
                self.builder.commit(next as u32);
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
