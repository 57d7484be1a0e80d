//! Which labels have a column of their own in `series.parquet`, and what the columns are called.
//!
//! The map `labels` is the truth; columns are for pruning and for SQL. A column's name is a prefix
//! (`l_` for own labels, `e_` for external ones) and the label's name, escaped as Prometheus escapes
//! UTF-8 names (`U__…`), so that it is made of letters, digits and `_` alone. Where readers that
//! ignore case would see two equal names, the later ones get `__2`, `__3`, …

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{ABSENT, LabelTable, Labels, METRIC_NAME};

/// Most own labels with a column; the rest are in the map only.
pub(super) const MAX_LABEL_COLUMNS: usize = 512;

/// A column and the label that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedColumn {
    /// The column's name.
    pub column: String,
    /// The label's name.
    pub label: Arc<str>,
}

/// The label columns of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LabelColumns {
    /// The columns of external labels, by label name.
    pub external: Vec<NamedColumn>,
    /// The columns of own labels, by label name; the metric's name is not among them.
    pub own: Vec<NamedColumn>,
    /// How many own labels have no column.
    pub map_only: usize,
}

impl LabelColumns {
    /// The columns for the series of `table`: the labels that most series have, up to
    /// [`MAX_LABEL_COLUMNS`].
    pub(super) fn choose(table: &LabelTable, external: &Labels) -> Self {
        let mut own: Vec<(usize, &Arc<str>)> = table
            .columns()
            .iter()
            .filter(|column| column.name.as_ref() != METRIC_NAME)
            .map(|column| {
                let present = column.codes.iter().filter(|&&code| code != ABSENT).count();
                (present, &column.name)
            })
            .filter(|&(present, _)| present > 0)
            .collect();
        own.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let map_only = own.len().saturating_sub(MAX_LABEL_COLUMNS);
        own.truncate(MAX_LABEL_COLUMNS);
        let own = own.into_iter().map(|(_, name)| Arc::clone(name)).collect();
        let external = external.iter().map(|label| Arc::clone(&label.name)).collect();
        Self { external: name_all("e_", external), own: name_all("l_", own), map_only }
    }
}

/// Names the columns of `labels`, whose order is that of their names. Labels without capitals are
/// named first, so that a common label keeps its plain name.
fn name_all(prefix: &str, mut labels: Vec<Arc<str>>) -> Vec<NamedColumn> {
    let capital = |label: &str| label.bytes().any(|byte| byte.is_ascii_uppercase());
    labels.sort_unstable_by(|a, b| capital(a).cmp(&capital(b)).then_with(|| a.cmp(b)));
    let mut taken = HashSet::new();
    let mut columns: Vec<NamedColumn> = labels
        .into_iter()
        .map(|label| {
            let plain = format!("{prefix}{}", escape(&label));
            let mut column = plain.clone();
            let mut number = 1;
            while !taken.insert(column.to_ascii_lowercase()) {
                number += 1;
                column = format!("{plain}__{number}");
            }
            NamedColumn { column, label }
        })
        .collect();
    columns.sort_unstable_by(|a, b| a.label.cmp(&b.label));
    columns
}

/// Prometheus' escaping of a name (`model.EscapeName` with `ValueEncodingEscaping`): a name of
/// letters, digits and `_` that does not begin with a digit stays; else `U__`, `_` doubled, and any
/// other character as `_hex_`.
fn escape(name: &str) -> String {
    let plain = |(at, c): (usize, char)| {
        c.is_ascii_alphabetic() || c == '_' || (c.is_ascii_digit() && at > 0)
    };
    if name.char_indices().all(plain) {
        return name.to_string();
    }
    let mut escaped = String::from("U__");
    for (at, c) in name.char_indices() {
        if c == '_' {
            escaped.push_str("__");
        } else if plain((at, c)) {
            escaped.push(c);
        } else {
            escaped.push_str(&format!("_{:x}_", u32::from(c)));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_prometheus_does() {
        assert_eq!(escape("job"), "job");
        assert_eq!(escape("_x1"), "_x1");
        assert_eq!(escape("my.label"), "U__my_2e_label");
        assert_eq!(escape("a_b.c"), "U__a__b_2e_c");
        assert_eq!(escape("1st"), "U___31_st");
        assert_eq!(escape("größe"), "U__gr_f6__df_e");
    }

    #[test]
    fn columns_differ_without_regard_to_case() {
        let names = ["Job", "JOB", "job", "job__2", "other"].map(Arc::from).to_vec();
        let named: Vec<(String, String)> = name_all("l_", names)
            .into_iter()
            .map(|named| (named.label.to_string(), named.column))
            .collect();
        let expected = [
            ("JOB", "l_JOB__3"),
            ("Job", "l_Job__4"),
            ("job", "l_job"),
            ("job__2", "l_job__2"),
            ("other", "l_other"),
        ];
        assert_eq!(named, expected.map(|(l, c)| (l.to_string(), c.to_string())));
    }
}
