//! The series of an answer, in the order that clients rely on.

use std::ops::Range;

use engine::model::Labels;
use engine::source::{HISTOGRAM_WEIGHT, SeriesKind, SourceParts};
use proto::thanos::Label;

use super::shard::Shard;

/// The series of all sources that are answered, ascending by their labels; several are one series of
/// the answer where only replica labels told them apart, or where several sources have it.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) series: Vec<Member>,
}

/// A series of one source.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    /// Labels as they are answered.
    pub(super) labels: Labels,
    /// Which source has it.
    pub(super) source: u32,
    /// Its place in that source's roster.
    pub(super) at: u32,
}

impl Ordered {
    /// Orders the rosters of `sources`; labels `without` are left out, and so is what is not in
    /// `shard`.
    pub(super) fn new(
        sources: &[SourceParts],
        without: &[String],
        mut shard: Option<Shard>,
    ) -> Self {
        let mut series = Vec::with_capacity(sources.iter().map(|s| s.roster.len()).sum());
        for (source, SourceParts { roster, .. }) in sources.iter().enumerate() {
            for at in 0..roster.len() {
                let labels = stripped(roster.labels(at), without);
                if shard.as_mut().is_none_or(|shard| shard.has(&labels)) {
                    series.push(Member { labels, source: source as u32, at: at as u32 });
                }
            }
        }
        series.sort_unstable();
        Self { series }
    }

    /// Leaves out what is not behind `last`.
    pub(super) fn behind(&mut self, last: &Labels) {
        let done = self.series.partition_point(|member| member.labels <= *last);
        self.series.drain(..done);
    }

    /// Stretches of the series with about `samples(n)` samples each, histograms by their weight; `n`
    /// counts stretches. What is one series of the answer is in one stretch.
    pub(super) fn cut(
        &self,
        sources: &[SourceParts],
        most: impl Fn(usize) -> u64,
    ) -> Vec<Range<usize>> {
        let mut cuts = Vec::new();
        let (mut start, mut sum) = (0, 0u64);
        for (at, member) in self.series.iter().enumerate() {
            let roster = &sources[member.source as usize].roster;
            let weight = match roster.kind(member.at as usize) {
                SeriesKind::Float => 1,
                SeriesKind::Histogram | SeriesKind::Mixed => HISTOGRAM_WEIGHT as u64,
            };
            sum += roster.samples(member.at as usize) * weight;
            let is_last_of_labels =
                self.series.get(at + 1).is_none_or(|next| next.labels != member.labels);
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
pub(crate) fn wire(labels: &Labels) -> Vec<Label> {
    let label = |label: &engine::model::Label| Label {
        name: label.name.to_string(),
        value: label.value.to_string(),
    };
    labels.iter().map(label).collect()
}
