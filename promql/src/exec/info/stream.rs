//! Info series first, then base series, whose cells go to the results of their choices.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use super::{CONFLICT, InfoChoices, InfoLabels, InfoTable, NO_RESULT};
use crate::exec::fault::Fault;
use crate::exec::grid::{Grid, GridBuilder, GridRows, OwnedRow, Row};
use crate::exec::operator::Transform;

pub(super) struct InfoStream {
    grid: Grid,
    table: Arc<InfoTable>,
    /// When each info series was seen at each step, in seconds; NaN where it is not there.
    seen: Vec<Option<Vec<f64>>>,
    /// Which info series may belong to a base series.
    matched: Vec<bool>,
    /// At which steps one of those is a histogram.
    histograms: Vec<bool>,
    results: Vec<Option<OwnedRow>>,
    held: usize,
    next: Option<usize>,
    builder: GridBuilder,
}

impl InfoStream {
    pub(super) fn new(operator: &InfoLabels) -> Self {
        let table = Arc::clone(&operator.table);
        let metrics = table.of_base.iter().flat_map(|choices| choices.metrics.iter().flatten());
        let infos = metrics.clone().max().map_or(0, |&last| last as usize + 1);
        let mut matched = vec![false; infos];
        metrics.for_each(|&info| matched[info as usize] = true);
        Self {
            grid: operator.grid,
            seen: vec![None; infos],
            matched,
            histograms: vec![false; operator.grid.steps],
            results: vec![None; table.results as usize],
            table,
            held: 0,
            next: None,
            builder: GridBuilder::of(operator.grid, operator.cells),
        }
    }

    fn info_row(&mut self, series: u32, row: Row<'_>) {
        let Some(seen) = self.seen.get_mut(series as usize) else { return };
        if !self.matched[series as usize] {
            return;
        }
        let cells = row.values.iter().zip(row.valid);
        let times: Vec<f64> =
            cells.map(|(&time, &valid)| if valid { time } else { f64::NAN }).collect();
        for (step, (time, valid)) in times.iter().zip(row.valid).enumerate() {
            self.histograms[step] |= *valid && time.is_nan();
        }
        self.held += size_of_val(times.as_slice());
        *seen = Some(times);
    }

    fn base_row(&mut self, series: u32, row: Row<'_>) -> Result<()> {
        let table = Arc::clone(&self.table);
        let choices = &table.of_base[series as usize];
        let present = row.present();
        for step in (0..present.len()).filter(|&step| present[step]) {
            if self.histograms[step] {
                return Err(Fault::Other("info sample should be float".to_owned()).into());
            }
            match self.choice(choices, step)? {
                NO_RESULT => {}
                CONFLICT => return Err(Fault::Other(table.conflict.clone()).into()),
                result => {
                    let held = &mut self.held;
                    let result = self.results[result as usize].get_or_insert_with(|| {
                        let new = OwnedRow::new(self.grid.steps);
                        *held += new.bytes();
                        new
                    });
                    if result.is_present(step) {
                        return Err(Fault::SameLabels.into());
                    }
                    result.set(step, row);
                }
            }
        }
        Ok(())
    }

    /// The result of the info series that were seen last.
    fn choice(&self, choices: &InfoChoices, step: usize) -> Result<u32> {
        let mut at = 0;
        for candidates in &choices.metrics {
            let mut newest: Option<(usize, f64)> = None;
            for (digit, &series) in candidates.iter().enumerate() {
                let seen = self.seen[series as usize].as_ref().map_or(f64::NAN, |seen| seen[step]);
                match newest {
                    _ if seen.is_nan() => {}
                    Some((other, time)) if time == seen => {
                        return Err(Fault::DuplicateInfo {
                            operation: self.table.operation,
                            first: candidates[other],
                            second: series,
                            time: (seen * 1000.0).round() as i64,
                        }
                        .into());
                    }
                    Some((_, time)) if time > seen => {}
                    _ => newest = Some((digit, seen)),
                }
            }
            at = at * (candidates.len() + 1) + newest.map_or(0, |(digit, _)| digit + 1);
        }
        Ok(choices.results[at])
    }
}

impl Transform for InfoStream {
    fn push(&mut self, input: usize, batch: RecordBatch) -> Result<()> {
        for (series, row) in GridRows::new(batch, self.grid)?.rows() {
            match input {
                0 => self.info_row(series, row),
                _ => self.base_row(series, row)?,
            }
        }
        Ok(())
    }

    fn end(&mut self, input: usize) -> Result<()> {
        if input == 1 {
            self.next = Some(0);
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<RecordBatch>> {
        let Some(mut next) = self.next else { return Ok(None) };
        while next < self.results.len() && !self.builder.is_full() {
            if let Some(row) = self.results[next].take() {
                self.builder.push_row(next as u32, row.row());
            }
            next += 1;
        }
        self.next = Some(next);
        self.builder.take()
    }

    fn held(&self) -> usize {
        self.held + self.builder.held()
    }
}
