//! Buckets in, quantiles out.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{BucketTable, HistogramFunction, HistogramQuantile, MonotonicityFixes};
use crate::exec::ArgumentValues;
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::operator::Transform;
use crate::functions::Scalar;
use crate::functions::buckets::{self, Bucket};

/// The row of a bucket.
#[derive(Debug)]
struct BucketRow {
    bound: f64,
    values: Vec<f64>,
    valid: Vec<bool>,
}

pub(super) struct HistogramStream {
    grid: Grid,
    function: HistogramFunction,
    table: Arc<BucketTable>,
    fixes: Arc<MonotonicityFixes>,
    sides: usize,
    /// The φ, or the lower and upper limit.
    arguments: Vec<ArgumentValues>,
    groups: Vec<Vec<BucketRow>>,
    held: usize,
    /// The parameters and the next group to give, once the buckets have ended.
    done: Option<(Vec<Scalar>, usize)>,
    builder: GridBuilder,
}

impl HistogramStream {
    pub(super) fn new(operator: &HistogramQuantile) -> Self {
        let grid = operator.grid;
        let arguments = match operator.function {
            HistogramFunction::Quantile(phi) => vec![phi],
            HistogramFunction::Fraction(lower, upper) => vec![lower, upper],
        };
        Self {
            grid,
            function: operator.function,
            table: Arc::clone(&operator.table),
            fixes: Arc::clone(&operator.fixes),
            sides: operator.sides,
            arguments: arguments.into_iter().map(|a| ArgumentValues::new(a, grid)).collect(),
            groups: (0..operator.table.groups).map(|_| Vec::new()).collect(),
            held: 0,
            done: None,
            builder: GridBuilder::new(grid),
        }
    }

    /// Evaluates a histogram at all steps.
    fn evaluate(&mut self, group: usize, scalars: &[Scalar]) {
        let mut rows = std::mem::take(&mut self.groups[group]);
        rows.sort_by(|a, b| a.bound.total_cmp(&b.bound));
        let (out, valid) = self.builder.slots();
        let mut histogram = Vec::with_capacity(rows.len());
        for step in 0..self.grid.steps {
            histogram.clear();
            histogram.extend(
                rows.iter()
                    .filter(|row| row.valid[step])
                    .map(|row| Bucket { bound: row.bound, count: row.values[step] }),
            );
            valid[step] = !histogram.is_empty();
            if histogram.is_empty() {
                continue;
            }
            out[step] = match self.function {
                HistogramFunction::Quantile(_) => {
                    let (value, fix) = buckets::quantile(scalars[0].at(step), &mut histogram);
                    if let Some(fix) = fix {
                        self.fixes.add(self.grid.time(step), fix);
                    }
                    value
                }
                HistogramFunction::Fraction(..) => {
                    buckets::fraction(scalars[0].at(step), scalars[1].at(step), &mut histogram)
                }
            };
        }
        self.builder.commit(group as u32);
    }
}

impl Transform for HistogramStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            for argument in &mut self.arguments {
                argument.push(input, &batch)?;
            }
            return Ok(());
        }
        for (series, values, valid) in GridRows::new(batch, self.grid)?.iter() {
            let group = self.table.group_of[series as usize];
            let Some(rows) = self.groups.get_mut(group as usize) else { continue };
            let bound = self.table.bound_of[series as usize];
            self.held += values.len() * (size_of::<f64>() + 1) + size_of::<BucketRow>();
            rows.push(BucketRow { bound, values: values.to_vec(), valid: valid.to_vec() });
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == self.sides {
            let scalars = self.arguments.iter().map(ArgumentValues::scalar).collect();
            self.done = Some((scalars, 0));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Some((scalars, mut next)) = self.done.take() else { return Ok(None) };
        while next < self.groups.len() && !self.builder.is_full() {
            self.evaluate(next, &scalars);
            next += 1;
        }
        self.done = Some((scalars, next));
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held + self.builder.held()
    }
}
