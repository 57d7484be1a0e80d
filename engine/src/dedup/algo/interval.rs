//! The scrape interval: estimated from a replica's own timestamps, and from what is known of the
//! others without theirs.

/// How many steps share one estimate.
const CHUNK: usize = 32;
/// A last chunk with fewer steps takes the estimate before it.
const FEW: usize = 8;
/// How long the stretches are over which [`paces`] takes means: the time bucket of a block.
const WINDOW_MS: i64 = 2 * 60 * 60 * 1000;
/// Nothing is known.
pub(super) const UNKNOWN: i64 = i64::MAX;

/// How often a replica has a sample in a stretch of time, on the average. A label index knows it
/// without a timestamp: how many rows a series has in a time bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// No sample of the stretch is earlier.
    pub(crate) from: i64,
    /// No sample of the stretch is later.
    pub(crate) to: i64,
    /// The mean step between its samples in ms; `i64::MAX` if there is only one.
    pub(crate) step: i64,
}

impl Pace {
    /// The pace of `samples` samples between `from` and `to`, both included.
    pub(crate) fn new(from: i64, to: i64, samples: u32) -> Self {
        let steps = i64::from(samples) - 1;
        let step = if steps > 0 { to.saturating_sub(from) / steps } else { UNKNOWN };
        Self { from, to, step: step.max(1) }
    }
}

/// The paces that timestamps show, a stretch every two hours.
pub(super) fn paces(ts: &[i64]) -> Vec<Pace> {
    let mut paces = Vec::new();
    let mut rest = ts;
    while let Some(&first) = rest.first() {
        let next = first.div_euclid(WINDOW_MS).saturating_add(1).saturating_mul(WINDOW_MS);
        let (stretch, after) = rest.split_at(rest.partition_point(|&t| t < next).max(1));
        let last = stretch.last().copied().unwrap_or(first);
        paces.push(Pace::new(first, last, u32::try_from(stretch.len()).unwrap_or(u32::MAX)));
        rest = after;
    }
    paces
}

/// What is known of the replicas after the leader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others<'a> {
    /// The leader's live samples.
    leader: &'a [i64],
    /// The paces of each of the others, in order of time.
    paces: &'a [&'a [Pace]],
    /// The shortest step of all.
    fastest: i64,
}

impl<'a> Others<'a> {
    pub(super) fn new(leader: &'a [i64], paces: &'a [&'a [Pace]]) -> Self {
        let steps = paces.iter().flat_map(|of_one| of_one.iter()).map(|pace| pace.step);
        Self { leader, paces, fastest: steps.min().unwrap_or(UNKNOWN) }
    }

    /// `interval`, or the step that one of them has around `time` if it is shorter.
    fn at_most(&self, interval: i64, time: i64) -> i64 {
        if self.fastest >= interval {
            return interval;
        }
        let of_one = |paces: &&[Pace]| {
            let after = paces.partition_point(|pace| pace.from <= time);
            let around = &paces[after.saturating_sub(1)..paces.len().min(after + 1)];
            let close = |pace: &&Pace| {
                pace.from.saturating_sub(tolerance(pace.step)) <= time
                    && time <= pace.to.saturating_add(tolerance(pace.step))
            };
            let faster = |pace: &&Pace| pace.step < interval && self.is_faster(pace);
            around.iter().filter(close).filter(faster).map(|pace| pace.step).min()
        };
        self.paces.iter().filter_map(of_one).min().unwrap_or(interval)
    }

    /// Whether the leader has less than two thirds of the samples in the stretch: then its steps are
    /// holes to the other. A mean alone would say so too of a stretch in which both change from one
    /// interval to a longer one.
    fn is_faster(&self, pace: &Pace) -> bool {
        let start = self.leader.partition_point(|&t| t < pace.from);
        let own = self.leader[start..].partition_point(|&t| t <= pace.to);
        let others = pace.to.saturating_sub(pace.from) / pace.step + 1;
        (own as i64).saturating_mul(3) < others.saturating_mul(2)
    }
}

/// A step of more than one and a half intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The sample before it.
    pub(crate) at: usize,
    /// The interval there.
    pub(crate) interval: i64,
}

/// The scrape interval along one replica's samples: the lower quartile of its steps, every 32 samples,
/// worked out where it matters. The quartile bears up to three quarters of missed scrapes and a
/// quarter of extra ones (restarts). Where another replica is faster, its pace counts.
#[derive(Debug)]
pub(super) struct Intervals<'a> {
    ts: &'a [i64],
    /// No estimate is above.
    most: i64,
    others: Others<'a>,
    /// Quartiles so far; 0 where nobody has asked.
    known: Vec<i64>,
}

impl<'a> Intervals<'a> {
    /// The intervals along `ts`, nowhere above `most`.
    pub(super) fn new(ts: &'a [i64], most: i64, others: Others<'a>) -> Self {
        let known = vec![0; ts.len().saturating_sub(1).div_ceil(CHUNK)];
        Self { ts, most, others, known }
    }

    /// The interval at sample `at`; [`UNKNOWN`] if nothing tells.
    pub(super) fn at(&mut self, at: usize) -> i64 {
        let own = self.quartile(at).unwrap_or(UNKNOWN);
        self.others.at_most(own.min(self.most), self.ts[at])
    }

    /// All steps that are longer than one and a half intervals.
    pub(super) fn holes(&mut self) -> Vec<Hole> {
        let mut holes = Vec::new();
        let floor = self.most.min(self.others.fastest);
        let steps = self.ts.len().saturating_sub(1);
        for start in (0..steps).step_by(CHUNK) {
            let end = steps.min(start + CHUNK);
            // No estimate is below the shortest step, unless it is that of the chunk before.
            let own_estimate = start == 0 || end - start >= FEW;
            if let (Some((shortest, longest)), true) =
                (step_bounds(&self.ts[start..=end]), own_estimate)
                && longest <= tolerance(shortest.min(floor))
            {
                continue;
            }
            let limit = tolerance(self.quartile(start).unwrap_or(UNKNOWN).min(floor));
            for at in start..end {
                let step = self.ts[at + 1].saturating_sub(self.ts[at]);
                if step > limit {
                    let interval = self.at(at);
                    if step > tolerance(interval) {
                        holes.push(Hole { at, interval });
                    }
                }
            }
        }
        holes
    }

    /// The lower quartile of the steps around sample `at`; none if there is a single sample.
    fn quartile(&mut self, at: usize) -> Option<i64> {
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
fn step_bounds(ts: &[i64]) -> Option<(i64, i64)> {
    // In 32 bits, so that eight steps are compared at once; the bits above are gathered beside.
    let (mut shortest, mut longest, mut above) = (i32::MAX, i32::MIN, 0);
    for (&before, &after) in ts.iter().zip(ts.get(1..)?) {
        let step = after.wrapping_sub(before);
        above |= step >> 31;
        shortest = shortest.min(step as i32);
        longest = longest.max(step as i32);
    }
    (above == 0 && longest >= shortest).then_some((i64::from(shortest), i64::from(longest)))
}

/// One and a half intervals: a longer step is a hole. Where nothing tells the interval, every sample
/// counts.
pub(super) fn tolerance(interval: i64) -> i64 {
    if interval == UNKNOWN { 0 } else { interval.saturating_add(interval / 2) }
}

/// Half an interval.
pub(super) fn half(interval: i64) -> i64 {
    if interval == UNKNOWN { 0 } else { interval / 2 }
}
