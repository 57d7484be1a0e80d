//! Joins the matching series of many blocks into one roster.
//!
//! Rows of different blocks are one series if their labels are equal: own labels, overlaid by the
//! block's external labels, without replica labels. Rows meet by the fingerprint of their own
//! labels, which each block has in memory, and by the external labels; equality is then confirmed
//! label by label, on codes that are compared as text only once a distinct value. Where a replica
//! label or an external label is among the series' own labels, fingerprints say nothing, and rows
//! meet by their text.
//!
//! The roster is in block order ([`order::compare`]), then by external labels. Each block's rows
//! are in that order already, so only series that a block is the first to have are merged.

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashMap;

use super::files::wanted_runs;
use super::plan::{Piece, Pieces};
use super::select::Selection;
use crate::block::order;
use crate::model::{ABSENT, LabelColumn, LabelTable, Labels, TimeRange};
use crate::source::{Roster, RosterBuilder, SeriesKind};
use crate::{Error, ErrorKind, Result};

/// The series of all `selections`, and their pieces. Labels `dropped` do not tell series apart but
/// replicas. More than `limit` series are an error.
pub(crate) fn resolve(
    selections: Vec<Selection>,
    dropped: &[String],
    range: TimeRange,
    limit: usize,
) -> Result<(Roster, Pieces)> {
    Files::new(selections, dropped).resolve(dropped, range, limit)
}

/// The same by own labels alone: blocks of other external labels are other replicas. The roster has own
/// labels only.
pub(crate) fn resolve_own(selections: Vec<Selection>) -> Result<(Roster, Pieces)> {
    Files::of_replicas(selections).resolve(&[], TimeRange::ALL, usize::MAX)
}

impl Files {
    fn resolve(
        self,
        dropped: &[String],
        range: TimeRange,
        limit: usize,
    ) -> Result<(Roster, Pieces)> {
        let files = self;
        let joined = match files.join_by_fingerprint(dropped, limit)? {
            Some(joined) => joined,
            None => files.join_by_text(dropped, limit)?,
        };
        let Joined { series, entries, overlaps } = joined;
        let (order, rank) = files.order(&series);
        let mut offsets = vec![0u32; series.len() + 1];
        for entry in &entries {
            offsets[rank[entry.series as usize] as usize + 1] += 1;
        }
        for at in 0..series.len() {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let mut pieces = vec![Piece { file: 0, row: 0, replica: 0 }; entries.len()];
        for entry in &entries {
            let slot = &mut next[rank[entry.series as usize] as usize];
            pieces[*slot as usize] = entry.piece;
            *slot += 1;
        }
        let mut builder = RosterBuilder::new(dropped.to_vec());
        let mut tables = Vec::with_capacity(files.all.len());
        let mut externals = Vec::with_capacity(files.all.len());
        for file in &files.all {
            tables.push(builder.add_table(Arc::clone(file.table())));
            externals.push(builder.add_external(&file.kept));
        }
        for (at, &id) in order.iter().enumerate() {
            let mine = &mut pieces[offsets[at] as usize..offsets[at + 1] as usize];
            // By replica, then time: files are in that order unless replicas are told by own labels.
            mine.sort_by_key(|piece| piece.replica);
            let mut samples = 0;
            let mut kind: Option<SeriesKind> = None;
            for piece in mine.iter() {
                let open = &files.all[piece.file as usize].selection.open;
                for histograms in [false, true] {
                    let runs = wanted_runs(open, piece.row, histograms, range);
                    samples += runs.map(|run| u64::from(run.rows)).sum::<u64>();
                }
                let own = open.block.series.kind[piece.row as usize];
                kind = Some(match kind {
                    Some(known) if known != own => SeriesKind::Mixed,
                    _ => own,
                });
            }
            let (file, row) = series[id as usize];
            let kind = kind.unwrap_or(SeriesKind::Float);
            builder.push(tables[file as usize], row, externals[file as usize], kind, samples);
        }
        let files = files.all.into_iter().map(|file| file.selection.open).collect();
        Ok((builder.build(), Pieces { files, pieces, offsets, overlaps }))
    }
}

struct File {
    selection: Selection,
    /// External labels without replica labels.
    kept: Labels,
    /// The block's replica labels.
    replica: Labels,
    /// External labels that lie over own ones, whether they are kept or not.
    over: Labels,
}

impl File {
    fn table(&self) -> &Arc<LabelTable> {
        &self.selection.open.block.series.table
    }
}

struct Files {
    /// By (kept external labels, replica, time).
    all: Vec<File>,
}

/// A row, and which series it is.
struct Entry {
    series: u32,
    piece: Piece,
}

struct Joined {
    /// A row that stands for each series: file and row.
    series: Vec<(u32, u32)>,
    entries: Vec<Entry>,
    overlaps: bool,
}

impl Files {
    fn new(selections: Vec<Selection>, dropped: &[String]) -> Self {
        let is_dropped = |name: &str| dropped.iter().any(|d| d == name);
        let all: Vec<File> = selections
            .into_iter()
            .map(|selection| {
                let external = &selection.open.block.external_labels;
                let kept = external.filter(|name| !is_dropped(name));
                let replica = external.filter(is_dropped);
                let over = external.clone();
                File { selection, kept, replica, over }
            })
            .collect();
        Self::sorted(all)
    }

