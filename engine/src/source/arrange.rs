//! The order of a roster, for sources that may choose it.
//!
//! Block order first ([`order::sort`], over the labels that are the series' own), then all labels, as
//! a bucket has it: sources that agree in this are merged without sorting anything.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Roster, RosterBuilder, SeriesKind};
use crate::block::order;
use crate::model::{LabelTable, Labels};

/// Label sets in the order of a roster.
#[derive(Debug)]
pub(crate) struct Arrangement {
    /// For each series of the roster: which of the given sets it is.
    pub(crate) order: Vec<u32>,
    /// Own labels, in that order.
    table: Arc<LabelTable>,
    externals: Vec<Labels>,
    external_of: Vec<u32>,
}

impl Arrangement {
    /// Arranges `sets`; labels of which `trails` says so do not take part in block order, because
    /// they are external labels (or replica labels) somewhere.
    pub(crate) fn new(sets: &[Labels], trails: impl Fn(&str) -> bool) -> Self {
        let own: Vec<Labels> = sets.iter().map(|set| set.filter(|name| !trails(name))).collect();
        let table = LabelTable::from_labels(&own);
        let mut order = order::sort(&table);
        let prints = table.fingerprints();
        let same = |a: &u32, b: &u32| prints[*a as usize] == prints[*b as usize];
        for equal in order.chunk_by_mut(same).filter(|equal| equal.len() > 1) {
            equal.sort_by(|&a, &b| sets[a as usize].cmp(&sets[b as usize]));
        }
        let table = Arc::new(table.take(&order));
        let mut known: HashMap<Labels, u32> = HashMap::new();
        let mut externals = Vec::new();
        let external_of = order
            .iter()
            .map(|&at| {
                let external = sets[at as usize].filter(&trails);
                *known.entry(external).or_insert_with_key(|labels| {
                    externals.push(labels.clone());
                    (externals.len() - 1) as u32
                })
            })
            .collect();
        Self { order, table, externals, external_of }
    }

    /// The roster; `about` tells of the given set at a position what kind of samples it has and how
    /// many.
    pub(crate) fn roster(&self, about: impl Fn(usize) -> (SeriesKind, u64)) -> Roster {
        let mut builder = RosterBuilder::new(Vec::new());
        let table = builder.add_table(Arc::clone(&self.table));
        let externals: Vec<u32> =
            self.externals.iter().map(|labels| builder.add_external(labels)).collect();
        for (row, (&at, &external)) in self.order.iter().zip(&self.external_of).enumerate() {
            let (kind, samples) = about(at as usize);
            builder.push(table, row as u32, externals[external as usize], kind, samples);
        }
        builder.build()
    }
}
