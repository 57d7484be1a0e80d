//! The one side of a join, kept whole.

use super::NO_KEY;
use crate::exec::grid::{OwnedRow, Row};

/// Rows of the one side that make the same result series: they take turns over the steps.
#[derive(Debug)]
pub(super) struct OneRow {
    class: u32,
    /// One of its series; all of them have the class.
    pub(super) series: u32,
    pub(super) row: OwnedRow,
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
pub(super) struct OneSide {
    groups: Vec<OneGroup>,
    /// The first two series of one group that have a value at one step; empty without such.
    duplicates: Vec<Option<(u32, u32)>>,
    held: usize,
}

impl OneSide {
    pub(super) fn new(keys: usize) -> Self {
        let groups = (0..keys).map(|_| OneGroup::default()).collect();
        Self { groups, duplicates: Vec::new(), held: 0 }
    }

    pub(super) fn add(&mut self, key: u32, class: u32, series: u32, row: Row<'_>) {
        let Some(group) = self.groups.get_mut(key as usize) else { return };
        let present = row.present();
        if let Some(first) = group.rows.first() {
            if group.holder.is_empty() {
                let held = |&present: &bool| if present { first.series } else { NO_KEY };
                group.holder = first.row.row().present().iter().map(held).collect();
                self.held += present.len() * size_of::<u32>();
            }
            for step in (0..present.len()).filter(|&step| present[step]) {
                let holder = &mut group.holder[step];
                if *holder == NO_KEY {
                    *holder = series;
                } else {
                    self.duplicates.resize(present.len(), None);
                    let _ = self.duplicates[step].get_or_insert((*holder, series));
                }
            }
        }
        match group.rows.iter_mut().find(|row| row.class == class) {
            Some(kept) => {
                for step in (0..present.len()).filter(|&step| present[step]) {
                    kept.row.set(step, row);
                }
            }
            None => {
                let row = OwnedRow::from(row);
                self.held += row.bytes() + size_of::<OneRow>();
                group.rows.push(OneRow { class, series, row });
            }
        }
    }

    /// The rows of a match group.
    pub(super) fn group(&self, key: u32) -> Option<&[OneRow]> {
        self.groups.get(key as usize).map(|group| group.rows.as_slice())
    }

    /// At which of `steps` steps a match group has nothing.
    pub(super) fn lacking(&self, key: u32, steps: usize) -> Vec<bool> {
        let mut lacking = vec![true; steps];
        for one in self.group(key).unwrap_or_default() {
            let present = one.row.row().present();
            lacking.iter_mut().zip(present.iter()).for_each(|(to, &present)| *to &= !present);
        }
        lacking
    }

    /// The first step of `present` at which two series of one group have a value, and which.
    pub(super) fn duplicate(&self, present: &[bool]) -> Option<(usize, (u32, u32))> {
        let mut pairs = self.duplicates.iter().zip(present).enumerate();
        pairs.find_map(|(step, (pair, &present))| Some((step, (*pair)?)).filter(|_| present))
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}
