//! The series of a node: their labels, known to the planner only.

use std::sync::Arc;

use engine::model::{ABSENT, LabelTable, Labels, METRIC_NAME};
use engine::source::{Grouping, Roster, RosterBuilder, SeriesKind};
use hashbrown::HashMap;

/// Labels that say which metric a series is; functions and arithmetic drop them
/// (`schema.IsMetadataLabel`).
pub(crate) const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Label sets by index. Text is made only for the series that somebody looks at: fifty thousand
/// series that are only counted stay columns of codes.
#[derive(Debug, Clone)]
pub(crate) struct SeriesSet {
    roster: Arc<Roster>,
    /// Whether [`METADATA`] is left out.
    nameless: bool,
    /// Bytes that were made for these series and that no [`Budget`](super::budget::Budget) has counted.
    made: usize,
}

/// Series put into classes by some of their labels.
#[derive(Debug)]
pub(crate) struct Classes {
    /// The class of each series, numbered in order of first sight.
    pub(crate) class_of: Vec<u32>,
    /// The first series of each class.
    pub(crate) first: Vec<u32>,
}

impl SeriesSet {
    /// The series of a selector.
    pub(crate) fn from_roster(roster: Arc<Roster>) -> Self {
        Self { roster, nameless: false, made: 0 }
    }

    /// Series with the given labels.
    pub(crate) fn from_labels(labels: &[Labels]) -> Self {
        let mut builder = RosterBuilder::new(Vec::new());
        let table = LabelTable::from_labels(labels);
        let made = table.memory_size();
        let table = builder.add_table(Arc::new(table));
        let external = builder.add_external(&Labels::empty());
        for row in 0..labels.len() {
            builder.push(table, row as u32, external, SeriesKind::Float, 0);
        }
        Self { made, ..Self::from_roster(Arc::new(builder.build())) }
    }

    /// One series with the given labels.
    pub(crate) fn one(labels: Labels) -> Self {
        Self::from_labels(&[labels])
    }

    /// The bytes that were made for these series, asked for once.
    pub(crate) fn take_made(&mut self) -> usize {
        std::mem::take(&mut self.made)
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.roster.len()
    }

    /// The labels of series `at`.
    pub(crate) fn labels(&self, at: usize) -> Labels {
        let labels = self.roster.labels(at);
        if self.nameless { labels.filter(|name| !METADATA.contains(&name)) } else { labels }
    }

    /// All label sets, in order.
    pub(crate) fn all_labels(&self) -> Vec<Labels> {
        (0..self.len()).map(|at| self.labels(at)).collect()
    }

    /// All label names that any series may have.
    pub(crate) fn label_names(&self) -> Vec<Arc<str>> {
        let mut names = self.roster.label_names();
        if self.nameless {
            names.retain(|name| !METADATA.contains(&name.as_ref()));
        }
        names
    }

    /// The value of label `name` of each series: codes into the values, [`ABSENT`] without.
    pub(crate) fn column(&self, name: &str) -> (Vec<u32>, Vec<Arc<str>>) {
        if self.nameless && METADATA.contains(&name) {
            return (vec![ABSENT; self.len()], Vec::new());
        }
        self.roster.column(name)
    }

    /// The series in classes of equal values of `names`.
    pub(crate) fn classes(&self, names: &[impl AsRef<str>]) -> Classes {
        let mut classes = Refinement::new(self.len());
        for name in names {
            classes.split(&self.column(name.as_ref()).0);
        }
        classes.finish()
    }

    /// The groups of an aggregation. With `without`, the metric's name goes too.
    pub(crate) fn group(&self, grouping: &crate::ast::Grouping) -> Grouping {
        let listed = |name: &str| grouping.labels.iter().any(|label| label == name);
        let kept = |name: &str| match grouping.without {
            true => !METADATA.contains(&name) && !listed(name),
            false => listed(name),
        };
        let names: Vec<_> = self.label_names().into_iter().filter(|name| kept(name)).collect();
        let Classes { class_of, first } = self.classes(&names);
        let labels = first.iter().map(|&at| self.labels(at as usize).filter(kept)).collect();
        Grouping { group_of: class_of, labels }
    }

