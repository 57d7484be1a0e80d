//! The scrape interval, estimated from timestamps.

/// How many steps share one estimate.
const CHUNK: usize = 32;
/// A last chunk with fewer steps takes the estimate before it.
const FEW: usize = 8;

/// The scrape interval of one replica over time: the lower quartile of the steps, every 32 samples,
/// worked out where somebody asks. The quartile bears up to three quarters of missed scrapes and a
/// quarter of extra ones (restarts).
#[derive(Debug)]
pub(super) struct Intervals<'a> {
    ts: &'a [i64],
    /// Estimates so far; 0 where nobody has asked.
    known: Vec<i64>,
}

impl<'a> Intervals<'a> {
    pub(super) fn new(ts: &'a [i64]) -> Self {
        Self { ts, known: vec![0; ts.len().saturating_sub(1).div_ceil(CHUNK)] }
    }

    /// The interval near sample `at`; none if the replica has a single sample.
    pub(super) fn near(&mut self, at: usize) -> Option<i64> {
        let last = self.known.len().checked_sub(1)?;
        let steps_of_last = self.ts.len() - 1 - last * CHUNK;
        let usable = if steps_of_last < FEW { last.saturating_sub(1) } else { last };
        let chunk = (at / CHUNK).min(usable);
        let known = &mut self.known[chunk];
        if *known == 0 {
            let start = chunk * CHUNK;
            *known = lower_quartile(&self.ts[start..(start + CHUNK + 1).min(self.ts.len())]);
        }
        Some(*known)
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

/// The shortest and the longest step of `ts`; none if there is no step, or one of 24 days or more.
pub(super) fn step_bounds(ts: &[i64]) -> Option<(i64, i64)> {
    // In 32 bits, so that four steps are compared at once; the bits above are gathered beside.
    let (mut shortest, mut longest, mut above) = (i32::MAX, i32::MIN, 0);
    for (&before, &after) in ts.iter().zip(ts.get(1..)?) {
        let step = after.wrapping_sub(before);
        above |= step >> 31;
        shortest = shortest.min(step as i32);
        longest = longest.max(step as i32);
    }
    (above == 0 && longest >= shortest).then_some((i64::from(shortest), i64::from(longest)))
}

/// The first position in `ts` from which the step to the next is longer than `limit`.
pub(super) fn first_longer(ts: &[i64], limit: i64) -> Option<usize> {
    let longer = |(&before, &after): (&i64, &i64)| after.saturating_sub(before) > limit;
    let nexts = ts.get(1..)?;
    let steps = ts.chunks(CHUNK).zip(nexts.chunks(CHUNK));
    for (chunk, (befores, afters)) in steps.enumerate() {
        // The sign of all differences at once, before they are looked at one by one.
        let signs = befores.iter().zip(afters).fold(0, |signs, (&before, &after)| {
            let step = after.wrapping_sub(before);
            signs | step | limit.wrapping_sub(step)
        });
        if signs < 0
            && let Some(at) = befores.iter().zip(afters).position(longer)
        {
            return Some(chunk * CHUNK + at);
        }
    }
    None
}

/// One and a half intervals: a longer step is a hole.
pub(super) fn tolerance(interval: i64) -> i64 {
    interval.saturating_add(interval / 2)
}
