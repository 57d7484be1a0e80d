//! Finding the rows of a label table that matchers accept.
//!
//! A matcher is tried once a distinct value, and only on values that occur among the rows that are
//! left. Equality does not even do that: values are looked up in a sorted list, made when a column
//! is first asked for; and where the rows of each value are consecutive (the metric's name, in the
//! order of a block) the answer is a range of rows.

use std::ops::Range;
use std::sync::OnceLock;

use super::label_table::{ABSENT, LabelColumn};
use super::{MatchOp, Matcher};

/// The indexes of a table's columns, each made on first use.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup(OnceLock<Box<[OnceLock<ColumnIndex>]>>);

#[derive(Debug, Clone)]
struct ColumnIndex {
    /// The codes, ascending by their values.
    by_value: Vec<u32>,
    /// The rows of each code, if each code's rows are consecutive.
    ranges: Option<Vec<Range<u32>>>,
}

impl ColumnIndex {
    fn new(column: &LabelColumn) -> Self {
        let mut by_value: Vec<u32> = (0..column.values.len() as u32).collect();
        by_value.sort_unstable_by(|&a, &b| column.value(a).cmp(column.value(b)));
        Self { by_value, ranges: ranges(column) }
    }

    fn code(&self, column: &LabelColumn, value: &str) -> Option<u32> {
        let at = self.by_value.binary_search_by(|&code| column.value(code).cmp(value)).ok()?;
        Some(self.by_value[at])
    }
}

/// The rows of each code, if they are consecutive.
fn ranges(column: &LabelColumn) -> Option<Vec<Range<u32>>> {
    let mut ranges = vec![0..0; column.values.len()];
    let mut row = 0;
    for run in column.codes.chunk_by(|a, b| a == b) {
        let end = row + run.len() as u32;
        if run[0] != ABSENT {
            let range = &mut ranges[run[0] as usize];
            if range.start < range.end {
                return None;
            }
            *range = row..end;
        }
        row = end;
    }
    Some(ranges)
}

/// What a row must fulfil.
enum Condition<'a> {
    /// To have this code.
    Code(&'a [u32], u32),
    /// To have a value that the matcher accepts.
    Accepted { column: &'a LabelColumn, matcher: &'a Matcher, absent: bool },
}

impl Condition<'_> {
    fn filter(&self, rows: impl Iterator<Item = u32>) -> Vec<u32> {
        match *self {
            Self::Code(codes, code) => rows.filter(|&row| codes[row as usize] == code).collect(),
            Self::Accepted { column, matcher, absent } => {
                let mut known: Vec<Option<bool>> = vec![None; column.values.len()];
                let mut accepts = |code: u32| {
                    let value = &column.values[code as usize];
                    *known[code as usize].get_or_insert_with(|| matcher.matches(value))
                };
                rows.filter(|&row| match column.codes[row as usize] {
                    ABSENT => absent,
                    code => accepts(code),
                })
                .collect()
            }
        }
    }
}

impl Lookup {
    /// The rows, ascending, that all `matchers` accept.
    pub(super) fn select(
        &self,
        rows: usize,
        columns: &[LabelColumn],
        matchers: &[Matcher],
    ) -> Vec<u32> {
        let mut range = 0..u32::try_from(rows).unwrap_or(u32::MAX);
        let mut conditions = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            let absent = matcher.matches("");
            let found = columns.binary_search_by(|c| c.name.as_ref().cmp(matcher.name()));
            let Ok(at) = found else {
                if absent {
                    continue;
                }
                return Vec::new();
            };
            let column = &columns[at];
            if matcher.op() != MatchOp::Equal || absent {
                conditions.push(Condition::Accepted { column, matcher, absent });
                continue;
            }
            let index = self.index(columns, at);
            let Some(code) = index.code(column, matcher.value()) else { return Vec::new() };
            match &index.ranges {
                Some(ranges) => {
                    let own = &ranges[code as usize];
                    range = range.start.max(own.start)..range.end.min(own.end);
                }
                None => conditions.push(Condition::Code(&column.codes, code)),
            }
        }
        // The cheap ones first: they leave fewer rows.
        conditions.sort_by_key(|condition| !matches!(condition, Condition::Code(..)));
        let mut conditions = conditions.iter();
        match conditions.next() {
            None => range.collect(),
            Some(first) => conditions
                .fold(first.filter(range), |rows, condition| condition.filter(rows.into_iter())),
        }
    }

    fn index(&self, columns: &[LabelColumn], at: usize) -> &ColumnIndex {
        let all = self.0.get_or_init(|| columns.iter().map(|_| OnceLock::new()).collect());
        all[at].get_or_init(|| ColumnIndex::new(&columns[at]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{LabelTable, Labels};
    use super::*;

    fn sets() -> impl Strategy<Value = Vec<Labels>> {
        let value = prop::sample::select(vec!["", "a", "b", "ab", "c"]);
        let set = prop::collection::btree_map(
            prop::sample::select(vec!["__name__", "job", "pod"]),
            value,
            0..4,
        );
        prop::collection::vec(set.prop_map(|set| Labels::new(set).expect("distinct names")), 0..30)
    }

    fn matchers() -> impl Strategy<Value = Vec<Matcher>> {
        let op = prop::sample::select(vec![
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ]);
        let name = prop::sample::select(vec!["__name__", "job", "pod", "none"]);
        let value = prop::sample::select(vec!["", "a", "b", "a.*", "a|b", ".+", "zzz"]);
        let matcher = (name, op, value)
            .prop_map(|(name, op, value)| Matcher::new(name, op, value).expect("a pattern"));
        prop::collection::vec(matcher, 0..4)
    }

    proptest! {
        /// Selecting is asking every row; in order of rows, sorted tables and unsorted ones.
        #[test]
        fn select_is_a_filter(
            sets in sets(), sorted in any::<bool>(), matchers in matchers(),
        ) {
            let mut sets = sets;
            if sorted {
                sets.sort();
            }
            let table = LabelTable::from_labels(&sets);
            let accepts = |set: &Labels| matchers.iter().all(|m| m.matches(set.get(m.name())));
            let expected: Vec<u32> =
                (0..sets.len() as u32).filter(|&row| accepts(&sets[row as usize])).collect();
            prop_assert_eq!(table.select(&matchers), expected);
        }
    }
}