    /// The same series without [`METADATA`]; and, if some of them are then equal, for each series
    /// the number of its result.
    pub(crate) fn without_name(&self) -> (Self, Option<Vec<u32>>) {
        let nameless = Self { nameless: true, ..self.clone() };
        if self.nameless || METADATA.iter().all(|name| constant(&self.column(name).0)) {
            return (nameless, None);
        }
        let Classes { class_of, first } = nameless.classes(&nameless.label_names());
        if first.len() == self.len() {
            return (nameless, None);
        }
        let labels: Vec<Labels> = first.iter().map(|&at| nameless.labels(at as usize)).collect();
        (Self::from_labels(&labels), Some(class_of))
    }
}

fn constant(codes: &[u32]) -> bool {
    codes.windows(2).all(|pair| pair[0] == pair[1])
}

/// A partition of rows that gets finer with each column of codes.
#[derive(Debug)]
pub(crate) struct Refinement {
    class_of: Vec<u32>,
    first: Vec<u32>,
}

impl Refinement {
    /// `rows` rows in one class.
    pub(crate) fn new(rows: usize) -> Self {
        Self { class_of: vec![0; rows], first: if rows == 0 { Vec::new() } else { vec![0] } }
    }

    /// Separates rows of different codes.
    pub(crate) fn split(&mut self, codes: &[u32]) {
        let rows = self.class_of.len();
        if self.first.len() == rows || constant(codes) {
            return;
        }
        let mut classes: HashMap<(u32, u32), u32> = HashMap::new();
        self.first.clear();
        for (row, (class, &code)) in self.class_of.iter_mut().zip(codes).enumerate() {
            let next = self.first.len() as u32;
            let new = *classes.entry((*class, code)).or_insert(next);
            if new == next {
                self.first.push(row as u32);
            }
            *class = new;
        }
    }

    /// The classes, in order of first sight.
    pub(crate) fn finish(self) -> Classes {
        Classes { class_of: self.class_of, first: self.first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast;

    fn set(rows: &[&[(&str, &str)]]) -> SeriesSet {
        let labels = |row: &&[(&str, &str)]| Labels::new(row.iter().copied()).unwrap();
        SeriesSet::from_labels(&rows.iter().map(labels).collect::<Vec<_>>())
    }

    fn texts(labels: &[Labels]) -> Vec<String> {
        labels.iter().map(Labels::to_string).collect()
    }

    #[test]
    fn groups_by_and_without() {
        let set = set(&[
            &[("__name__", "m"), ("a", "1"), ("b", "1")],
            &[("__name__", "n"), ("a", "1"), ("b", "2")],
            &[("__name__", "m"), ("b", "1")],
        ]);
        let group = |without, labels: &[&str]| {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            let groups = set.group(&ast::Grouping { without, labels });
            (groups.group_of, texts(&groups.labels))
        };
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(group(false, &["a"]), (vec![0, 0, 1], owned(&[r#"{a="1"}"#, "{}"])));
        assert_eq!(group(false, &[]), (vec![0, 0, 0], owned(&["{}"])));
        assert_eq!(group(true, &["b"]), (vec![0, 0, 1], owned(&[r#"{a="1"}"#, "{}"])));
        let names = group(false, &["__name__", "missing"]);
        assert_eq!(names, (vec![0, 1, 0], owned(&[r#"{__name__="m"}"#, r#"{__name__="n"}"#])));
    }

    #[test]
    fn series_that_differ_in_the_name_alone_become_one() {
        let one = set(&[&[("__name__", "m"), ("a", "1")], &[("__name__", "m"), ("a", "2")]]);
        assert!(one.without_name().1.is_none());
        let two = set(&[
            &[("__name__", "m"), ("a", "1")],
            &[("__name__", "n"), ("a", "1")],
            &[("__name__", "n"), ("a", "2")],
        ]);
        let (nameless, target) = two.without_name();
        assert_eq!(target, Some(vec![0, 0, 1]));
        assert_eq!(texts(&nameless.all_labels()), [r#"{a="1"}"#, r#"{a="2"}"#]);
    }
}