    fn of_replicas(selections: Vec<Selection>) -> Self {
        let file = |selection: Selection| {
            let replica = selection.open.block.external_labels.clone();
            File { selection, kept: Labels::empty(), replica, over: Labels::empty() }
        };
        Self::sorted(selections.into_iter().map(file).collect())
    }

    fn sorted(mut all: Vec<File>) -> Self {
        all.sort_by(|a, b| {
            let time = |f: &File| (f.selection.open.block.meta.min_time, f.id());
            (&a.kept, &a.replica).cmp(&(&b.kept, &b.replica)).then(time(a).cmp(&time(b)))
        });
        Self { all }
    }

    /// Joins by fingerprints; none if they cannot tell what is equal here.
    fn join_by_fingerprint(&self, dropped: &[String], limit: usize) -> Result<Option<Joined>> {
        let is_own = |name: &str| self.all.iter().any(|f| f.table().column(name).is_some());
        let externals = self.all.iter().flat_map(|file| file.kept.iter());
        let clashes = externals.map(|label| label.name.as_ref()).any(is_own)
            || dropped.iter().any(|name| is_own(name));
        if clashes {
            return Ok(None);
        }
        let replicas = ranks(self.all.iter().map(|file| file.replica.clone()));
        let externals = ranks(self.all.iter().map(|file| file.kept.clone()));
        let rows = self.all.iter().map(|file| file.selection.rows.len()).sum();
        let most = self.all.iter().map(|file| file.selection.rows.len()).max().unwrap_or(0);
        let mut known: HashMap<(u128, u32), u32> = HashMap::with_capacity(most);
        let mut joined = Joined {
            series: Vec::with_capacity(most),
            entries: Vec::with_capacity(rows),
            overlaps: false,
        };
        for (at, file) in self.all.iter().enumerate() {
            let prints = file.table().fingerprints();
            let mut same: Option<(u32, SameLabels<'_>)> = None;
            for &row in &file.selection.rows {
                let next = joined.series.len() as u32;
                let series = *known.entry((prints[row as usize], externals[at])).or_insert(next);
                if series == next {
                    if joined.series.len() >= limit {
                        return Err(too_many(limit));
                    }
                    joined.series.push((at as u32, row));
                } else {
                    let (first, first_row) = joined.series[series as usize];
                    let same = match &mut same {
                        Some((file, same)) if *file == first => same,
                        _ => {
                            let left = self.all[first as usize].table();
                            &mut same.insert((first, SameLabels::new(left, file.table()))).1
                        }
                    };
                    if !same.check(first_row as usize, row as usize) {
                        // Two label sets of one fingerprint: never by chance.
                        return Ok(None);
                    }
                }
                let piece = Piece { file: at as u32, row, replica: replicas[at] };
                joined.entries.push(Entry { series, piece });
            }
        }
        joined.overlaps = self.overlap();
        Ok(Some(joined))
    }

    /// Joins by the text of all labels.
    fn join_by_text(&self, dropped: &[String], limit: usize) -> Result<Joined> {
        let is_dropped = |name: &str| dropped.iter().any(|d| d == name);
        let mut known: HashMap<Labels, u32> = HashMap::new();
        let mut joined = Joined { series: Vec::new(), entries: Vec::new(), overlaps: false };
        let mut replicas = Vec::new();
        for (at, file) in self.all.iter().enumerate() {
            for &row in &file.selection.rows {
                let full = self.labels(at as u32, row);
                let next = joined.series.len() as u32;
                let series = *known.entry(full.filter(|n| !is_dropped(n))).or_insert(next);
                if series == next {
                    if joined.series.len() >= limit {
                        return Err(too_many(limit));
                    }
                    joined.series.push((at as u32, row));
                }
                replicas.push(file.replica.overlay(&full.filter(is_dropped)));
                let piece = Piece { file: at as u32, row, replica: 0 };
                joined.entries.push(Entry { series, piece });
            }
        }
        for (entry, rank) in joined.entries.iter_mut().zip(ranks(replicas.into_iter())) {
            entry.piece.replica = rank;
        }
        joined.entries.sort_by_key(|entry| {
            let meta = &self.all[entry.piece.file as usize].selection.open.block.meta;
            (meta.min_time, meta.ulid)
        });
        // Even two rows of one block may be the same series: external labels win over own ones.
        joined.overlaps = true;
        Ok(joined)
    }

    /// Whether blocks of one replica overlap in time.
    fn overlap(&self) -> bool {
        self.all.windows(2).any(|pair| {
            let (a, b) = (&pair[0], &pair[1]);
            let range = |file: &File| file.selection.open.block.meta.range();
            // Of one replica's blocks, in order of time, neighbours overlap if any do.
            a.kept == b.kept && a.replica == b.replica && range(a).overlaps(&range(b))
        })
    }

    /// The own labels of a row, overlaid by the external labels.
    fn labels(&self, file: u32, row: u32) -> Labels {
        let file = &self.all[file as usize];
        let own = file.table().labels(row as usize);
        own.overlay(&file.over)
    }

    /// The series in roster order, and the place of each in it.
    fn order(&self, series: &[(u32, u32)]) -> (Vec<u32>, Vec<u32>) {
        let mut sorted: Vec<u32> = (0..series.len() as u32).collect();
        // The series that each file is the first to have follow each other, and are in order.
        let several = series.windows(2).any(|pair| pair[0].0 != pair[1].0);
        if several || !self.in_own_order(series) {
            let keys: Vec<(Labels, &Labels)> = series
                .iter()
                .map(|&(file, row)| {
                    let file = &self.all[file as usize];
                    (file.table().labels(row as usize), &file.kept)
                })
                .collect();
            // A stable sort finds the runs that are in order and merges them.
            sorted.sort_by(|&a, &b| {
                let (a, b) = (&keys[a as usize], &keys[b as usize]);
                order::compare(&a.0, &b.0).then_with(|| a.1.cmp(b.1))
            });
        }
        let mut rank = vec![0; series.len()];
        for (place, &id) in sorted.iter().enumerate() {
            rank[id as usize] = place as u32;
        }
        (sorted, rank)
    }

    fn in_own_order(&self, series: &[(u32, u32)]) -> bool {
        series.windows(2).all(|pair| pair[0].1 < pair[1].1)
    }
}

impl File {
    fn id(&self) -> crate::block::BlockId {
        self.selection.open.block.meta.ulid
    }
}

fn too_many(limit: usize) -> Error {
    Error::new(
        ErrorKind::ResourcesExhausted,
        format!("a selector of the query matches more than {limit} series"),
    )
}

/// The rank of each label set among the distinct ones.
fn ranks(sets: impl Iterator<Item = Labels>) -> Vec<u32> {
    let sets: Vec<Labels> = sets.collect();
    let mut distinct = sets.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let rank = |set: &Labels| match distinct.binary_search(set) {
        Ok(rank) | Err(rank) => rank as u32,
    };
    sets.iter().map(rank).collect()
}

/// Compares rows of two label tables. Text is compared once a pair of values, then codes.
struct SameLabels<'a> {
    columns: Vec<Pair<'a>>,
}

struct Pair<'a> {
    left: Option<&'a LabelColumn>,
    right: Option<&'a LabelColumn>,
    /// For each code of `right`: the code of `left` that was found equal.
    equal: Vec<u32>,
}

