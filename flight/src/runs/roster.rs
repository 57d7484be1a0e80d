//! The series of an answer as messages: a dictionary column a label, in parts of some thousand series,
//! so that no message is long and each part is a table of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use engine::model::{ABSENT, LabelColumn, LabelTable, Labels};
use engine::source::{Roster, RosterBuilder, SeriesKind};
use proto::stoa::RunsRoster;
use proto::stoa::runs_roster::{Column, Kind};

/// How many series a part has.
const PART_SERIES: usize = 8 << 10;

/// The parts of a roster, at least one; the first has the warnings.
pub(super) fn parts(roster: &Roster, warnings: Vec<String>) -> Vec<RunsRoster> {
    let columns: Vec<_> = roster
        .label_names()
        .into_iter()
        .map(|name| {
            let (codes, values) = roster.column(&name);
            (name, codes, values)
        })
        .collect();
    let starts = (0..roster.len().max(1)).step_by(PART_SERIES);
    let mut parts: Vec<RunsRoster> = starts
        .map(|start| {
            let series = start..roster.len().min(start + PART_SERIES);
            let columns = columns
                .iter()
                .filter_map(|(name, codes, values)| column(name, &codes[series.clone()], values));
            RunsRoster {
                columns: columns.collect(),
                kinds: series.clone().map(|at| kind(roster.kind(at)).into()).collect(),
                samples: series.map(|at| roster.samples(at)).collect(),
                ..RunsRoster::default()
            }
        })
        .collect();
    if let Some(first) = parts.first_mut() {
        first.warnings = warnings;
    }
    if let Some(last) = parts.last_mut() {
        last.last = true;
    }
    parts
}

/// A column of some series, with the values that they have; none if they have none.
fn column(name: &str, codes: &[u32], values: &[Arc<str>]) -> Option<Column> {
    let mut place_of: HashMap<u32, u32> = HashMap::new();
    let mut own = Vec::new();
    let codes: Vec<u32> = codes
        .iter()
        .map(|&code| {
            if code == ABSENT {
                return 0;
            }
            *place_of.entry(code).or_insert_with(|| {
                own.push(values[code as usize].to_string());
                own.len() as u32
            })
        })
        .collect();
    (!own.is_empty()).then(|| Column { name: name.to_owned(), values: own, codes })
}

fn kind(kind: SeriesKind) -> Kind {
    match kind {
        SeriesKind::Float => Kind::Float,
        SeriesKind::Histogram => Kind::Histogram,
        SeriesKind::Mixed => Kind::Mixed,
    }
}

/// Takes the parts of a roster as they come.
#[derive(Debug)]
pub(super) struct Assembling {
    builder: RosterBuilder,
    external: u32,
    series: usize,
    most: usize,
    known: HashSet<u128>,
}

impl Assembling {
    /// A roster of at most `most` series.
    pub(super) fn new(most: usize) -> Self {
        let mut builder = RosterBuilder::new(Vec::new());
        let external = builder.add_external(&Labels::empty());
        Self { builder, external, series: 0, most, known: HashSet::new() }
    }

    /// Takes a part; the error says what is wrong with it.
    pub(super) fn push(&mut self, part: RunsRoster) -> Result<(), Wrong> {
        let rows = part.kinds.len();
        if part.samples.len() != rows {
            return Err(Wrong::Malformed(format!(
                "{rows} kinds and {} samples",
                part.samples.len()
            )));
        }
        self.series += rows;
        if self.series > self.most {
            return Err(Wrong::TooMany);
        }
        let mut columns = Vec::with_capacity(part.columns.len());
        for column in part.columns {
            columns.push(label_column(column, rows).map_err(Wrong::Malformed)?);
        }
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_ref()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Wrong::Malformed("a label has two columns".to_owned()));
        }
        let table = LabelTable::new(rows, columns);
        if !table.fingerprints().iter().all(|&print| self.known.insert(print)) {
            return Err(Wrong::Malformed("a series is there twice".to_owned()));
        }
        let table = self.builder.add_table(Arc::new(table));
        for (row, (kind, samples)) in part.kinds.into_iter().zip(part.samples).enumerate() {
            let kind = match Kind::try_from(kind) {
                Ok(Kind::Float) => SeriesKind::Float,
                Ok(Kind::Histogram) => SeriesKind::Histogram,
                Ok(Kind::Mixed) => SeriesKind::Mixed,
                Err(_) => return Err(Wrong::Malformed(format!("unknown kind of series {kind}"))),
            };
            self.builder.push(table, row as u32, self.external, kind, samples);
        }
        Ok(())
    }

    /// The roster.
    pub(super) fn finish(self) -> Roster {
        self.builder.build()
    }
}

/// Why a part is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is no part of a roster.
    Malformed(String),
    /// There are more series than the selector may match.
    TooMany,
}

fn label_column(column: Column, rows: usize) -> Result<LabelColumn, String> {
    let Column { name, values, codes } = column;
    let within = |what: String| format!("label {name:?}: {what}");
    if name.is_empty() {
        return Err("a label without a name".to_owned());
    }
    if codes.len() != rows {
        return Err(within(format!("{} codes for {rows} series", codes.len())));
    }
    let mut distinct = HashSet::with_capacity(values.len());
    if values.iter().any(|value| value.is_empty() || !distinct.insert(value.as_str())) {
        return Err(within("a value is empty, or there twice".to_owned()));
    }
    let known = 0..=values.len() as u64;
    if let Some(code) = codes.iter().find(|&&code| !known.contains(&u64::from(code))) {
        return Err(within(format!("code {code} of {} values", values.len())));
    }
    // 0, no such label, becomes the greatest number, which is what ABSENT is.
    let codes = codes.into_iter().map(|code| code.wrapping_sub(1)).collect();
    let values = values.into_iter().map(Arc::from).collect();
    Ok(LabelColumn { name: Arc::from(name), values, codes })
}

/// About how many bytes a part takes once it is taken.
pub(super) fn held(part: &RunsRoster) -> usize {
    const PER_SERIES: usize = 96;
    let columns = part.columns.iter().map(|column| {
        column.codes.len() * 4 + column.values.iter().map(|value| value.len() + 64).sum::<usize>()
    });
    part.kinds.len() * PER_SERIES + columns.sum::<usize>()
}
