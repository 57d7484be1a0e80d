//! The series of an answer, in the order that clients rely on.

use std::ops::Range;

use engine::model::Labels;
use engine::source::{Roster, SeriesKind};
use proto::thanos::Label;

use super::shard::Shard;

/// The series of a roster that are answered, ascending by their labels; several are one series of
/// the answer where only replica labels told them apart.
#[derive(Debug)]
pub(super) struct Ordered {
    /// Labels as they are answered, and the series' place in the roster.
    pub(super) series: Vec<(Labels, u32)>,
    /// How many of the series have native histograms, which cannot be sent yet.
    pub(super) histograms: usize,
}

impl Ordered {
    /// Orders `roster`; labels `without` are left out, and so is what is not in `shard`.
    pub(super) fn new(roster: &Roster, without: &[String], mut shard: Option<Shard>) -> Self {
        let mut series = Vec::with_capacity(roster.len());
        let mut histograms = 0;
        for at in 0..roster.len() {
            let labels = stripped(roster.labels(at), without);
            if shard.as_mut().is_some_and(|shard| !shard.has(&labels)) {
                continue;
            }
            let kind = roster.kind(at);
            histograms += usize::from(kind != SeriesKind::Float);
            if kind != SeriesKind::Histogram {
                series.push((labels, at as u32));
            }
        }
        series.sort_unstable();
        Self { series, histograms }
    }

    /// Leaves out what is not behind `last`.
    pub(super) fn behind(&mut self, last: &Labels) {
        let done = self.series.partition_point(|(labels, _)| labels <= last);
        self.series.drain(..done);
    }

    /// Stretches of the series with about `samples(n)` samples each, `n` counting stretches; what is
    /// one series of the answer is in one stretch.
    pub(super) fn cut(&self, roster: &Roster, most: impl Fn(usize) -> u64) -> Vec<Range<usize>> {
        let mut cuts = Vec::new();
        let (mut start, mut sum) = (0, 0u64);
        for (at, (labels, series)) in self.series.iter().enumerate() {
            sum += roster.samples(*series as usize);
            let is_last_of_labels = self.series.get(at + 1).is_none_or(|next| next.0 != *labels);
            if sum >= most(cuts.len()) && is_last_of_labels {
                cuts.push(start..at + 1);
                (start, sum) = (at + 1, 0);
            }
        }
        if start < self.series.len() {
            cuts.push(start..self.series.len());
        }
        cuts
    }
}

/// The labels without those named in `without`.
pub(super) fn stripped(labels: Labels, without: &[String]) -> Labels {
    if without.is_empty() {
        return labels;
    }
    labels.filter(|name| !without.iter().any(|left_out| left_out == name))
}

/// Labels on the wire.
pub(super) fn wire(labels: &Labels) -> Vec<Label> {
    let label = |label: &engine::model::Label| Label {
        name: label.name.to_string(),
        value: label.value.to_string(),
    };
    labels.iter().map(label).collect()
}
