//! `coverage`: one replica leads for as long as it has no hole that another fills.
//!
//! - The leader at the start is the first replica, in order of preference, that begins within 1.5
//!   intervals of the earliest sample.
//! - It leads until its next sample is more than 1.5 intervals away (or it has none) while another
//!   replica has samples in between. Then the first replica, in order of preference, takes over
//!   that has a sample half to one and a half intervals after the leader's last; if there is none,
//!   the one that has a sample soonest.
//! - The interval is the smallest that any replica shows near that time ([`Intervals`]). Where no
//!   replica has two samples, it is taken as 0: every sample counts.
//! - A stale marker is no sample. Of the markers between two samples of the answer one is kept, and
//!   only if no other replica goes on within 1.5 intervals: a replica that loses its target while
//!   the other goes on must not end the series.

use super::interval::{Intervals, first_longer, step_bounds, tolerance};
use super::{Pick, Replica, SETTLED, push, seek};

pub(super) fn pick(replicas: &[Replica<'_>], picks: &mut Vec<Pick>) {
    if replicas.iter().all(|replica| replica.stale.is_empty()) {
        let live: Vec<&[i64]> = replicas.iter().map(|replica| replica.ts).collect();
        lead(&live, picks);
        return;
    }
    let lives: Vec<Vec<i64>> = replicas.iter().map(without_markers).collect();
    let live: Vec<&[i64]> = lives.iter().map(Vec::as_slice).collect();
    let mut taken = Vec::new();
    lead(&live, &mut taken);
    restore_markers(replicas, &live, &taken, picks);
}

/// Chooses the leaders over samples that are no stale markers.
fn lead(live: &[&[i64]], picks: &mut Vec<Pick>) {
    let mut present = (0..live.len()).filter(|&index| !live[index].is_empty());
    let Some(first) = present.next() else { return };
    if present.next().is_none() {
        return push(picks, first, 0, live[first].len(), SETTLED);
    }
    if covers_all(live, first) {
        return push(picks, first, 0, live[first].len(), SETTLED);
    }
    Coverage::new(live).run(picks);
}

/// Whether replica `leader` has no hole, however the interval is estimated: an estimate is never
/// below the shortest step.
fn covers_all(live: &[&[i64]], leader: usize) -> bool {
    let mut shortest = i64::MAX;
    let mut longest = 0;
    let (mut earliest, mut latest) = (i64::MAX, i64::MIN);
    for (index, ts) in live.iter().enumerate() {
        let (Some(&begin), Some(&end)) = (ts.first(), ts.last()) else { continue };
        earliest = earliest.min(begin);
        latest = latest.max(end);
        if ts.len() > 1 {
            let Some((low, high)) = step_bounds(ts) else { return false };
            shortest = shortest.min(low);
            if index == leader {
                longest = high;
            }
        }
    }
    if shortest == i64::MAX {
        return false;
    }
    let ts = live[leader];
    let tolerance = tolerance(shortest);
    longest <= tolerance
        && ts[0].saturating_sub(earliest) <= tolerance
        && latest.saturating_sub(ts[ts.len() - 1]) <= tolerance
}

struct Coverage<'a> {
    live: &'a [&'a [i64]],
    intervals: Vec<Intervals<'a>>,
    /// No estimate is below: the shortest step of all.
    shortest: i64,
    /// The next sample of each replica that is not before the answer's end.
    at: Vec<usize>,
}