impl<'a> SameLabels<'a> {
    fn new(left: &'a LabelTable, right: &'a LabelTable) -> Self {
        let mut columns = Vec::new();
        let (mut l, mut r) = (left.columns(), right.columns());
        loop {
            let order = match (l.first(), r.first()) {
                (None, None) => return Self { columns },
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.name.cmp(&b.name),
            };
            let left = if order.is_le() { l.split_off_first() } else { None };
            let right = if order.is_ge() { r.split_off_first() } else { None };
            let values = right.map_or(0, |column| column.values.len());
            columns.push(Pair { left, right, equal: vec![ABSENT; values] });
        }
    }

    fn check(&mut self, left_row: usize, right_row: usize) -> bool {
        self.columns.iter_mut().all(|pair| {
            let left = pair.left.map_or(ABSENT, |column| column.codes[left_row]);
            let right = pair.right.map_or(ABSENT, |column| column.codes[right_row]);
            if left == ABSENT || right == ABSENT {
                return left == right;
            }
            let known = &mut pair.equal[right as usize];
            if *known == left {
                return true;
            }
            let same = match (pair.left, pair.right) {
                (Some(a), Some(b)) => a.values[left as usize] == b.values[right as usize],
                _ => false,
            };
            if same {
                *known = left;
            }
            same
        })
    }
}
