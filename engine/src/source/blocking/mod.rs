//! Samples that blocking calls read, a run at a time: a parser over files or ranges of a bucket.
//!
//! ```text
//! BlockingRuns::read ── runs ──▶ a batch in the making ── channel of two batches ──▶ run batches
//!   (a thread that may block)                                                        (a task)
//! ```
//!
//! A reader that nobody listens to any more is told so by the sink's
//! [`Cancelled`](crate::ErrorKind::Cancelled) error, at its next run.

mod exec;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::Result;
use crate::model::Histogram;

pub use exec::BlockingExec;

/// Samples of a run, one a timestamp.
#[derive(Debug, Clone, Copy)]
pub enum RunSamples<'a> {
    /// Floats.
    Floats(&'a [f64]),
    /// Native histograms: only from a reader that says that it may have some.
    Histograms(&'a [Histogram]),
}

/// Takes a run: a member of the roster, timestamps in ms, a sample each, and start timestamps if they
/// are known.
pub type RunSink<'a> = dyn FnMut(u32, &[i64], RunSamples<'_>, Option<&[i64]>) -> Result<()> + 'a;

/// What can hand out the samples of a roster.
pub trait BlockingRuns: std::fmt::Debug + Send + Sync {
    /// What EXPLAIN shows of it.
    fn describe(&self) -> String;

    /// About how many samples each member of the roster has, for cutting partitions.
    fn samples(&self) -> Vec<u64>;

    /// Whether there may be native histograms: batches then have a column for them.
    fn has_histograms(&self) -> bool {
        false
    }

    /// Whether start timestamps are wanted: batches then have a column for them.
    fn has_starts(&self) -> bool {
        false
    }

    /// Hands the samples of the members `series` to `sink`: one member after the other, each in
    /// order of time, in as many runs as it likes. Blocks the thread.
    fn read(&self, series: Range<usize>, sink: &mut RunSink<'_>) -> Result<()>;
}

/// Ranges of series with about as many samples each, at most `partitions`; at least one range.
pub(super) fn cut(samples: &[u64], partitions: usize) -> Vec<Range<usize>> {
    let weight = |&count: &u64| count.saturating_add(1);
    let share = samples.iter().map(weight).sum::<u64>().div_ceil(partitions.max(1) as u64);
    let mut ranges = Vec::with_capacity(partitions);
    let (mut start, mut held) = (0, 0);
    for (at, count) in samples.iter().enumerate() {
        held += weight(count);
        if held >= share {
            ranges.push(start..at + 1);
            (start, held) = (at + 1, 0);
        }
    }
    if start < samples.len() || ranges.is_empty() {
        ranges.push(start..samples.len());
    }
    ranges
}
