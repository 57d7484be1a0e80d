//! Arithmetic and comparisons of two vectors.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use hashbrown::HashSet;

use super::{Cardinality, Join, Matching, NO_KEY};
use crate::exec::fault::{Fault, Side};
use crate::exec::grid::{Grid, GridBuilder, GridRows};
use crate::exec::operator::Transform;
use crate::functions::binary::{BinaryOp, Operand, Outcome};

/// Whether no two series of the many side can make the same result series, nor (one-to-one) meet in
/// one group: then rows go through one by one, in any partition.
pub(super) fn results_are_separate(matching: &Matching) -> bool {
    let mut seen = HashSet::with_capacity(matching.out.len());
    let distinct = matching.out.iter().all(|out| seen.insert(*out));
    if matching.cardinality != Cardinality::OneToOne || !distinct {
        return distinct;
    }
    let mut seen = HashSet::with_capacity(matching.left_key.len());
    matching.left_key.iter().all(|&key| key == NO_KEY || seen.insert(key))
}

/// Rows of the one side that make the same result series: they take turns over the steps.
#[derive(Debug)]
struct OneRow {
    class: u32,
    /// One of its series; all of them have the class.
    series: u32,
    values: Vec<f64>,
    valid: Vec<bool>,
}

/// A match group of the one side.
#[derive(Debug, Default)]
struct OneGroup {
    rows: Vec<OneRow>,
    /// With a second series: which series has a value at each step, [`NO_KEY`] for none.
    holder: Vec<u32>,
}

/// The one side.
#[derive(Debug)]
struct OneSide {
    groups: Vec<OneGroup>,
    /// The first two series of one group that have a value at one step; empty without such.
    duplicates: Vec<Option<(u32, u32)>>,
    held: usize,
}

impl OneSide {
    fn add(&mut self, key: u32, class: u32, series: u32, values: &[f64], valid: &[bool]) {
        let Some(group) = self.groups.get_mut(key as usize) else { return };
        if let Some(first) = group.rows.first() {
            if group.holder.is_empty() {
                let held = |&valid: &bool| if valid { first.series } else { NO_KEY };
                group.holder = first.valid.iter().map(held).collect();
                self.held += valid.len() * size_of::<u32>();
            }
            for step in (0..valid.len()).filter(|&step| valid[step]) {
                let holder = &mut group.holder[step];
                if *holder == NO_KEY {
                    *holder = series;
                } else {
                    self.duplicates.resize(valid.len(), None);
                    let _ = self.duplicates[step].get_or_insert((*holder, series));
                }
            }
        }
        match group.rows.iter_mut().find(|row| row.class == class) {
            Some(row) => {
                for step in (0..valid.len()).filter(|&step| valid[step]) {
                    row.values[step] = values[step];
                    row.valid[step] = true;
                }
            }
            None => {
                self.held += values.len() * (size_of::<f64>() + 1) + size_of::<OneRow>();
                let (values, valid) = (values.to_vec(), valid.to_vec());
                group.rows.push(OneRow { class, series, values, valid });
            }
        }
    }
}

/// A result row that several series of the many side make.
#[derive(Debug, Clone)]
struct Collected {
    values: Vec<f64>,
    valid: Vec<bool>,
    /// The group that made, or with a comparison that fails might have made, the value at each step.
    made_by: Vec<u32>,
}

