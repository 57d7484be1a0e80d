//! Three days of two replicas: the first day downsampled to 5 minutes and an hour, the second to 5
//! minutes, the third raw.

use engine::model::Labels;

use crate::storeapi::conformance::random;
use crate::storeapi::endpoint::{Blocks, Written, label_set};
use crate::support::DATA_START;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Writes and downsamples the blocks.
pub(super) fn three_days() -> Blocks {
    let blocks = Blocks::new();
    for (number, name) in [(0, "a"), (1, "b")] {
        let external = [("cluster", "c1"), ("replica", name)];
        for day in 0..3 {
            let raw = blocks.add_native(&external, &replica(number, day));
            if day < 2 {
                let fine = blocks.downsample(&raw, 5 * MINUTE);
                if day == 0 {
                    blocks.downsample(&fine, HOUR);
                }
            }
        }
    }
    blocks
}

/// The series of one replica and day, each minute with jitter: counters with resets, gauges, one that
/// never changes, one with a hole that a stale marker begins, and one that ends on the second day. Both
/// replicas miss some scrapes, and one is down for some hours.
pub(super) fn replica(number: u64, day: i64) -> Vec<Written> {
    const SETS: [&str; 6] = [
        "__name__=up,job=node,instance=i1",
        "__name__=requests_total,job=api,instance=i1",
        "__name__=requests_total,job=api,instance=i2",
        "__name__=temperature,job=node,instance=i1",
        "__name__=temperature,job=node,instance=i2",
        "__name__=ends_total,job=api,instance=i1",
    ];
    SETS.into_iter()
        .enumerate()
        .map(|(at, set)| (label_set(set), samples(number, day, at)))
        .collect()
}

fn samples(number: u64, day: i64, at: usize) -> Vec<(i64, f64)> {
    let minutes = DAY / MINUTE;
    let seed = |minute: i64| at as u64 * 1_000_003 + number * 7_919 + minute as u64;
    let mut samples = Vec::new();
    for minute in day * minutes..(day + 1) * minutes {
        let hour = minute / 60;
        let down = number == 1 && (20..23).contains(&hour);
        let ended = at == 5 && hour >= 31;
        let hole = at == 4 && (10..13).contains(&hour);
        if down || ended || random(seed(minute) ^ 0xff) < 0.02 {
            continue;
        }
        if hole {
            if minute % 180 == 60 * 10 % 180 {
                let t = DATA_START + minute * MINUTE + number as i64 * 20_000;
                samples.push((t, f64::NAN));
            }
            continue;
        }
        let jitter = (random(seed(minute)) * 900.0) as i64 + number as i64 * 20_000;
        let value = match at {
            0 => 1.0,
            // What was counted since the last reset, not the same in both replicas.
            1 | 2 | 5 => ((minute * (at as i64 + 3) + number as i64 * 2) % 4_000) as f64,
            _ => (random(seed(minute) ^ 0x77) * 1e6).floor() / 64.0 - 5_000.0,
        };
        samples.push((DATA_START + minute * MINUTE + jitter, value));
    }
    samples
}

/// The labels of a series in an answer of the HTTP API, as Go prints them.
pub(super) fn labels(metric: &serde_json::Value) -> String {
    let pairs = metric.as_object().expect("a label set").iter();
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str().expect("text")));
    Labels::new(pairs).expect("a label set").to_string()
}
