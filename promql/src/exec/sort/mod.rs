//! `SortExec`: the rows of a grid with one step in another order: by value, NaN last whichever way
//! (histograms have no value and are left out), or in an order that the planner made of labels.
//!
//! Only the order of an instant query's answer shows it; in a range query `sort` changes nothing.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::grid::{Cells, Grid, GridBuilder, GridRows, OwnedRow};
use super::operator::{Operator, OperatorExec, Transform, single};

/// In which order rows come out.
#[derive(Debug, Clone)]
pub enum Order {
    /// By value.
    Ascending,
    /// By value, the greatest first.
    Descending,
    /// Series `s` in place `rank[s]`.
    Ranked(Arc<[u32]>),
}

impl Order {
    fn compare(&self, a: &(u32, OwnedRow), b: &(u32, OwnedRow)) -> Ordering {
        let by_value = match self {
            Self::Ranked(rank) => return rank[a.0 as usize].cmp(&rank[b.0 as usize]),
            Self::Ascending => by_value(a.1.values[0], b.1.values[0]),
            Self::Descending => by_value(-a.1.values[0], -b.1.values[0]),
        };
        by_value.then(a.0.cmp(&b.0))
    }
}

/// Numbers in order, NaN after all others.
fn by_value(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    }
}

/// `input`, which has one step, in `order`.
pub fn sort(input: Arc<dyn ExecutionPlan>, grid: Grid, order: Order) -> Arc<dyn ExecutionPlan> {
    let cells = match order {
        Order::Ranked(_) => Cells::of(&input),
        Order::Ascending | Order::Descending => Cells::Floats,
    };
    OperatorExec::create(Arc::new(Sort { grid, cells, order }), vec![single(input)])
}

#[derive(Debug)]
struct Sort {
    grid: Grid,
    cells: Cells,
    order: Order,
}

impl Operator for Sort {
    fn name(&self) -> &'static str {
        "SortExec"
    }

    fn describe(&self) -> String {
        match self.order {
            Order::Ascending => "ascending",
            Order::Descending => "descending",
            Order::Ranked(_) => "by label",
        }
        .to_owned()
    }

    fn schema(&self) -> SchemaRef {
        self.grid.schema_of(self.cells)
    }

    fn transform(&self, _partition: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(SortStream {
            grid: self.grid,
            order: self.order.clone(),
            rows: VecDeque::new(),
            held: 0,
            done: false,
            builder: GridBuilder::of(self.grid, self.cells),
        }))
    }
}

struct SortStream {
    grid: Grid,
    order: Order,
    rows: VecDeque<(u32, OwnedRow)>,
    held: usize,
    done: bool,
    builder: GridBuilder,
}

impl Transform for SortStream {
    fn push(&mut self, _input: usize, batch: RecordBatch) -> Result<()> {
        let ranked = matches!(self.order, Order::Ranked(_));
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            if row.valid.first() == Some(&true) || (ranked && row.has_histograms()) {
                let row = OwnedRow::from(row);
                self.held += row.bytes() + size_of::<(u32, OwnedRow)>();
                self.rows.push_back((series, row));
            }
        }
        Ok(())
    }

    fn end(&mut self, _input: usize) -> Result<()> {
        let order = &self.order;
        self.rows.make_contiguous().sort_unstable_by(|a, b| order.compare(a, b));
        self.done = true;
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        while self.done && !self.builder.is_full() {
            let Some((series, row)) = self.rows.pop_front() else { break };
            self.builder.push_row(series, row.row());
        }
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held
    }
}
