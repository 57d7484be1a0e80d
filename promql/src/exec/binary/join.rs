//! Arithmetic and comparisons of two vectors.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DataFusionResult;
use hashbrown::HashSet;

use super::one_side::OneSide;
use super::{Cardinality, Join, Matching, NO_KEY};
use crate::exec::fault::{Fault, Side};
use crate::exec::grid::{Grid, GridBuilder, GridRows, OwnedRow, Row};
use crate::exec::notes::NoteTaker;
use crate::exec::operator::Transform;
use crate::functions::Remark;
use crate::functions::binary::{BinaryOp, Cell, Operand, Outcome};

/// Whether no two series of the many side can make the same result series, nor (one-to-one) meet in
/// one group, and nothing is filled in: then rows go through one by one, in any partition.
pub(super) fn results_are_separate(matching: &Matching) -> bool {
    if matching.fill.is_some() {
        return false;
    }
    let mut seen = HashSet::with_capacity(matching.out.len());
    let distinct = matching.out.iter().all(|out| seen.insert(*out));
    if matching.cardinality != Cardinality::OneToOne || !distinct {
        return distinct;
    }
    let mut seen = HashSet::with_capacity(matching.left_key.len());
    matching.left_key.iter().all(|&key| key == NO_KEY || seen.insert(key))
}

/// A result row that several series of the many side make.
#[derive(Debug, Clone)]
struct Collected {
    row: OwnedRow,
    /// The group that made, or with a comparison that fails might have made, the value at each step.
    made_by: Vec<u32>,
}

/// The operator and how its sides stand.
#[derive(Debug, Clone, Copy)]
struct Operator {
    op: BinaryOp,
    outcome: Outcome,
    many_is_left: bool,
}

impl Operator {
    /// The numbers of a row of each side; `valid` says where both have one.
    fn floats(&self, many: &[f64], one: Operand<'_>, out: &mut [f64], valid: &mut [bool]) {
        let many = Operand::Row(many);
        let (left, right) = if self.many_is_left { (many, one) } else { (one, many) };
        self.op.apply(left, right, self.outcome, out, valid);
    }

    /// A cell of each side, one of which is a histogram.
    fn cells(&self, many: &Cell, one: &Cell) -> Result<(Option<Cell>, Option<Remark>), Remark> {
        let (left, right) = if self.many_is_left { (many, one) } else { (one, many) };
        self.op.cell(left, right, self.outcome)
    }
}

/// What two rows make: where both have something that the operator takes, the results, and remarks.
#[derive(Debug)]
struct Made {
    both: Vec<bool>,
    row: OwnedRow,
    /// At which step, in order.
    remarks: Vec<(usize, Remark)>,
}

impl Made {
    fn new(steps: usize) -> Self {
        Self { both: vec![false; steps], row: OwnedRow::new(steps), remarks: Vec::new() }
    }

    /// Of two rows.
    fn of_rows(&mut self, operator: Operator, many: Row<'_>, one: Row<'_>) {
        let sides = many.valid.iter().zip(one.valid);
        for (both, (&many, &one)) in self.both.iter_mut().zip(sides) {
            *both = many && one;
        }
        self.of_floats(operator, many.values, Operand::Row(one.values));
        if many.histograms.is_empty() && one.histograms.is_empty() {
            return;
        }
        for step in 0..many.values.len() {
            if (many.histogram(step).is_some() || one.histogram(step).is_some())
                && let (Some(many), Some(one)) = (cell(many, step), cell(one, step))
            {
                self.set(step, operator.cells(&many, &one));
            }
        }
    }

    /// Of a row and a number where `at` is set.
    fn of_number(&mut self, operator: Operator, many: Row<'_>, one: f64, at: &[bool]) {
        let sides = many.valid.iter().zip(at);
        for (both, (&many, &at)) in self.both.iter_mut().zip(sides) {
            *both = many && at;
        }
        self.of_floats(operator, many.values, Operand::Constant(one));
        for (step, histogram) in many.histograms.iter().enumerate() {
            if let Some(histogram) = histogram.as_ref().filter(|_| at[step]) {
                let many = Cell::Histogram(Arc::clone(histogram));
                self.set(step, operator.cells(&many, &Cell::Float(one)));
            }
        }
    }

    /// The numbers, where both sides have some.
    fn of_floats(&mut self, operator: Operator, many: &[f64], one: Operand<'_>) {
        self.remarks.clear();
        self.row.histograms.clear();
        self.row.valid.copy_from_slice(&self.both);
        operator.floats(many, one, &mut self.row.values, &mut self.row.valid);
        if operator.op.trims() {
            for (step, both) in self.both.iter_mut().enumerate().filter(|(_, both)| **both) {
                self.remarks.push((step, Remark::FloatFloat));
                *both = false;
            }
        }
    }

