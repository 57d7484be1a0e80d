//! Many label sets as columns: one dictionary column a label name, one row a series.
//!
//! A block's label index is such a table, and so is the label part of every other source. Matchers
//! run once a distinct value and then on integer codes; label text is made only for the rows that
//! somebody looks at.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::lookup::Lookup;
use super::{Label, Labels, Matcher};

/// The code of an absent label.
pub const ABSENT: u32 = u32::MAX;

/// One label name over all rows of a [`LabelTable`].
#[derive(Debug, Clone)]
pub struct LabelColumn {
    /// The label's name.
    pub name: Arc<str>,
    /// The distinct values, none of them empty; in no particular order.
    pub values: Vec<Arc<str>>,
    /// A code a row: an index into `values`, or [`ABSENT`].
    pub codes: Vec<u32>,
}

impl LabelColumn {
    /// The value of `code`.
    pub(super) fn value(&self, code: u32) -> &str {
        &self.values[code as usize]
    }
}

/// Label sets of series, a row each, as dictionary columns sorted by name.
#[derive(Debug, Clone, Default)]
pub struct LabelTable {
    rows: usize,
    columns: Vec<LabelColumn>,
    fingerprints: Vec<u128>,
    lookup: Lookup,
}

impl LabelTable {
    /// A table of `rows` rows from columns in any order; each has one code a row.
    ///
    /// # Panics
    /// In debug builds, if a column has another length or a code is out of range.
    pub fn new(rows: usize, mut columns: Vec<LabelColumn>) -> Self {
        columns.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        debug_assert!(columns.iter().all(|column| column.codes.len() == rows
            && column.codes.iter().all(|&c| c == ABSENT || (c as usize) < column.values.len())));
        let mut table = Self { rows, columns, fingerprints: Vec::new(), lookup: Lookup::default() };
        let mut text = Vec::new();
        table.fingerprints = (0..rows)
            .map(|row| {
                text.clear();
                for column in table.columns.iter().filter(|column| column.codes[row] != ABSENT) {
                    text.extend_from_slice(column.name.as_bytes());
                    text.push(0xff);
                    text.extend_from_slice(column.values[column.codes[row] as usize].as_bytes());
                    text.push(0xff);
                }
                xxh3_128(&text)
            })
            .collect();
        table
    }

    /// A table with the given label sets as its rows, in their order.
    pub fn from_labels<'a>(sets: impl IntoIterator<Item = &'a Labels>) -> Self {
        let sets: Vec<&Labels> = sets.into_iter().collect();
        let mut columns: std::collections::BTreeMap<Arc<str>, ColumnBuilder> = Default::default();
        for (row, set) in sets.iter().enumerate() {
            for label in set.iter() {
                let column = columns
                    .entry(Arc::clone(&label.name))
                    .or_insert_with(|| ColumnBuilder::new(sets.len()));
                column.set(row, &label.value);
            }
        }
        let columns = columns
            .into_iter()
            .map(|(name, b)| LabelColumn { name, values: b.values, codes: b.codes })
            .collect();
        Self::new(sets.len(), columns)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns in order of their names.
    pub fn columns(&self) -> &[LabelColumn] {
        &self.columns
    }

    /// The column of `name`, if any row has that label.
    pub fn column(&self, name: &str) -> Option<&LabelColumn> {
        let at = self.columns.binary_search_by(|c| c.name.as_ref().cmp(name)).ok()?;
        Some(&self.columns[at])
    }

    /// The label set of `row`.
    pub fn labels(&self, row: usize) -> Labels {
        Labels::from_sorted(
            self.columns
                .iter()
                .filter(|column| column.codes[row] != ABSENT)
                .map(|column| Label {
                    name: Arc::clone(&column.name),
                    value: Arc::clone(&column.values[column.codes[row] as usize]),
                })
                .collect(),
        )
    }

    /// The value of `name` in `row`, or the empty string.
    pub fn value(&self, row: usize, name: &str) -> &str {
        match self.column(name) {
            Some(column) if column.codes[row] != ABSENT => {
                &column.values[column.codes[row] as usize]
            }
            _ => "",
        }
    }

    /// The table whose row `i` is this table's row `rows[i]`. Values that no row uses any more stay
    /// in their column.
    ///
    /// # Panics
    /// If a row is out of range.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| LabelColumn {
                name: Arc::clone(&column.name),
                values: column.values.clone(),
                codes: rows.iter().map(|&row| column.codes[row as usize]).collect(),
            })
            .collect();
        let fingerprints = rows.iter().map(|&row| self.fingerprints[row as usize]).collect();
        Self { rows: rows.len(), columns, fingerprints, lookup: Lookup::default() }
    }

    /// About how many bytes it takes in memory.
    pub fn memory_size(&self) -> usize {
        let column = |column: &LabelColumn| {
            let text: usize = column.values.iter().map(|value| value.len() + 32).sum();
            text + column.codes.len() * 4
        };
        self.columns.iter().map(column).sum::<usize>() + self.fingerprints.len() * 16
    }

    /// [`Labels::fingerprint`] of each row.
    pub fn fingerprints(&self) -> &[u128] {
        &self.fingerprints
    }

    /// The id of the series in `row`: the low half of its fingerprint.
    pub fn series_id(&self, row: usize) -> i64 {
        self.fingerprints[row] as i64
    }

    /// The rows, ascending, that all `matchers` accept.
    pub fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        self.lookup.select(self.rows, &self.columns, matchers)
    }
}

struct ColumnBuilder {
    values: Vec<Arc<str>>,
    codes: Vec<u32>,
    seen: hashbrown::HashMap<Arc<str>, u32>,
}

impl ColumnBuilder {
    fn new(rows: usize) -> Self {
        Self { values: Vec::new(), codes: vec![ABSENT; rows], seen: Default::default() }
    }

    fn set(&mut self, row: usize, value: &Arc<str>) {
        let next = self.values.len() as u32;
        let code = *self.seen.entry_ref(value.as_ref()).or_insert_with(|| next);
        if code == next {
            self.values.push(Arc::clone(value));
        }
        self.codes[row] = code;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_the_label_sets() {
        let sets = [
            Labels::new([("__name__", "up"), ("job", "a")]).unwrap(),
            Labels::new([("__name__", "up"), ("zone", "b")]).unwrap(),
            Labels::empty(),
        ];
        let table = LabelTable::from_labels(&sets);
        let expected: Vec<u128> = sets.iter().map(Labels::fingerprint).collect();
        assert_eq!(table.fingerprints(), expected);
        let turned = table.take(&[2, 0]);
        assert_eq!(turned.labels(1), sets[0]);
        assert_eq!(turned.fingerprints(), [expected[2], expected[0]]);
    }
}
