//! The label sets of a block's series, put together as a table from symbol numbers.

use std::collections::HashMap;
use std::sync::Arc;

use engine::model::{ABSENT, LabelColumn, LabelTable};
use engine::{Error, Result};

use super::index::{SeriesEntry, Symbols};

/// Builds the label table row by row from symbol numbers.
#[derive(Debug, Default)]
pub(super) struct TableBuilder {
    rows: usize,
    columns: Vec<ColumnBuilder>,
    /// The column of a name's symbol.
    by_name: HashMap<u32, usize>,
}

#[derive(Debug)]
struct ColumnBuilder {
    name: u32,
    codes: Vec<u32>,
    values: Vec<u32>,
    code_of: HashMap<u32, u32>,
    /// Neighbouring series share most values.
    last: (u32, u32),
}

impl TableBuilder {
    pub(super) fn add(&mut self, entry: &SeriesEntry<'_>, symbols: &Symbols) -> Result<()> {
        let row = self.rows;
        let mut last_name = None;
        entry.labels(|name, value| {
            let (name, value) = (symbols.number(name)?, symbols.number(value)?);
            // Symbols are sorted, so numbers compare as texts do.
            if last_name.is_some_and(|last| last >= name) || symbols.text(name).is_empty() {
                return Err(Error::corrupt(format!(
                    "label {:?} is empty, given twice or out of order",
                    symbols.text(name)
                )));
            }
            last_name = Some(name);
            if !symbols.text(value).is_empty() {
                self.column(name).set(row, value);
            }
            Ok(())
        })?;
        self.rows += 1;
        Ok(())
    }

    fn column(&mut self, name: u32) -> &mut ColumnBuilder {
        let next = self.columns.len();
        let at = *self.by_name.entry(name).or_insert(next);
        if at == next {
            self.columns.push(ColumnBuilder {
                name,
                codes: Vec::new(),
                values: Vec::new(),
                code_of: HashMap::new(),
                last: (ABSENT, ABSENT),
            });
        }
        &mut self.columns[at]
    }

    pub(super) fn finish(self, symbols: &Symbols) -> LabelTable {
        let rows = self.rows;
        let columns = self.columns.into_iter().map(|mut column| {
            column.codes.resize(rows, ABSENT);
            let values = column.values.iter().map(|&value| Arc::clone(symbols.text(value)));
            LabelColumn {
                name: Arc::clone(symbols.text(column.name)),
                values: values.collect(),
                codes: column.codes,
            }
        });
        LabelTable::new(rows, columns.collect())
    }
}

impl ColumnBuilder {
    fn set(&mut self, row: usize, value: u32) {
        if self.last.0 != value {
            let next = self.values.len() as u32;
            let code = *self.code_of.entry(value).or_insert(next);
            if code == next {
                self.values.push(value);
            }
            self.last = (value, code);
        }
        self.codes.resize(row, ABSENT);
        self.codes.push(self.last.1);
    }
}
