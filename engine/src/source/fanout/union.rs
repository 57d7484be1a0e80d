//! The rosters of several sources as one.

use hashbrown::HashMap;

use crate::model::Labels;
use crate::source::arrange::Arrangement;
use crate::source::{Roster, SelectOptions, SeriesKind};
use crate::{Error, ErrorKind, Result};

/// Where the series of one source are in the union.
#[derive(Debug)]
pub(super) struct Place {
    /// For each series of the source: its series of the union.
    pub(super) union_of: Vec<u32>,
    /// For each series of the source: the rank of its replica.
    pub(super) replica_of: Vec<u32>,
    /// For each series of the union: one past the last series of the source that belongs to it; 0 if
    /// there is none.
    pub(super) until: Vec<u32>,
}

/// Where the series of all sources are.
#[derive(Debug)]
pub(super) struct Union {
    pub(super) places: Vec<Place>,
    /// How many series the union has.
    pub(super) series: usize,
    /// Whether some series has more than one replica.
    pub(super) replicated: bool,
}

/// Unites `rosters`, whose series have all their labels. Without dedup only series of equal labels
/// are one; with it replica labels do not count.
pub(super) fn unite(
    rosters: &[&Roster],
    apart: &SelectOptions,
    options: &SelectOptions,
) -> Result<(Roster, Union)> {
    let is_replica = |name: &str| !options.keeps(name);
    let mut known: HashMap<Labels, u32> = HashMap::new();
    let mut sets: Vec<Labels> = Vec::new();
    let mut about: Vec<(SeriesKind, u64)> = Vec::new();
    let mut replicas: Vec<Labels> = Vec::new();
    let mut replica_ids: HashMap<Labels, u32> = HashMap::new();
    let mut places: Vec<Place> = Vec::with_capacity(rosters.len());
    for roster in rosters {
        let mut place = Place { union_of: Vec::new(), replica_of: Vec::new(), until: Vec::new() };
        for at in 0..roster.len() {
            let full = roster.labels(at);
            let labels =
                if options.dedup { full.filter(|name| !is_replica(name)) } else { full.clone() };
            let replica = full.filter(is_replica);
            let (kind, samples) = (roster.kind(at), roster.samples(at));
            let union = *known.entry(labels).or_insert_with_key(|labels| {
                sets.push(labels.clone());
                about.push((kind, 0));
                (sets.len() - 1) as u32
            });
            let (known_kind, total) = &mut about[union as usize];
            *total += samples;
            if *known_kind != kind {
                *known_kind = SeriesKind::Mixed;
            }
            place.union_of.push(union);
            place.replica_of.push(*replica_ids.entry(replica).or_insert_with_key(|labels| {
                replicas.push(labels.clone());
                (replicas.len() - 1) as u32
            }));
        }
        places.push(place);
    }
    if sets.len() > options.series_limit {
        return Err(Error::new(
            ErrorKind::ResourcesExhausted,
            format!("the selector matches more than {} series", options.series_limit),
        ));
    }
    let arrangement = Arrangement::new(&sets, |name| apart.trails(name));
    let position = inverse(&arrangement.order);
    let ranks = ranks(&replicas);
    for place in &mut places {
        place.until = vec![0; sets.len()];
        for (at, union) in place.union_of.iter_mut().enumerate() {
            *union = position[*union as usize];
            place.until[*union as usize] = at as u32 + 1;
        }
        for replica in &mut place.replica_of {
            *replica = ranks[*replica as usize];
        }
    }
    let roster = arrangement.roster(|at| about[at]);
    let replicated = has_replicas(&places, sets.len());
    Ok((roster, Union { places, series: sets.len(), replicated }))
}

/// For each element where it stands in `order`.
fn inverse(order: &[u32]) -> Vec<u32> {
    let mut position = vec![0; order.len()];
    for (at, &element) in order.iter().enumerate() {
        position[element as usize] = at as u32;
    }
    position
}

/// The rank of each label set among all: the order of preference of replicas.
fn ranks(sets: &[Labels]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..sets.len() as u32).collect();
    order.sort_by(|&a, &b| sets[a as usize].cmp(&sets[b as usize]));
    inverse(&order)
}

fn has_replicas(places: &[Place], series: usize) -> bool {
    let mut seen: Vec<Option<u32>> = vec![None; series];
    let mut members = places.iter().flat_map(|p| p.union_of.iter().zip(&p.replica_of));
    members.any(|(&union, &replica)| {
        let first = seen[union as usize].get_or_insert(replica);
        *first != replica
    })
}