    fn set(&mut self, step: usize, result: Result<(Option<Cell>, Option<Remark>), Remark>) {
        let (cell, remark) = match result {
            Ok((cell, remark)) => {
                self.both[step] = true;
                (cell, remark)
            }
            Err(remark) => (None, Some(remark)),
        };
        self.remarks.extend(remark.map(|remark| (step, remark)));
        match cell {
            None => {}
            Some(Cell::Float(value)) => {
                self.row.values[step] = value;
                self.row.valid[step] = true;
            }
            Some(Cell::Histogram(histogram)) => self.row.set_histogram(step, histogram),
        }
    }
}

fn cell(row: Row<'_>, step: usize) -> Option<Cell> {
    match row.histogram(step) {
        Some(histogram) => Some(Cell::Histogram(Arc::clone(histogram))),
        None => row.valid[step].then(|| Cell::Float(row.values[step])),
    }
}

pub(super) struct JoinStream {
    grid: Grid,
    operator: Operator,
    matching: Arc<Matching>,
    notes: NoteTaker,
    one: OneSide,
    /// Whether results are not [separate](results_are_separate), and are collected.
    collects: bool,
    /// Result rows that are collected.
    collected: Vec<Option<Collected>>,
    /// Collected: at which steps each group has met.
    met: Vec<Vec<bool>>,
    held: usize,
    /// The earliest step that must fail, and how.
    fault: Option<(usize, Fault)>,
    made: Made,
    builder: GridBuilder,
    ready: VecDeque<RecordBatch>,
    /// The next collected row to give, once the many side has ended.
    next: Option<usize>,
}

impl JoinStream {
    pub(super) fn new(operator: &Join) -> Self {
        let matching = Arc::clone(&operator.matching);
        let (keys, outputs) = (matching.keys as usize, matching.outputs as usize);
        let collects = !operator.separate;
        let outcome = if operator.operation.answer { Outcome::Bool } else { Outcome::KeepLeft };
        Self {
            grid: operator.grid,
            operator: Operator {
                op: operator.operation.op,
                outcome,
                many_is_left: matching.cardinality != Cardinality::OneToMany,
            },
            matching,
            notes: NoteTaker::new(&operator.operation.notes),
            one: OneSide::new(keys),
            collects,
            collected: vec![None; if collects { outputs } else { 0 }],
            met: vec![Vec::new(); if collects { keys } else { 0 }],
            held: 0,
            fault: None,
            made: Made::new(operator.grid.steps),
            builder: GridBuilder::of(operator.grid, operator.cells),
            ready: VecDeque::new(),
            next: None,
        }
    }

    fn many_is_left(&self) -> bool {
        self.operator.many_is_left
    }

    fn one_row(&mut self, series: u32, row: Row<'_>) {
        let keys =
            if self.many_is_left() { &self.matching.right_key } else { &self.matching.left_key };
        let class = self.matching.one_class[series as usize];
        self.one.add(keys[series as usize], class, series, row);
    }

    fn many_row(&mut self, series: u32, row: Row<'_>) -> DataFusionResult<()> {
        self.find_duplicates(&row.present());
        let keys =
            if self.many_is_left() { &self.matching.left_key } else { &self.matching.right_key };
        let key = keys[series as usize];
        let rows = self.one.group(key).map_or(0, <[_]>::len);
        for at in 0..rows {
            let Some(one) = self.one.group(key).and_then(|rows| rows.get(at)) else { break };
            let result = self.matching.result(series, one.series);
            if !self.collects && !row.has_histograms() && one.row.histograms.is_empty() {
                // Most rows: numbers, straight into their place.
                let (out, valid) = self.builder.slots();
                let sides = row.valid.iter().zip(&one.row.valid);
                for (both, (&many, &one)) in valid.iter_mut().zip(sides) {
                    *both = many && one;
                }
                if !valid.contains(&true) {
                    continue;
                }
                if self.operator.op.trims() {
                    for (step, _) in valid.iter().enumerate().filter(|(_, both)| **both) {
                        self.notes.add_last(step, series.into(), Remark::FloatFloat);
                    }
                }
                self.operator.floats(row.values, Operand::Row(&one.row.values), out, valid);
                self.builder.commit(result);
            } else {
                self.made.of_rows(self.operator, row, one.row.row());
                self.note(series.into());
                if self.collects {
                    self.collect(key, result);
                } else {
                    self.builder.push_row(result, self.made.row.row());
                }
            }
            if self.builder.is_full() {
                self.ready.extend(self.builder.take()?);
            }
        }
        self.fill_one(series, key, row);
        Ok(())
    }

    /// Where the one side has nothing for a row of the many side.
    fn fill_one(&mut self, series: u32, key: u32, row: Row<'_>) {
        let Some(fill) = &self.matching.fill else { return };
        let Some(number) = fill.one else { return };
        let result = fill.many_out[series as usize];
        let lacking = self.one.lacking(key, self.grid.steps);
        self.made.of_number(self.operator, row, number, &lacking);
        self.note(series.into());
        self.collect(key, result);
    }

