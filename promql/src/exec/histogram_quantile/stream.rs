//! Buckets and histograms in, quantiles out.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use hashbrown::HashMap;

use super::{BucketTable, HistogramFunction, HistogramNotes, HistogramQuantile, NO_GROUP};
use crate::exec::ArgumentValues;
use crate::exec::grid::{Grid, GridBuilder, GridRows, OwnedRow, Row};
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::exec::parameters;
use crate::functions::buckets::{self, Bucket};
use crate::functions::histogram::FloatHistogram;
use crate::functions::{Remark, Remarks, Scalar};

/// The row of a bucket.
#[derive(Debug)]
struct BucketRow {
    bound: f64,
    values: Vec<f64>,
    valid: Vec<bool>,
}

/// A classic histogram, and the native one of the same labels.
#[derive(Debug, Default)]
struct Group {
    buckets: Vec<BucketRow>,
    native: Option<(u32, OwnedRow)>,
}

pub(super) struct HistogramStream {
    grid: Grid,
    function: HistogramFunction,
    table: Arc<BucketTable>,
    notes: HistogramNotes,
    note_taker: NoteTaker,
    sides: usize,
    /// Each φ, or the lower and upper limit.
    arguments: Vec<ArgumentValues>,
    /// Their values, once their inputs have ended.
    scalars: Vec<Scalar>,
    /// Whether a group is a classic histogram.
    is_classic: Vec<bool>,
    groups: Vec<Group>,
    held: usize,
    /// The next group to give, once the input has ended.
    next: Option<usize>,
    builder: GridBuilder,
    ready: VecDeque<RecordBatch>,
}

impl HistogramStream {
    pub(super) fn new(operator: &HistogramQuantile) -> Self {
        let (grid, table) = (operator.grid, Arc::clone(&operator.table));
        let mut is_classic = vec![false; table.groups as usize];
        for &group in table.group_of.iter().filter(|&&group| group != NO_GROUP) {
            is_classic[group as usize] = true;
        }
        let arguments = operator.function.arguments().into_iter();
        Self {
            grid,
            function: operator.function.clone(),
            notes: operator.notes.clone(),
            note_taker: NoteTaker::new(&operator.notes.histograms),
            sides: operator.sides,
            arguments: arguments.map(|argument| ArgumentValues::new(argument, grid)).collect(),
            scalars: Vec::new(),
            is_classic,
            groups: (0..table.groups).map(|_| Group::default()).collect(),
            table,
            held: 0,
            next: None,
            builder: GridBuilder::new(grid),
            ready: VecDeque::new(),
        }
    }

    fn read_scalars(&mut self) {
        if !self.scalars.is_empty() {
            return;
        }
        self.scalars = self.arguments.iter().map(ArgumentValues::scalar).collect();
        // Of equal warnings that of the last step counts, and of its last argument.
        let mut last: HashMap<u64, (f64, usize)> = HashMap::new();
        for step in 0..self.grid.steps {
            for (at, scalar) in self.scalars.iter().enumerate().take(self.notes.quantiles.len()) {
                let phi = scalar.at(step);
                let key = if phi.is_nan() { f64::NAN.to_bits() } else { phi.to_bits() };
                if !(0.0..=1.0).contains(&phi) {
                    last.insert(key, (phi, at));
                }
            }
        }
        for (phi, at) in last.into_values() {
            parameters::check_quantile(phi, &NoteTaker::new(&self.notes.quantiles[at]));
        }
    }

    /// The results of a series of native histograms, for steps that `hidden` does not hide.
    fn native(&mut self, series: u32, row: Row<'_>, hidden: impl Fn(usize) -> bool) {
        let group = self.table.native_of[series as usize];
        let mut remarks = Remarks::default();
        let results = self.function.results();
        for at in 0..results {
            let (out, valid) = self.builder.slots();
            for step in 0..self.grid.steps {
                let Some(histogram) = row.histogram(step) else { continue };
                if hidden(step) {
                    remarks.add(Remark::MixedClassicNative);
                    continue;
                }
                out[step] = match &self.function {
                    HistogramFunction::Quantiles(quantiles) => {
                        let phi = self.scalars[at].at(step);
                        if !quantiles[at].is_of(phi) {
                            continue;
                        }
                        quantile(histogram, phi, &mut remarks)
                    }
                    HistogramFunction::Fraction(..) => {
                        let (lower, upper) = (self.scalars[0].at(step), self.scalars[1].at(step));
                        fraction(histogram, lower, upper, &mut remarks)
                    }
                };
                valid[step] = true;
            }
            self.builder.commit(group * results as u32 + at as u32);
        }
        self.note_taker.add(series, remarks);
    }

