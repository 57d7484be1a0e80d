//! Queries of all kinds of aggregates, resolutions, ranges and times.

use serde::Serialize;

use super::place::{HOUR, MINUTE};
use crate::storeapi::conformance::random;
use crate::support::DATA_START;

/// A question to Thanos' querier; an instant query if it has no step.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Question {
    pub(super) query: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: i64,
    pub(super) dedup: bool,
    replica_labels: [&'static str; 1],
    pub(super) max_resolution: i64,
    /// What Thanos' `LookbackDeltaFactory` makes of five minutes.
    lookback: i64,
}

const SELECTORS: [&str; 6] = [
    "up",
    "requests_total",
    "temperature",
    "{job=\"api\"}",
    "{__name__=~\"up|temperature\",instance=\"i1\"}",
    // Thanos' store finds nothing where only external labels are asked for.
    "{cluster=\"c1\",__name__=~\".+\"}",
];

/// Averages, and each aggregate by itself.
const GAUGES: [&str; 14] = [
    "SEL",
    "SEL[RANGE]",
    "min_over_time(SEL[RANGE])",
    "max_over_time(SEL[RANGE])",
    "sum_over_time(SEL[RANGE])",
    "count_over_time(SEL[RANGE])",
    "avg_over_time(SEL[RANGE])",
    "last_over_time(SEL[RANGE])",
    "delta(SEL[RANGE])",
    "min(SEL)",
    "max by (job) (SEL)",
    "count(SEL)",
    "-max_over_time(SEL[RANGE])",
    "min_over_time(SEL[RANGE:7m])",
];

/// Resets are undone where samples are downsampled; of raw samples Thanos undoes them too, which is not
/// asked for here.
const COUNTERS: [&str; 4] =
    ["rate(SEL[RANGE])", "increase(SEL[RANGE])", "irate(SEL[RANGE])", "resets(SEL[RANGE])"];

const RANGES: [(&str, i64); 5] =
    [("5m", 5 * MINUTE), ("15m", 15 * MINUTE), ("1h", HOUR), ("2h", 2 * HOUR), ("7h", 7 * HOUR)];

const RESOLUTIONS: [i64; 4] = [0, 5 * MINUTE, HOUR, 20 * MINUTE];

/// Questions to three days that are so long.
pub(super) fn questions(count: u64, day: i64) -> Vec<Question> {
    (0..count).map(|n| question(n, day)).collect()
}

fn question(n: u64, day: i64) -> Question {
    let pick = |salt: u64, of: usize| (random(n * 31 + salt) * of as f64) as usize;
    let counter = pick(1, 3) == 0;
    let text = if counter { COUNTERS[pick(2, 4)] } else { GAUGES[pick(2, GAUGES.len())] };
    // A counter's range must have two windows, and begin where there are downsampled samples.
    let (range, long) = RANGES[if counter { 1 + pick(3, 4) } else { pick(3, 5) }];
    let max_resolution = RESOLUTIONS[if counter { 1 + pick(4, 3) } else { pick(4, 4) }];
    let earliest = if counter { long + HOUR } else { 0 };
    let latest = if counter { 2 * day - 4 * HOUR } else { 3 * day - 2 * HOUR };
    let within = random(n * 31 + 5) * (latest - earliest) as f64;
    let start = DATA_START + earliest + within as i64;
    let steps = [0, MINUTE, 5 * MINUTE, HOUR, 61_007];
    let step = if text == "SEL[RANGE]" { 0 } else { steps[pick(6, 5)] };
    Question {
        query: text.replace("SEL", SELECTORS[pick(7, SELECTORS.len())]).replace("RANGE", range),
        start,
        end: if step == 0 { start } else { start + step * (1 + pick(8, 60) as i64) },
        step,
        dedup: pick(9, 2) == 0,
        replica_labels: ["replica"],
        max_resolution,
        lookback: if max_resolution > 5 * MINUTE { HOUR } else { 5 * MINUTE },
    }
}
