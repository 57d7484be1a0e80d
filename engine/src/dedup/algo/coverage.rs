//! `coverage`: the first replica leads; where it has a hole, the next one fills it.
//!
//! - The leader is the first replica, in order of preference, that has samples. All its samples are
//!   taken.
//! - Where its next sample is more than 1.5 intervals away, the first replica after it that has
//!   samples in between leads there, and its own holes are filled by those after it. Samples closer
//!   than half an interval to the hole's edges are left out, unless that would leave a hole.
//! - Before its first and after its last sample, the others lead if one of them has samples more
//!   than 1.5 intervals away.
//! - The interval is what the leader shows near that time; or, where another replica has many more
//!   samples, its mean step there (its [`Pace`]). Where nothing tells it, every sample counts.
//! - A stale marker is no sample. It stays if its replica leads before it and nobody else goes on
//!   within 1.5 intervals: a replica that loses its target while the other goes on must not end the
//!   series.
//!
//! So what is taken at a time depends on the timestamps around that time only, not on where the
//! query began; and where the leader has no hole, nothing of the others matters but their paces.

use std::ops::Range;

use super::interval::{Hole, Intervals, Others, Pace, UNKNOWN, half, paces, tolerance};
use super::{Pick, Replica, SETTLED, push, seek};

/// What the leader's own samples and the paces of the others say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lead {
    /// The holes between its live samples, ascending; positions among live samples.
    pub(crate) holes: Vec<Hole>,
    /// The first live sample, and the interval there.
    pub(crate) first: (i64, i64),
    /// The last live sample, and the interval there.
    pub(crate) last: (i64, i64),
}

impl Lead {
    /// Of the live samples of a leader (at least one), and the paces of the replicas after it.
    pub(crate) fn new(live: &[i64], others: &[&[Pace]]) -> Option<Self> {
        let (&first, &last) = (live.first()?, live.last()?);
        let mut intervals = Intervals::new(live, UNKNOWN, Others::new(live, others));
        let holes = intervals.holes();
        let (begin, end) = (intervals.at(0), intervals.at(live.len() - 1));
        Some(Self { holes, first: (first, begin), last: (last, end) })
    }

    /// The open stretches of time in which samples of a replica may be taken that has none before
    /// `earliest` nor after `latest`. `live` are the leader's live samples.
    pub(crate) fn stretches(
        &self,
        live: &[i64],
        earliest: i64,
        latest: i64,
    ) -> impl Iterator<Item = (i64, i64)> {
        let (first, begin) = self.first;
        let (last, end) = self.last;
        let before = first.saturating_sub(earliest) > tolerance(begin);
        let after = latest.saturating_sub(last) > tolerance(end);
        let holes = self.holes.iter().map(|hole| (live[hole.at], live[hole.at + 1]));
        before
            .then_some((i64::MIN, first))
            .into_iter()
            .chain(holes)
            .chain(after.then_some((last, i64::MAX)))
    }
}

/// The live samples of a replica.
pub(crate) fn live<'a>(replica: &Replica<'a>) -> std::borrow::Cow<'a, [i64]> {
    if replica.stale.is_empty() {
        return replica.ts.into();
    }
    let mut live = Vec::with_capacity(replica.ts.len());
    let mut from = 0;
    for &marker in replica.stale {
        live.extend_from_slice(&replica.ts[from..marker as usize]);
        from = marker as usize + 1;
    }
    live.extend_from_slice(&replica.ts[from..]);
    live.into()
}

pub(super) fn pick(replicas: &[Replica<'_>], picks: &mut Vec<Pick>) {
    let paces: Vec<Vec<Pace>> = replicas.iter().map(|replica| paces(replica.ts)).collect();
    let paces: Vec<&[Pace]> = paces.iter().map(Vec::as_slice).collect();
    pick_paced(replicas, &paces, None, picks);
}

/// Chooses among `replicas`, whose paces are `paces`. If `known` is what the first one's samples say,
/// the others need no samples but those in its [`stretches`](Lead::stretches).
pub(crate) fn pick_paced(
    replicas: &[Replica<'_>],
    paces: &[&[Pace]],
    known: Option<&Lead>,
    picks: &mut Vec<Pick>,
) {
    let lives: Vec<std::borrow::Cow<'_, [i64]>> = replicas.iter().map(live).collect();
    let lives: Vec<&[i64]> = lives.iter().map(AsRef::as_ref).collect();
    let Some(leader) = lives.iter().position(|live| !live.is_empty()) else { return };
    let others = paces.get(leader + 1..).unwrap_or_default();
    let computed;
    let lead = match known {
        Some(known) => known,
        None => {
            let Some(lead) = Lead::new(lives[leader], others) else { return };
            computed = lead;
            &computed
        }
    };
    let base = picks.len();
    let mut filling =
        Filling { live: &lives, others: Others::new(lives[leader], others), picks, base };
    filling.lead(leader, 0..lives[leader].len(), (None, None), lead);
    if replicas.iter().any(|replica| !replica.stale.is_empty()) {
        restore_markers(replicas, base, picks);
    }
}

struct Filling<'a> {
    live: &'a [&'a [i64]],
    others: Others<'a>,
    picks: &'a mut Vec<Pick>,
    /// Picks before are another series'.
    base: usize,
}