    /// Where the many side has nothing for the rows of the one side; after both have been read.
    fn fill_many(&mut self) {
        let Some(fill) = &self.matching.fill else { return };
        let Some(number) = fill.many else { return };
        let one_out = fill.one_out.clone();
        let operator = Operator { many_is_left: !self.many_is_left(), ..self.operator };
        for key in 0..self.matching.keys {
            let met = &self.met[key as usize];
            let unmet: Vec<bool> = match met.is_empty() {
                true => vec![true; self.grid.steps],
                false => met.iter().map(|met| !met).collect(),
            };
            let rows = self.one.group(key).map_or(0, <[_]>::len);
            for at in 0..rows {
                let Some(one) = self.one.group(key).and_then(|rows| rows.get(at)) else { break };
                let (result, place) = (one_out[one.series as usize], u64::from(one.series));
                // The number stands on the other side now.
                self.made.of_number(operator, one.row.row(), number, &unmet);
                // After all series of the many side.
                self.note(u64::from(u32::MAX) + 1 + place);
                self.collect(key, result);
            }
        }
    }

    /// Hands on the remarks of what was made.
    fn note(&mut self, place: u64) {
        for &(step, remark) in &self.made.remarks {
            self.notes.add_last(step, place, remark);
        }
    }

    /// A duplicate on the one side matters at steps where the many side has any value.
    fn find_duplicates(&mut self, present: &[bool]) {
        let side = if self.many_is_left() { Side::Right } else { Side::Left };
        if let Some((step, (first, second))) = self.one.duplicate(present) {
            let operation = self.matching.operation;
            self.fail(step, Fault::DuplicateMatch { operation, side, first, second });
        }
    }

    /// Keeps the fault of the earliest step; of equal steps that found first, but duplicates of the one
    /// side before all others.
    fn fail(&mut self, step: usize, fault: Fault) {
        let duplicate = matches!(fault, Fault::DuplicateMatch { .. });
        let earlier = match &self.fault {
            None => true,
            Some((known, other)) => {
                let other_duplicate = matches!(other, Fault::DuplicateMatch { .. });
                step < *known || (step == *known && duplicate && !other_duplicate)
            }
        };
        if earlier {
            self.fault = Some((step, fault));
        }
    }

    /// Puts what was made into the result's row.
    fn collect(&mut self, key: u32, result: u32) {
        let steps = self.grid.steps;
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        let met = &mut self.met[key as usize];
        if met.is_empty() {
            *met = vec![false; steps];
            self.held += steps;
        }
        let collected = self.collected[result as usize].get_or_insert_with(|| {
            self.held += steps * (size_of::<f64>() + size_of::<u32>() + 1);
            Collected { row: OwnedRow::new(steps), made_by: vec![NO_KEY; steps] }
        });
        let made = self.made.row.row();
        let mut fault = None;
        for step in (0..steps).filter(|&step| self.made.both[step]) {
            let kept = self.made.row.is_present(step);
            let found = if one_to_one && met[step] {
                Some(Fault::ManyToOne)
            } else if !one_to_one && collected.made_by[step] == key {
                Some(Fault::GroupingLabels)
            } else if kept && collected.row.is_present(step) {
                Some(Fault::SameLabels)
            } else {
                None
            };
            if found.is_some() {
                fault = found.map(|found| (step, found));
                break;
            }
            met[step] = true;
            collected.made_by[step] = key;
            if kept {
                collected.row.set(step, made);
            }
        }
        if !self.made.row.histograms.is_empty() {
            self.held += self.made.row.bytes();
        }
        if let Some((step, fault)) = fault {
            self.fail(step, fault);
        }
    }
}

impl Transform for JoinStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> DataFusionResult<()> {
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            match input {
                0 => self.one_row(series, row),
                _ => self.many_row(series, row)?,
            }
        }
        self.ready.extend(self.builder.take()?);
        Ok(())
    }

    fn end(&mut self, input: usize) -> DataFusionResult<()> {
        if input == 1 {
            if self.matching.fill.is_some() {
                self.find_duplicates(&vec![true; self.grid.steps]);
            }
            self.fill_many();
            self.notes.finish();
            if let Some((_, fault)) = self.fault.take() {
                return Err(fault.into());
            }
            self.next = Some(0);
        }
        Ok(())
    }

    fn take(&mut self) -> DataFusionResult<Option<RecordBatch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.collected.len() && !self.builder.is_full() {
            if let Some(collected) = self.collected[next].take() {
                self.builder.push_row(next as u32, collected.row.row());
            }
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.one.held() + self.held + self.builder.held()
    }
}