    /// Evaluates a group at all steps.
    fn evaluate(&mut self, group: usize) {
        let Group { buckets: mut rows, native } = std::mem::take(&mut self.groups[group]);
        rows.sort_by(|a, b| a.bound.total_cmp(&b.bound));
        if let Some((series, row)) = &native {
            let hidden = |step: usize| rows.iter().any(|row| row.valid[step]);
            self.native(*series, row.row(), hidden);
        }
        if rows.is_empty() {
            return;
        }
        let (results, steps) = (self.function.results(), self.grid.steps);
        let mut cells: Vec<Option<f64>> = vec![None; results * steps];
        let mut histogram = Vec::with_capacity(rows.len());
        for step in 0..steps {
            histogram.clear();
            histogram.extend(
                rows.iter()
                    .filter(|row| row.valid[step])
                    .map(|row| Bucket { bound: row.bound, count: row.values[step] }),
            );
            let other = native.as_ref().and_then(|(_, row)| row.row().histogram(step));
            if histogram.is_empty() || other.is_some() {
                continue;
            }
            for at in 0..results {
                cells[at * steps + step] = self.of_buckets(group, at, step, &mut histogram);
            }
        }
        for (at, row) in cells.chunks(steps).enumerate() {
            let (out, valid) = self.builder.slots();
            for (step, cell) in row.iter().enumerate() {
                valid[step] = cell.is_some();
                out[step] = cell.unwrap_or_default();
            }
            self.builder.commit((group * results + at) as u32);
        }
    }

    /// Result `at` of the buckets of a group at a step; they are changed.
    fn of_buckets(
        &self,
        group: usize,
        at: usize,
        step: usize,
        histogram: &mut [Bucket],
    ) -> Option<f64> {
        match &self.function {
            HistogramFunction::Quantiles(quantiles) => {
                let phi = self.scalars[at].at(step);
                if !quantiles[at].is_of(phi) {
                    return None;
                }
                let (value, fix) = buckets::quantile(phi, histogram);
                if let Some(fix) = fix {
                    self.notes.fixes.add(group as u32, step, fix);
                }
                Some(value)
            }
            HistogramFunction::Fraction(..) => {
                let (lower, upper) = (self.scalars[0].at(step), self.scalars[1].at(step));
                Some(buckets::fraction(lower, upper, histogram))
            }
        }
    }
}

fn quantile(histogram: &FloatHistogram, phi: f64, remarks: &mut Remarks) -> f64 {
    let (value, noticed) = histogram.quantile(phi);
    remarks.merge(noticed);
    value
}

fn fraction(histogram: &FloatHistogram, lower: f64, upper: f64, remarks: &mut Remarks) -> f64 {
    let (value, noticed) = histogram.fraction(lower, upper);
    remarks.merge(noticed);
    value
}

impl Transform for HistogramStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        if input < self.sides {
            for argument in &mut self.arguments {
                argument.push(input, &batch)?;
            }
            return Ok(());
        }
        self.read_scalars();
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            if row.has_histograms() {
                let group = self.table.native_of[series as usize] as usize;
                if self.is_classic[group] {
                    let row = OwnedRow::from(row);
                    self.held += row.bytes();
                    self.groups[group].native = Some((series, row));
                } else {
                    self.native(series, row, |_| false);
                }
            }
            if !row.valid.contains(&true) {
                continue;
            }
            let group = self.table.group_of[series as usize];
            let Some(group) = self.groups.get_mut(group as usize) else {
                self.note_taker.add(series, Remark::BadBucket.into());
                continue;
            };
            let bound = self.table.bound_of[series as usize];
            let (values, valid) = (row.values.to_vec(), row.valid.to_vec());
            self.held += values.len() * (size_of::<f64>() + 1) + size_of::<BucketRow>();
            group.buckets.push(BucketRow { bound, values, valid });
        }
        if self.builder.is_full() {
            self.ready.extend(self.builder.take()?);
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == self.sides {
            self.read_scalars();
            self.next = Some(0);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.groups.len() && !self.builder.is_full() {
            self.evaluate(next);
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held + self.builder.held()
    }
}
