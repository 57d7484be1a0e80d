//! Rows to states.

use std::sync::Arc;

use arrow::array::{FixedSizeListArray, Float64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{Operator, Partial};
use crate::exec::grid::{Grid, GridRows};
use crate::exec::operator::Transform;
use crate::functions::aggregate::{Accumulator, AggregateFunction};

/// About how many numbers of state a batch holds, unless one group alone has more.
const BATCH_STATE: usize = 64 * 1024;

pub(super) struct PartialStream {
    function: AggregateFunction,
    grid: Grid,
    group_of: Arc<[u32]>,
    partition: u32,
    schema: SchemaRef,
    states: Vec<Option<Accumulator>>,
    held: usize,
    /// The next group to give, once the input has ended.
    next: Option<usize>,
}

impl PartialStream {
    pub(super) fn new(operator: &Partial, partition: usize) -> Self {
        Self {
            function: operator.function,
            grid: operator.grid,
            group_of: Arc::clone(&operator.group_of),
            partition: partition as u32,
            schema: operator.schema(),
            states: vec![None; operator.groups],
            held: 0,
            next: None,
        }
    }
}

impl Transform for PartialStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        for (series, values, valid) in GridRows::new(batch, self.grid)?.iter() {
            let state = &mut self.states[self.group_of[series as usize] as usize];
            let state = state.get_or_insert_with(|| {
                let new = Accumulator::new(self.function, self.grid.steps);
                self.held += new.bytes();
                new
            });
            state.add(values, valid);
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        self.next = Some(0);
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut next) = self.next else { return Ok(None) };
        let length = self.function.columns() * self.grid.steps;
        let (mut groups, mut cells) = (Vec::new(), Vec::new());
        while next < self.states.len() && cells.len() < BATCH_STATE {
            // Taken, so that states do not lie in memory twice.
            if let Some(state) = self.states[next].take() {
                groups.push(next as u32);
                cells.extend_from_slice(state.state());
            }
            next += 1;
        }
        self.next = Some(next);
        if groups.is_empty() {
            return Ok(None);
        }
        let item = Arc::new(Field::new("item", DataType::Float64, false));
        let cells = Arc::new(Float64Array::from(cells));
        let list = FixedSizeListArray::try_new(item, length as i32, cells, None)?;
        let partition = UInt32Array::from(vec![self.partition; groups.len()]);
        let groups = UInt32Array::from(groups);
        Ok(Some(RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(partition), Arc::new(groups), Arc::new(list)],
        )?))
    }

    fn held(&self) -> usize {
        self.held
    }
}
