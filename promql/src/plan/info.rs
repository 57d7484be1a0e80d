//! `info()`: labels of info series.

use std::sync::Arc;

use engine::model::{Labels, METRIC_NAME, Matcher};
use engine::{Error, ErrorKind, Result};
use hashbrown::HashMap;

use super::names::Unnamed;
use super::series::METADATA;
use super::{Node, Operation, Planner, SeriesSet};
use crate::ast::{Expr, Many, Selector, VectorMatching};
use crate::exec::grid::Grid;
use crate::exec::info::{CONFLICT, InfoChoices, InfoTable, NO_RESULT, info};
use crate::exec::window::OfNewest;

/// The labels by which info series belong to others (`identifyingLabels` in promql/info.go).
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// Most choices of info series that one series may have.
const MAX_CHOICES: usize = 10_000;

impl Planner<'_> {
    pub(super) fn info(&mut self, base: &Expr, infos: &Selector, grid: Grid) -> Result<Node> {
        let base = self.plan(base, grid)?;
        let info_node = self.instant(infos, OfNewest::FloatTimestamp, grid);
        let operation = self.operations.len() as u32;
        let Planned { table, labels, source } =
            choices(&base.series, &info_node.series, infos, operation)?;
        let matching = VectorMatching {
            on: true,
            labels: IDENTIFYING.map(str::to_owned).to_vec(),
            many: Many::Neither,
            include: Vec::new(),
            fill: [None; 2],
        };
        let right = info_node.series;
        self.operations.push(Operation { left: base.series, right, matching });
        let plan = info(base.plan, info_node.plan, grid, Arc::new(table));
        let unnamed = Unnamed::of(source.into_iter().map(|at| base.unnamed.has(at)));
        let series = SeriesSet::from_labels(&labels);
        Ok(Node { plan, series, grid, ordered: false, unnamed })
    }
}

/// The table, the labels of results, and a base series of each.
struct Planned {
    table: InfoTable,
    labels: Vec<Labels>,
    source: Vec<usize>,
}

/// Numbers results by their labels.
#[derive(Default)]
struct Results {
    numbers: HashMap<Labels, u32>,
    labels: Vec<Labels>,
    source: Vec<usize>,
}

impl Results {
    fn number(&mut self, labels: Labels, base: usize) -> u32 {
        let next = self.labels.len() as u32;
        *self.numbers.entry(labels).or_insert_with_key(|labels| {
            self.labels.push(labels.clone());
            self.source.push(base);
            next
        })
    }
}

/// Which info series each base series may have, and what comes of each choice.
fn choices(
    base: &SeriesSet,
    infos: &SeriesSet,
    selector: &Selector,
    operation: u32,
) -> Result<Planned> {
    let (names, data): (Vec<&Matcher>, Vec<&Matcher>) =
        selector.matchers.iter().partition(|matcher| matcher.name() == METRIC_NAME);
    let identity = |labels: &Labels| IDENTIFYING.map(|name| labels.get(name).to_owned());
    let info_labels = infos.all_labels();
    let mut by_identity: HashMap<[String; 2], Vec<u32>> = HashMap::new();
    for (at, labels) in info_labels.iter().enumerate() {
        by_identity.entry(identity(labels)).or_default().push(at as u32);
    }
    let mut results = Results::default();
    let mut table = InfoTable { operation, ..InfoTable::default() };
    for at in 0..base.len() {
        let own = base.labels(at);
        let is_info = names.iter().all(|name| name.matches(own.get(METRIC_NAME)));
        let key = identity(&own);
        let matched = match is_info || key.iter().all(String::is_empty) {
            true => None,
            false => by_identity.get(&key),
        };
        let metrics = by_metric(matched.map_or(&[], Vec::as_slice), &info_labels);
        let count = metrics.iter().try_fold(1usize, |count, of| count.checked_mul(of.len() + 1));
        let count = count.filter(|&count| count <= MAX_CHOICES).ok_or_else(|| {
            let text = format!("{own} has more than {MAX_CHOICES} choices of info series");
            Error::new(ErrorKind::ResourcesExhausted, text)
        })?;
        let mut of_base = Vec::with_capacity(count);
        for choice in 0..count {
            let chosen = chosen(choice, &metrics);
            if chosen.is_empty() {
                // Without info series only what asks for none is left.
                let kept = is_info || data.iter().all(|matcher| matcher.matches(""));
                let number = if kept { results.number(own.clone(), at) } else { NO_RESULT };
                of_base.push(number);
                continue;
            }
            let chosen: Vec<&Labels> =
                chosen.into_iter().map(|info| &info_labels[info as usize]).collect();
            of_base.push(match data_labels(&own, &chosen, &data) {
                Ok(labels) => results.number(own.overlay(&labels), at),
                Err(label) => {
                    table.conflict = format!("conflicting label: {label}");
                    CONFLICT
                }
            });
        }
        table.of_base.push(InfoChoices { metrics, results: of_base });
    }
    let Results { labels, source, .. } = results;
    table.results = labels.len() as u32;
    Ok(Planned { table, labels, source })
}

/// Info series by their metric, in order of names.
fn by_metric(infos: &[u32], labels: &[Labels]) -> Vec<Vec<u32>> {
    let mut metrics: std::collections::BTreeMap<&str, Vec<u32>> = std::collections::BTreeMap::new();
    for &info in infos {
        metrics.entry(labels[info as usize].get(METRIC_NAME)).or_default().push(info);
    }
    metrics.into_values().collect()
}

/// The info series of a choice: digits, the last metric's the lowest; 0 is none.
fn chosen(mut choice: usize, metrics: &[Vec<u32>]) -> Vec<u32> {
    let mut chosen = Vec::new();
    for metric in metrics.iter().rev() {
        let digit = choice % (metric.len() + 1);
        choice /= metric.len() + 1;
        chosen.extend(digit.checked_sub(1).map(|at| metric[at]));
    }
    chosen
}

/// The labels that info series add to a series; the name of one in which they differ is the error.
fn data_labels(own: &Labels, infos: &[&Labels], data: &[&Matcher]) -> Result<Labels, String> {
    let wanted = |name: &str| data.is_empty() || data.iter().any(|matcher| matcher.name() == name);
    let mut added: Vec<(&str, &str)> = Vec::new();
    for label in infos.iter().flat_map(|labels| labels.iter()) {
        let (name, value) = (&*label.name, &*label.value);
        if METADATA.contains(&name) || !wanted(name) {
            continue;
        }
        match added.iter().find(|(known, _)| *known == name) {
            Some((_, other)) if *other != value => return Err(name.to_owned()),
            Some(_) => {}
            None if own.get(name).is_empty() => added.push((name, value)),
            None => {}
        }
    }
    Labels::new(added).map_err(|error| error.to_string())
}
