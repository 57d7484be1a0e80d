//! The scrape interval, estimated from timestamps.

/// How many steps share one estimate.
const CHUNK: usize = 32;
/// A last chunk with fewer steps takes the estimate before it.
const FEW: usize = 8;

/// The scrape interval of one replica over time, every 32 samples: the shortest step where all are
/// within a quarter of it, else the lower quartile. The quartile bears up to three quarters of missed
/// scrapes and a quarter of extra ones (restarts).
#[derive(Debug)]
pub(super) struct Intervals {
    chunks: Vec<i64>,
}

impl Intervals {
    pub(super) fn new(ts: &[i64]) -> Self {
        let count = ts.len().saturating_sub(1);
        let mut chunks: Vec<i64> = Vec::with_capacity(count.div_ceil(CHUNK));
        for start in (0..count).step_by(CHUNK) {
            let stretch = &ts[start..(start + CHUNK).min(count) + 1];
            let estimate = match (chunks.last(), step_bounds(stretch)) {
                (Some(&before), _) if stretch.len() <= FEW => before,
                (_, Some((low, high))) if high - low <= low / 4 => low,
                _ => lower_quartile(stretch),
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

/// The lower quartile of the steps between at most [`CHUNK`] + 1 timestamps.
fn lower_quartile(ts: &[i64]) -> i64 {
    let mut steps = [0; CHUNK];
    let steps = &mut steps[..ts.len() - 1];
    for (step, pair) in steps.iter_mut().zip(ts.windows(2)) {
        *step = pair[1].saturating_sub(pair[0]);
    }
    *steps.select_nth_unstable(steps.len() / 4).1
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
