//! Deduplication beside Thanos' own: `pkg/dedup` of Thanos 0.42.4, run over the same replicas.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use engine::dedup::{Replica, lanes, pick};
use engine::source::DedupFunc;
use serde_json::Value;

use crate::support;

const SETS: usize = 12_000;
const SEED: u64 = 0x5EED_0F57_0A00_0003;

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Chunks of one replica, ordered by their first timestamp; a sample is a timestamp and whether it
/// is a histogram.
type Chunks = Vec<Vec<(i64, bool)>>;

/// One replica: a scrape interval with jitter, missed scrapes, outages, restarts with another
/// offset, floats that become histograms; cut into chunks, some of which are there twice (blocks
/// that overlap).
fn replica(random: &mut Random, interval: i64, scrapes: i64) -> Chunks {
    let jitter = [0, 0, 2, 40, 1_500][random.below(5) as usize];
    let missed = [0, 0, 1, 10, 60][random.below(5) as usize];
    let mut offset = random.below(interval as u64) as i64;
    let mut histograms = random.chance(10);
    let mut samples: Vec<(i64, bool)> = Vec::new();
    let mut scrape = random.below(4) as i64 * random.below(20) as i64;
    while scrape < scrapes {
        if random.chance(2) {
            // An outage, often with a restart.
            scrape += 1 + random.below(30) as i64;
            if random.chance(60) {
                offset = random.below(interval as u64) as i64;
            }
        }
        if random.chance(1) {
            histograms = !histograms;
        }
        let noise = random.below(jitter + 1) as i64;
        let t = scrape * interval + offset + noise;
        if !random.chance(missed) && samples.last().is_none_or(|&(last, _)| t > last) {
            samples.push((t, histograms));
        }
        scrape += 1;
    }
    if samples.is_empty() {
        samples.push((offset, histograms));
    }
    let mut chunks: Chunks = Vec::new();
    let mut rest = samples.as_slice();
    while !rest.is_empty() {
        let length = (10 + random.below(110) as usize).min(rest.len());
        let (chunk, after) = rest.split_at(length);
        chunks.push(chunk.to_vec());
        rest = after;
    }
    if random.chance(20) {
        let from = random.below(samples.len() as u64) as usize;
        let to = from + 1 + random.below((samples.len() - from) as u64) as usize;
        chunks.push(samples[from..to].to_vec());
        chunks.sort_by_key(|chunk| chunk[0].0);
    }
    chunks
}

fn set(random: &mut Random) -> Vec<Chunks> {
    let interval = [15_000, 15_000, 30_000, 60_000, 1_000][random.below(5) as usize];
    let scrapes = 5 + random.below(120) as i64;
    let replicas = 2 + random.below(3);
    (0..replicas)
        .map(|_| {
            // One in ten replicas is configured with another interval.
            let own = if random.chance(10) { interval * 2 } else { interval };
            replica(random, own, scrapes)
        })
        .collect()
}

fn json(set: &[Chunks]) -> String {
    let mut line = String::from("{\"replicas\":[");
    for (at, chunks) in set.iter().enumerate() {
        line.push_str(if at > 0 { ",[" } else { "[" });
        for (at, chunk) in chunks.iter().enumerate() {
            line.push_str(if at > 0 { ",[" } else { "[" });
            for (at, &(t, histogram)) in chunk.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                write!(line, "{comma}[{t},{}]", i32::from(histogram)).expect("a string");
            }
            line.push(']');
        }
        line.push(']');
    }
    line.push_str("]}\n");
    line
}

/// The replicas as Thanos' split of overlapping chunks makes them: timestamps and the samples'
/// numbers in the set.
fn lanes_of(set: &[Chunks]) -> Vec<(Vec<i64>, Vec<i64>)> {
    let mut all = Vec::new();
    let mut number = 0;
    for chunks in set {
        let first = all.len();
        let ends = chunks.iter().map(|chunk| (chunk[0].0, chunk[chunk.len() - 1].0));
        for (chunk, lane) in chunks.iter().zip(lanes(ends)) {
            if all.len() <= first + lane {
                all.resize(first + lane + 1, (Vec::new(), Vec::new()));
            }
            let (ts, numbers) = &mut all[first + lane];
            for &(t, _) in chunk {
                ts.push(t);
                numbers.push(number);
                number += 1;
            }
        }
    }
    all
}

fn ours(func: DedupFunc, lanes: &[(Vec<i64>, Vec<i64>)]) -> (Vec<i64>, Vec<i64>) {
    let replicas: Vec<Replica<'_>> =
        lanes.iter().map(|(ts, _)| Replica { ts, stale: &[] }).collect();
    let mut picks = Vec::new();
    pick(func, &replicas, &mut picks);
    let (mut times, mut numbers) = (Vec::new(), Vec::new());
    for p in picks {
        times.extend_from_slice(&lanes[p.replica].0[p.start..p.end]);
        numbers.extend_from_slice(&lanes[p.replica].1[p.start..p.end]);
    }
    (times, numbers)
}

fn numbers(value: &Value) -> Vec<i64> {
    let items = value.as_array().expect("an array");
    items.iter().map(|item| item.as_i64().expect("a whole number")).collect()
}

/// Of 12,000 sets of replicas, the penalty rule picks the very samples that Thanos picks, and the
/// chain rule has the timestamps that Thanos has.
#[test]
fn penalty_and_chain_are_those_of_thanos() {
    let mut random = Random(SEED);
    let sets: Vec<Vec<Chunks>> = (0..SETS).map(|_| set(&mut random)).collect();
    let mut thanos = Command::new(support::go_program("thanos"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Thanos' deduplication starts");
    let mut input = thanos.stdin.take().expect("its input");
    let answers = std::thread::scope(|scope| {
        let sets = &sets;
        scope.spawn(move || {
            for set in sets {
                input.write_all(json(set).as_bytes()).expect("it reads its input");
            }
        });
        thanos.wait_with_output().expect("it ends")
    });
    assert!(answers.status.success(), "{}", answers.status);
    let answers = String::from_utf8(answers.stdout).expect("text");
    let mut compared = 0;
    let mut switched = 0;
    for (set, line) in sets.iter().zip(answers.lines()) {
        let answer: Value = serde_json::from_str(line).expect("JSON");
        let lanes = lanes_of(set);
        let (_, picked) = ours(DedupFunc::Penalty, &lanes);
        assert_eq!(picked, numbers(&answer["penalty"]), "set {compared}: {}", json(set));
        let (times, _) = ours(DedupFunc::Chain, &lanes);
        assert_eq!(times, numbers(&answer["chain"]), "set {compared}: {}", json(set));
        switched += usize::from(lanes.iter().all(|(_, own)| own != &picked));
        compared += 1;
    }
    assert_eq!(compared, SETS);
    // A generator whose sets are all led by one replica from end to end would prove nothing.
    assert!(switched > SETS / 2, "{switched} sets with a change of replica");
}
