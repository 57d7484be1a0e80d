//! Timestamps of a series.

use super::{LENGTH, START};
use crate::promql::fuzz::random::Random;

/// How far scrapes may be apart, in ms; the common ones more than once.
const INTERVALS: [i64; 12] = [
    15_000, 15_000, 15_000, 30_000, 30_000, 30_000, 60_000, 60_000, 7_300, 20_001, 107_000, 283_000,
];

/// Where many questions are asked, and many series have their samples: the edges of windows meet these.
const EDGES: i64 = 15_000;

/// Ascending times in ms.
pub(super) fn series(random: &mut Random) -> Vec<i64> {
    let interval = random.pick(&INTERVALS);
    let on_edges = random.chance(40);
    let jitter = random.pick(&[0, 0, 1, interval / 20, interval / 3]);
    let jitter = if on_edges { 0 } else { jitter };
    let begin =
        if random.chance(20) { random.between(0, LENGTH) } else { random.between(0, interval) };
    let begin = START + if on_edges { begin / EDGES * EDGES } else { begin };
    let end = START + if random.chance(20) { random.between(0, LENGTH) } else { LENGTH };
    let hole = match random.chance(30) {
        true => {
            let from = START + random.between(0, LENGTH);
            from..from + random.between(interval, 20 * interval)
        }
        false => 0..0,
    };
    let lost = random.pick(&[0, 0, 0, 3, 30]);
    let mut times = Vec::new();
    let mut at = begin;
    while at < end {
        let ts = at + random.between(0, jitter);
        if !hole.contains(&ts) && !random.chance(lost) && times.last().is_none_or(|&last| last < ts)
        {
            times.push(ts);
        }
        at += interval;
    }
    times
}