impl Filling<'_> {
    /// Takes the samples `inside` of `replica`, and of those after it what fills the holes of `lead`:
    /// inside, and towards the sample before and the one after.
    fn lead(
        &mut self,
        replica: usize,
        inside: Range<usize>,
        (before, after): (Option<i64>, Option<i64>),
        lead: &Lead,
    ) {
        let ts = &self.live[replica][inside.clone()];
        let (first, mut interval) = lead.first;
        self.fill(replica + 1, before, Some(first), interval);
        let mut from = 0;
        for hole in &lead.holes {
            let next = hole.at + 1;
            self.take(replica, inside.start + from..inside.start + next, interval);
            interval = hole.interval;
            self.fill(replica + 1, Some(ts[hole.at]), Some(ts[next]), interval);
            from = next;
        }
        self.take(replica, inside.start + from..inside.end, interval);
        let (last, interval) = lead.last;
        self.fill(replica + 1, Some(last), after, interval);
    }

    /// Lets the first of the replicas from `from` on that has samples between `before` and `after`
    /// lead there, if that is a hole.
    fn fill(&mut self, from: usize, before: Option<i64>, after: Option<i64>, interval: i64) {
        let limit = tolerance(interval);
        let far = |t: i64| {
            before.is_none_or(|before| t.saturating_sub(before) > limit)
                && after.is_none_or(|after| after.saturating_sub(t) > limit)
        };
        let inside = |ts: &[i64]| {
            let start = before.map_or(0, |before| ts.partition_point(|&t| t <= before));
            let end = after.map_or(ts.len(), |after| ts.partition_point(|&t| t < after));
            start..end.max(start)
        };
        let is_hole = match (before, after) {
            (Some(before), Some(after)) => after.saturating_sub(before) > limit,
            // Nobody leads beyond the ends who does not go far.
            _ => self.live[from..].iter().any(|ts| {
                let inside = &ts[inside(ts)];
                inside.first().is_some_and(|&t| far(t)) || inside.last().is_some_and(|&t| far(t))
            }),
        };
        if !is_hole {
            return;
        }
        let live = self.live;
        let present = (from..live.len()).map(|replica| (replica, inside(live[replica])));
        let Some((replica, inside)) = present.into_iter().find(|(_, inside)| !inside.is_empty())
        else {
            return;
        };
        let ts = live[replica];
        let mut intervals = Intervals::new(&ts[inside.clone()], interval, self.others);
        let begin = intervals.at(0);
        let end = intervals.at(inside.len() - 1);
        let inside = trimmed(ts, inside, (before, begin), (after, end));
        let mut intervals = Intervals::new(&ts[inside.clone()], interval, self.others);
        let lead = Lead {
            holes: intervals.holes(),
            first: (ts[inside.start], intervals.at(0)),
            last: (ts[inside.end - 1], intervals.at(inside.len() - 1)),
        };
        self.lead(replica, inside, (before, after), &lead);
    }

    fn take(&mut self, replica: usize, range: Range<usize>, interval: i64) {
        let changed = self.picks[self.base..].last().is_some_and(|last| last.replica != replica);
        let settle = match self.live[replica].get(range.start) {
            Some(first) if changed && interval != UNKNOWN => first.saturating_add(interval),
            _ => SETTLED,
        };
        push(self.picks, replica, range.start, range.end, settle);
    }
}

/// The samples `inside` of `ts`, without those that follow the one before, or precede the one after,
/// by less than half an interval, unless there would be a hole. At least one is left. With the edges
/// come the intervals there.
fn trimmed(
    ts: &[i64],
    inside: Range<usize>,
    (before, begin): (Option<i64>, i64),
    (after, end): (Option<i64>, i64),
) -> Range<usize> {
    let mut start = inside.start;
    if let Some(before) = before {
        let later = seek(&ts[..inside.end], start, before.saturating_add(half(begin)));
        let in_time = ts[..inside.end]
            .get(later)
            .is_some_and(|&t| t.saturating_sub(before) <= tolerance(begin));
        start = match in_time {
            true => later,
            // The gap would be too long: rather a sample that follows closely.
            false => later.saturating_sub(1).max(start),
        };
    }
    let mut stop = inside.end;
    if let Some(after) = after {
        let late = after.saturating_sub(half(end));
        let kept = start + ts[start..stop].partition_point(|&t| t <= late);
        let in_time = kept > start && after.saturating_sub(ts[kept - 1]) <= tolerance(end);
        stop = if in_time { kept } else { stop.min(kept + 1) };
    }
    start..stop
}

/// Translates the picks from `base` on, over live samples, to the replicas' own positions, and adds
/// the stale markers after which the series does not go on.
fn restore_markers(replicas: &[Replica<'_>], base: usize, picks: &mut [Pick]) {
    // For each marker: how many live samples are before it.
    let before: Vec<Vec<u32>> = replicas
        .iter()
        .map(|replica| replica.stale.iter().zip(0..).map(|(&at, nth)| at - nth).collect())
        .collect();
    let mut next: Option<(i64, i64)> = None;
    for (nth, pick) in picks[base..].iter_mut().enumerate().rev() {
        let Replica { ts, stale } = replicas[pick.replica];
        let before = &before[pick.replica];
        let skipped = |live: usize| before.partition_point(|&markers| markers as usize <= live);
        let first = pick.start + skipped(pick.start);
        let mut marker = skipped(pick.end - 1);
        let mut end = pick.end + marker;
        // Markers right behind stay, as long as nobody goes on soon after them.
        while stale.get(marker).is_some_and(|&at| at as usize == end)
            && next.is_none_or(|(next, limit)| next.saturating_sub(ts[end]) > limit)
        {
            (marker, end) = (marker + 1, end + 1);
        }
        let limit = match pick.settle {
            SETTLED => 0,
            settle => tolerance(settle.saturating_sub(ts[first])),
        };
        next = Some((ts[first], limit));
        pick.start = if nth == 0 && pick.start == 0 { 0 } else { first };
        pick.end = end;
    }
}
