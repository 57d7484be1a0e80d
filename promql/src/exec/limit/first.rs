//! The first series of each group at each step.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::Limit;
use crate::exec::ArgumentValues;
use crate::exec::grid::{Grid, GridBuilder, GridRows, OwnedRow};
use crate::exec::operator::Transform;
use crate::exec::ordered_aggregate::Groups;
use crate::functions::order::kept;

/// Rows of a group beyond twice as many as it keeps, before those that are not kept are dropped.
const SLACK: usize = 256;

pub(super) struct FirstStream {
    grid: Grid,
    groups: Arc<Groups>,
    /// Whether rows come in an order that counts; else the series' order does.
    ordered: bool,
    sides: usize,
    argument: ArgumentValues,
    /// How many series each step keeps, once the argument is known.
    kept: Option<Arc<[usize]>>,
    rows: Vec<Vec<(u32, OwnedRow)>>,
    held: usize,
    picked: VecDeque<(u32, OwnedRow)>,
    builder: GridBuilder,
}

impl FirstStream {
    pub(super) fn new(operator: &Limit, groups: &Arc<Groups>, ordered: bool) -> Self {
        let Limit { grid, cells, argument, sides, .. } = *operator;
        Self {
            grid,
            groups: Arc::clone(groups),
            ordered,
            sides,
            argument: ArgumentValues::new(argument, grid),
            kept: None,
            rows: vec![Vec::new(); groups.count as usize],
            held: 0,
            picked: VecDeque::new(),
            builder: GridBuilder::of(grid, cells),
        }
    }

    fn kept(&mut self) -> Result<Arc<[usize]>> {
        if let Some(kept) = &self.kept {
            return Ok(Arc::clone(kept));
        }
        let most = self.groups.group_of.len();
        let new: Arc<[usize]> = kept(&self.argument.scalar(), self.grid.steps, most)?.into();
        Ok(Arc::clone(self.kept.insert(new)))
    }
}

/// Leaves of the rows, in their own order if they are `ordered` or else that of series, the cells that are
/// kept, and rows that have any.
fn pick(rows: &mut Vec<(u32, OwnedRow)>, kept: &[usize], ordered: bool) {
    if !ordered {
        rows.sort_unstable_by_key(|row| row.0);
    }
    let mut room = kept.to_vec();
    rows.retain_mut(|(_, row)| {
        let mut any = false;
        for (step, room) in room.iter_mut().enumerate() {
            if !row.is_present(step) {
                continue;
            }
            if *room > 0 {
                *room -= 1;
                any = true;
            } else {
                row.clear(step);
            }
        }
        any
    });
}

impl Transform for FirstStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            return self.argument.push(input, &batch);
        }
        let kept = self.kept()?;
        let most = kept.iter().copied().max().unwrap_or_default();
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            let rows = &mut self.rows[self.groups.group_of[series as usize] as usize];
            let row = OwnedRow::from(row);
            self.held += row.bytes();
            rows.push((series, row));
            if rows.len() > most.saturating_mul(2).saturating_add(SLACK) {
                pick(rows, &kept, self.ordered);
            }
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input < self.sides {
            return Ok(());
        }
        let kept = self.kept()?;
        for mut rows in std::mem::take(&mut self.rows) {
            pick(&mut rows, &kept, self.ordered);
            self.picked.extend(rows);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        while !self.builder.is_full() {
            let Some((series, row)) = self.picked.pop_front() else { break };
            self.builder.push_row(series, row.row());
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held
    }
}