pub(super) struct JoinStream {
    grid: Grid,
    op: BinaryOp,
    outcome: Outcome,
    matching: Arc<Matching>,
    one: OneSide,
    /// Result rows, if they are not [separate](results_are_separate), else empty.
    collected: Vec<Option<Collected>>,
    /// One-to-one, collected: at which steps each group has met.
    met: Vec<Vec<bool>>,
    held: usize,
    /// The earliest step that must fail, and how.
    fault: Option<(usize, Fault)>,
    out: Vec<f64>,
    valid: Vec<bool>,
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
        let meets = collects && matching.cardinality == Cardinality::OneToOne;
        let groups = (0..keys).map(|_| OneGroup::default()).collect();
        let steps = operator.grid.steps;
        Self {
            grid: operator.grid,
            op: operator.op,
            outcome: operator.outcome,
            matching,
            one: OneSide { groups, duplicates: Vec::new(), held: 0 },
            collected: vec![None; if collects { outputs } else { 0 }],
            met: vec![Vec::new(); if meets { keys } else { 0 }],
            held: 0,
            fault: None,
            out: vec![0.0; steps],
            valid: vec![false; steps],
            builder: GridBuilder::new(operator.grid),
            ready: VecDeque::new(),
            next: None,
        }
    }

    fn many_is_left(&self) -> bool {
        self.matching.cardinality != Cardinality::OneToMany
    }

    fn one_row(&mut self, series: u32, values: &[f64], valid: &[bool]) {
        let keys =
            if self.many_is_left() { &self.matching.right_key } else { &self.matching.left_key };
        let class = self.matching.one_class[series as usize];
        self.one.add(keys[series as usize], class, series, values, valid);
    }

    fn many_row(&mut self, series: u32, values: &[f64], present: &[bool]) -> Result<()> {
        self.find_duplicates(present);
        let many_is_left = self.many_is_left();
        let keys = if many_is_left { &self.matching.left_key } else { &self.matching.right_key };
        let key = keys[series as usize];
        let collects = !self.collected.is_empty();
        let rows = self.one.groups.get(key as usize).map_or(0, |group| group.rows.len());
        for at in 0..rows {
            let row = &self.one.groups[key as usize].rows[at];
            let result = self.matching.result(series, row.series);
            let (one, many) = (Operand::Row(&row.values), Operand::Row(values));
            let (left, right) = if many_is_left { (many, one) } else { (one, many) };
            if collects {
                for ((both, &many), &one) in self.valid.iter_mut().zip(present).zip(&row.valid) {
                    *both = many && one;
                }
                let mut kept = self.valid.clone();
                self.op.apply(left, right, self.outcome, &mut self.out, &mut kept);
                self.collect(key, result, &kept);
                continue;
            }
            let (out, valid) = self.builder.slots();
            for ((both, &many), &one) in valid.iter_mut().zip(present).zip(&row.valid) {
                *both = many && one;
            }
            if !valid.contains(&true) {
                continue;
            }
            self.op.apply(left, right, self.outcome, out, valid);
            self.builder.commit(result);
            if self.builder.is_full() {
                self.ready.extend(self.builder.take()?);
            }
        }
        Ok(())
    }

    /// A duplicate on the one side matters at steps where the many side has any value.
    fn find_duplicates(&mut self, present: &[bool]) {
        let side = if self.many_is_left() { Side::Right } else { Side::Left };
        let mut pairs = self.one.duplicates.iter().zip(present).enumerate();
        let found =
            pairs.find_map(|(step, (pair, &present))| Some((step, (*pair)?)).filter(|_| present));
        if let Some((step, (first, second))) = found {
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

    /// Puts `self.out` into the result's row. Both sides have values where `self.valid` is set; the
    /// operation gives one where `kept` is.
    fn collect(&mut self, key: u32, result: u32, kept: &[bool]) {
        let steps = self.grid.steps;
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        if one_to_one && self.met[key as usize].is_empty() {
            self.met[key as usize] = vec![false; steps];
            self.held += steps;
        }
        let row = self.collected[result as usize].get_or_insert_with(|| {
            self.held += steps * (size_of::<f64>() + size_of::<u32>() + 1);
            Collected {
                values: vec![0.0; steps],
                valid: vec![false; steps],
                made_by: vec![NO_KEY; steps],
            }
        });
        let mut fault = None;
        for step in (0..steps).filter(|&step| self.valid[step]) {
            let found = if one_to_one && self.met[key as usize][step] {
                Some(Fault::ManyToOne)
            } else if !one_to_one && row.made_by[step] == key {
                Some(Fault::GroupingLabels)
            } else if kept[step] && row.valid[step] {
                Some(Fault::SameLabels)
            } else {
                None
            };
            if found.is_some() {
                fault = found.map(|found| (step, found));
                break;
            }
            if one_to_one {
                self.met[key as usize][step] = true;
            }
            row.made_by[step] = key;
            if kept[step] {
                row.values[step] = self.out[step];
                row.valid[step] = true;
            }
        }
        if let Some((step, fault)) = fault {
            self.fail(step, fault);
        }
    }
}

impl Transform for JoinStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        for (series, values, valid) in GridRows::new(batch, self.grid)?.iter() {
            match input {
                0 => self.one_row(series, values, valid),
                _ => self.many_row(series, values, valid)?,
            }
        }
        self.ready.extend(self.builder.take()?);
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == 1 {
            if let Some((_, fault)) = self.fault.take() {
                return Err(fault.into());
            }
            self.next = Some(0);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.collected.len() && !self.builder.is_full() {
            if let Some(row) = self.collected[next].take() {
                self.builder.push(next as u32, &row.values, &row.valid);
            }
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.one.held + self.held + self.builder.held()
    }
}