impl<'a> Coverage<'a> {
    fn new(live: &'a [&'a [i64]]) -> Self {
        let intervals = live.iter().map(|ts| Intervals::new(ts)).collect();
        let shortest_of = |ts: &&[i64]| step_bounds(ts).map_or(0, |(shortest, _)| shortest);
        let shortest = live.iter().filter(|ts| ts.len() > 1).map(shortest_of).min().unwrap_or(0);
        Self { live, intervals, shortest, at: vec![0; live.len()] }
    }

    fn run(&mut self, picks: &mut Vec<Pick>) {
        let Some(earliest) = self.live.iter().filter_map(|ts| ts.first()).min().copied() else {
            return;
        };
        let start_tolerance = tolerance(self.interval(earliest));
        let begins_early = |ts: &&[i64]| {
            ts.first().is_some_and(|&first| first.saturating_sub(earliest) <= start_tolerance)
        };
        let Some(mut leader) = self.live.iter().position(begins_early) else { return };
        let mut settle = SETTLED;
        loop {
            let start = self.at[leader];
            let end = self.before_hole(leader, start);
            push(picks, leader, start, end, settle);
            self.at[leader] = end;
            let last = self.live[leader][end - 1];
            let interval = self.interval(last);
            let next = self.live[leader].get(end).copied();
            match self.successor(leader, last, next, interval) {
                Some((replica, position)) => {
                    settle = self.live[replica][position].saturating_add(interval);
                    self.at[replica] = position;
                    leader = replica;
                }
                // Nobody fills the hole.
                None if next.is_some() => settle = SETTLED,
                None => return,
            }
        }
    }

    /// One past the last sample of `leader` before a step that may be a hole. At least one sample
    /// is before it.
    fn before_hole(&self, leader: usize, start: usize) -> usize {
        let ts = self.live[leader];
        let limit = tolerance(self.shortest);
        first_longer(&ts[start..], limit).map_or(ts.len(), |at| start + at + 1)
    }

    /// Who takes over, and with which sample, if `leader`'s step from `last` to `next` is a hole
    /// that somebody fills.
    fn successor(
        &mut self,
        leader: usize,
        last: i64,
        next: Option<i64>,
        interval: i64,
    ) -> Option<(usize, usize)> {
        let limit = last.saturating_add(tolerance(interval));
        if next.is_some_and(|next| next <= limit) {
            return None;
        }
        let soon = last.saturating_add(interval / 2);
        let mut best: Option<(i64, usize, usize)> = None;
        let mut goes_on = next.is_some();
        for (replica, ts) in self.live.iter().enumerate() {
            if replica == leader {
                continue;
            }
            let first = seek(ts, self.at[replica], last.saturating_add(1));
            self.at[replica] = first;
            if last == i64::MAX {
                continue;
            }
            let inside =
                |at: usize| ts.get(at).copied().filter(|&t| next.is_none_or(|next| t < next));
            // At its end the leader is only replaced by somebody who goes on for longer.
            goes_on |= ts.last().is_some_and(|&end| end > limit);
            let later = seek(ts, first, soon);
            let choice = match inside(later) {
                Some(t) if t <= limit => Some((t, later)),
                // The gap would be too long: rather a sample that follows closely.
                other if later > first => {
                    inside(later - 1).map(|t| (t, later - 1)).or(other.map(|t| (t, later)))
                }
                other => other.map(|t| (t, later)),
            };
            let Some((t, position)) = choice else { continue };
            let in_time = |t: i64| t >= soon && t <= limit;
            let better = match best {
                None => true,
                Some((held, _, _)) if in_time(held) => false,
                Some((held, _, _)) => in_time(t) || t < held,
            };
            if better {
                best = Some((t, replica, position));
            }
        }
        best.filter(|_| goes_on).map(|(_, replica, position)| (replica, position))
    }

    /// The smallest interval that a replica shows near `time`; 0 if none does.
    fn interval(&mut self, time: i64) -> i64 {
        let of = |(ts, intervals): (&&[i64], &mut Intervals<'_>)| {
            let at = ts.partition_point(|&t| t < time);
            let interval = intervals.near(at.saturating_sub(1))?;
            let begins = ts.first()?.saturating_sub(tolerance(interval));
            let ends = ts.last()?.saturating_add(tolerance(interval));
            (begins <= time && time <= ends).then_some(interval)
        };
        self.live.iter().zip(&mut self.intervals).filter_map(of).min().unwrap_or(0)
    }
}

fn without_markers(replica: &Replica<'_>) -> Vec<i64> {
    let mut live = Vec::with_capacity(replica.ts.len());
    let mut from = 0;
    for &marker in replica.stale {
        live.extend_from_slice(&replica.ts[from..marker as usize]);
        from = marker as usize + 1;
    }
    live.extend_from_slice(&replica.ts[from..]);
    live
}

/// Translates picks over live samples to the replicas' own positions and adds the stale markers
/// after which the series does not go on.
fn restore_markers(
    replicas: &[Replica<'_>],
    live: &[&[i64]],
    taken: &[Pick],
    picks: &mut Vec<Pick>,
) {
    let mut coverage = Coverage::new(live);
    // All markers, by time, then by preference.
    let mut markers: Vec<(i64, usize, usize)> = replicas
        .iter()
        .enumerate()
        .flat_map(|(index, replica)| {
            replica.stale.iter().map(move |&m| (replica.ts[m as usize], index, m as usize))
        })
        .collect();
    markers.sort_unstable();
    let mut marker = 0;
    let mut ended = |picks: &mut Vec<Pick>, after: Option<i64>, next: Option<(i64, usize)>| {
        let mut kept = after.is_none();
        while let Some(&(time, replica, position)) = markers.get(marker) {
            if next.is_some_and(|(next, _)| time >= next) {
                break;
            }
            marker += 1;
            let later = after.is_none_or(|after| time > after);
            let goes_on = next.is_some_and(|(next, leader)| {
                let pause = next.saturating_sub(time);
                leader != replica && pause <= tolerance(coverage.interval(time))
            });
            if !kept && later && !goes_on {
                picks.push(Pick { replica, start: position, end: position + 1, settle: SETTLED });
                kept = true;
            }
        }
    };
    let mut last: Option<i64> = None;
    for pick in taken {
        let replica = &replicas[pick.replica];
        // Position in `ts` of a position among the live samples.
        let mut skipped = 0;
        let mut settle = pick.settle;
        let mut from = pick.start;
        while from < pick.end {
            while skipped < replica.stale.len()
                && (replica.stale[skipped] as usize) <= from + skipped
            {
                skipped += 1;
            }
            let to = match replica.stale.get(skipped) {
                Some(&next) => pick.end.min(next as usize - skipped),
                None => pick.end,
            };
            let next = live[pick.replica][from];
            ended(picks, last, Some((next, pick.replica)));
            push(picks, pick.replica, from + skipped, to + skipped, settle);
            settle = SETTLED;
            last = Some(live[pick.replica][to - 1]);
            from = to;
        }
    }
    ended(picks, last, None);
}
