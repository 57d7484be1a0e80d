//! The scrape interval, estimated from timestamps.

/// How many steps share one estimate.
const CHUNK: usize = 32;
/// A last chunk with fewer steps takes the estimate before it.
const FEW: usize = 8;

/// The scrape interval of one replica over time: the lower quartile of the steps, every 32 samples.
/// The quartile bears up to three quarters of missed scrapes and a quarter of extra ones (restarts).
#[derive(Debug)]
pub(super) struct Intervals {
    chunks: Vec<i64>,
}

impl Intervals {
    pub(super) fn new(ts: &[i64]) -> Self {
        let mut steps: Vec<i64> = ts.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
        let mut chunks: Vec<i64> = Vec::with_capacity(steps.len().div_ceil(CHUNK));
        for chunk in steps.chunks_mut(CHUNK) {
            let estimate = match chunks.last() {
                Some(&before) if chunk.len() < FEW => before,
                _ => {
                    let quarter = chunk.len() / 4;
                    *chunk.select_nth_unstable(quarter).1
                }
            };
            chunks.push(estimate);
        }
        Self { chunks }
    }

    /// The interval near sample `at`; none if the replica has a single sample.
    pub(super) fn near(&self, at: usize) -> Option<i64> {
        self.chunks.get(at / CHUNK).or(self.chunks.last()).copied()
    }

    /// The smallest estimate.
    pub(super) fn smallest(&self) -> Option<i64> {
        self.chunks.iter().min().copied()
    }
}

/// The shortest and the longest step of `ts`; none if there is no step.
pub(super) fn step_bounds(ts: &[i64]) -> Option<(i64, i64)> {
    let mut shortest = i64::MAX;
    let mut longest = i64::MIN;
    for (&before, &after) in ts.iter().zip(ts.get(1..)?) {
        let step = after.wrapping_sub(before);
        // A step that does not fit is negative here, and then no bound holds.
        shortest = shortest.min(step);
        longest = longest.max(step);
    }
    (shortest > 0 && longest >= shortest).then_some((shortest, longest))
}

/// One and a half intervals: a longer step is a hole.
pub(super) fn tolerance(interval: i64) -> i64 {
    interval.saturating_add(interval / 2)
}
