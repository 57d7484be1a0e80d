//! The series of a selector, without their label text.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::model::{ABSENT, LabelTable, Labels};

/// What kind of samples a series has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeriesKind {
    /// Floats only.
    Float,
    /// Native histograms only.
    Histogram,
    /// Both.
    Mixed,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    table: u32,
    row: u32,
    external: u32,
    kind: SeriesKind,
    samples: u64,
}

/// The series of a selector: each a row of some source's [`LabelTable`] and the external labels of
/// that source. Indices are what the operators see.
#[derive(Debug, Default)]
pub struct Roster {
    tables: Vec<Arc<LabelTable>>,
    /// External labels as they appear in the answer: without replica labels.
    externals: Vec<Labels>,
    /// Labels that are not part of the series' identity (replica labels).
    dropped: Vec<String>,
    members: Vec<Member>,
}

/// Series of a roster put into groups.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// The group of each series.
    pub group_of: Vec<u32>,
    /// The label set of each group.
    pub labels: Vec<Labels>,
}

impl Roster {
    /// How many series there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The roster whose series `i` is this one's series `series[i]`.
    ///
    /// # Panics
    /// If an index is out of range.
    #[must_use]
    pub fn take(&self, series: &[u32]) -> Self {
        Self {
            tables: self.tables.clone(),
            externals: self.externals.clone(),
            dropped: self.dropped.clone(),
            members: series.iter().map(|&at| self.members[at as usize]).collect(),
        }
    }

    /// What kind of samples series `index` has.
    pub fn kind(&self, index: usize) -> SeriesKind {
        self.members[index].kind
    }

    /// About how many samples series `index` has in the selected range (replicas added up).
    pub fn samples(&self, index: usize) -> u64 {
        self.members[index].samples
    }

    /// The full label set of series `index`: its own labels, overlaid by the external ones, without
    /// replica labels.
    pub fn labels(&self, index: usize) -> Labels {
        let member = self.members[index];
        let own = self.tables[member.table as usize].labels(member.row as usize);
        let full = own.overlay(&self.externals[member.external as usize]);
        if self.dropped.is_empty() {
            return full;
        }
        full.filter(|name| !self.dropped.iter().any(|dropped| dropped == name))
    }

    /// The value of label `name` for each series: codes into the returned values, [`ABSENT`] where a
    /// series lacks the label. Work is done once a distinct value of each table.
    pub fn column(&self, name: &str) -> (Vec<u32>, Vec<Arc<str>>) {
        let mut values: Vec<Arc<str>> = Vec::new();
        let mut codes: HashMap<Arc<str>, u32> = HashMap::new();
        let mut intern = |value: &Arc<str>| -> u32 {
            let next = values.len() as u32;
            *codes.entry_ref(value.as_ref()).or_insert_with(|| {
                values.push(Arc::clone(value));
                next
            })
        };
        if self.dropped.iter().any(|dropped| dropped == name) {
            return (vec![ABSENT; self.members.len()], Vec::new());
        }
        let external: Vec<u32> = self
            .externals
            .iter()
            .map(|labels| match labels.get(name) {
                "" => ABSENT,
                value => intern(&Arc::from(value)),
            })
            .collect();
        let tables: Vec<Option<(&[u32], Vec<u32>)>> = self
            .tables
            .iter()
            .map(|table| {
                let column = table.column(name)?;
                Some((column.codes.as_slice(), column.values.iter().map(&mut intern).collect()))
            })
            .collect();
        let of_member = |member: &Member| -> u32 {
            match external[member.external as usize] {
                ABSENT => match &tables[member.table as usize] {
                    Some((codes, translated)) => match codes[member.row as usize] {
                        ABSENT => ABSENT,
                        code => translated[code as usize],
                    },
                    None => ABSENT,
                },
                code => code,
            }
        };
        let column = self.members.iter().map(of_member).collect();
        (column, values)
    }

    /// All label names that any series may have, sorted.
    pub fn label_names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for table in &self.tables {
            names.extend(table.columns().iter().map(|column| Arc::clone(&column.name)));
        }
        for labels in &self.externals {
            names.extend(labels.iter().map(|label| Arc::clone(&label.name)));
        }
        names.sort_unstable();
        names.dedup();
        names.retain(|name| !self.dropped.iter().any(|dropped| **dropped == **name));
        names
    }

    /// Groups by the given label names; groups are numbered in order of first sight. A name that a
    /// series lacks counts as the empty value and is not in the group's labels.
    pub fn group_by(&self, names: &[impl AsRef<str>]) -> Grouping {
        let columns: Vec<(&str, Vec<u32>, Vec<Arc<str>>)> = names
            .iter()
            .map(|name| {
                let (codes, values) = self.column(name.as_ref());
                (name.as_ref(), codes, values)
            })
            .collect();
        let mut groups: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut labels: Vec<Labels> = Vec::new();
        let mut key: Vec<u32> = vec![ABSENT; columns.len()];
        let group_of = (0..self.members.len())
            .map(|index| {
                for (slot, (_, codes, _)) in key.iter_mut().zip(&columns) {
                    *slot = codes[index];
                }
                if let Some(&group) = groups.get(&key) {
                    return group;
                }
                let group = labels.len() as u32;
                let pairs = columns.iter().filter(|(_, codes, _)| codes[index] != ABSENT).map(
                    |(name, codes, values)| {
                        (Arc::<str>::from(*name), Arc::clone(&values[codes[index] as usize]))
                    },
                );
                labels.push(Labels::new(pairs).unwrap_or_default());
                groups.insert(key.clone(), group);
                group
            })
            .collect();
        Grouping { group_of, labels }
    }
}

/// Makes a [`Roster`] from rows of label tables, in the order in which they are pushed.
#[derive(Debug, Default)]
pub struct RosterBuilder {
    roster: Roster,
}

impl RosterBuilder {
    /// A builder whose series lack the labels `dropped` (replica labels).
    pub fn new(dropped: Vec<String>) -> Self {
        Self { roster: Roster { dropped, ..Roster::default() } }
    }

    /// Adds a table and returns its number.
    pub fn add_table(&mut self, table: Arc<LabelTable>) -> u32 {
        self.roster.tables.push(table);
        (self.roster.tables.len() - 1) as u32
    }

    /// Adds a set of external labels (replica labels are removed from it) and returns its number.
    pub fn add_external(&mut self, labels: &Labels) -> u32 {
        let kept = labels.filter(|name| !self.roster.dropped.iter().any(|d| d == name));
        if let Some(at) = self.roster.externals.iter().position(|known| *known == kept) {
            return at as u32;
        }
        self.roster.externals.push(kept);
        (self.roster.externals.len() - 1) as u32
    }

    /// Adds a series and returns its index.
    pub fn push(
        &mut self,
        table: u32,
        row: u32,
        external: u32,
        kind: SeriesKind,
        samples: u64,
    ) -> u32 {
        self.roster.members.push(Member { table, row, external, kind, samples });
        (self.roster.members.len() - 1) as u32
    }

    /// The roster.
    pub fn build(self) -> Roster {
        self.roster
    }
}
