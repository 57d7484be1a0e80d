//! Plans of small buckets. A block is written as `name replica from-to`, in hours since 2026-10-01; what
//! follows may be `5m` or `1h`, `<sources` (the names of the blocks in it), `up=<hour>` (when it was
//! uploaded), `marked`, `keep` (not to be compacted), `whole` (not to be downsampled), `own` (made by the
//! compactor).

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::block::meta::{BlockStats, Compaction, Downsample, StoaMeta, ThanosMeta};

/// 2026-10-01T00:00:00Z.
const START: i64 = 1_790_812_800_000;

fn hour(text: &str) -> i64 {
    START + text.parse::<i64>().unwrap() * HOUR_MS
}

pub(crate) fn id(name: &str) -> BlockId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    BlockId(ulid::Ulid::from_bytes(bytes))
}

pub(crate) fn name(id: BlockId) -> String {
    let bytes = id.0.to_bytes();
    String::from_utf8(bytes.into_iter().take_while(|&b| b != 0).collect()).unwrap()
}

fn meta(
    ulid: BlockId,
    range: Range<i64>,
    labels: &[(&str, &str)],
    sources: Vec<BlockId>,
) -> BlockMeta {
    BlockMeta {
        ulid,
        min_time: range.start,
        max_time: range.end,
        stats: BlockStats::default(),
        compaction: Compaction { level: 1, sources, parents: Vec::new() },
        version: 1,
        thanos: ThanosMeta {
            version: 1,
            labels: labels.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
            downsample: Downsample { resolution: 0 },
            source: "sidecar".to_owned(),
        },
        stoa: StoaMeta {
            format: 1,
            writer: "test".to_owned(),
            bucket_ms: 2 * HOUR_MS,
            label_columns: Vec::new(),
            files: Vec::new(),
            digest: String::new(),
        },
    }
}

pub(crate) fn block(text: &str) -> PlanBlock {
    let mut words = text.split_whitespace();
    let (ulid, replica) = (id(words.next().unwrap()), words.next().unwrap());
    let (from, to) = words.next().unwrap().split_once('-').unwrap();
    let range = hour(from)..hour(to);
    let labels: &[(&str, &str)] = match replica {
        "-" => &[("cluster", "c")],
        "." => &[("replica", "a")],
        replica => &[("cluster", "c"), ("replica", replica)],
    };
    let mut block = PlanBlock {
        uploaded: range.end,
        meta: Arc::new(meta(ulid, range, labels, vec![ulid])),
        marked: false,
        no_compact: false,
        no_downsample: false,
    };
    for word in words {
        let meta = Arc::get_mut(&mut block.meta).unwrap();
        match word {
            "5m" => meta.thanos.downsample.resolution = FIVE_MINUTES_MS,
            "1h" => meta.thanos.downsample.resolution = HOUR_MS,
            "marked" => block.marked = true,
            "keep" => block.no_compact = true,
            "whole" => block.no_downsample = true,
            "own" => meta.thanos.source = "compactor".to_owned(),
            _ => match (word.strip_prefix('<'), word.strip_prefix("up=")) {
                (Some(sources), _) => {
                    meta.compaction.sources = sources.split(',').map(id).collect()
                }
                (_, Some(up)) => block.uploaded = hour(up),
                _ => panic!("{word}"),
            },
        }
    }
    block
}

fn settings() -> PlanSettings {
    PlanSettings { replica_labels: vec!["replica".to_owned()], ..PlanSettings::default() }
}

fn shown(jobs: &[Job]) -> Vec<String> {
    let job = |job: &Job| {
        let names: Vec<String> = job.sources.iter().map(|meta| name(meta.ulid)).collect();
        let hours = |t: i64| (t - START) / HOUR_MS;
        format!("{} {}-{}", names.join(" "), hours(job.range.start), hours(job.range.end))
    };
    jobs.iter().map(job).collect()
}

fn planned(blocks: &[&str], now: i64, settings: &PlanSettings) -> Plan {
    plan(&blocks.iter().map(|text| block(text)).collect::<Vec<_>>(), now, settings)
}

/// The compactions at `now`, in hours; nothing is downsampled.
fn compactions(blocks: &[&str], now: i64) -> Vec<String> {
    let settings = PlanSettings { downsample: None, ..settings() };
    shown(&planned(blocks, START + now * HOUR_MS, &settings).compactions)
}

fn downsamplings(blocks: &[&str], now: i64) -> Vec<String> {
    let jobs = planned(blocks, START + now * HOUR_MS, &settings()).downsamplings;
    let of = |resolution: i64| {
        let jobs: Vec<Job> =
            jobs.iter().filter(|job| job.group.resolution == resolution).cloned().collect();
        let shown = shown(&jobs);
        shown.into_iter().map(move |job| format!("{job} {}", resolution / 60_000))
    };
    of(FIVE_MINUTES_MS).chain(of(HOUR_MS)).collect()
}

#[test]
fn blocks_of_a_day_that_has_ended_become_one() {
    let day = ["a - 0-2", "b - 2-4", "c - 22-24", "d - 24-26", "e - 26-28"];
    assert_eq!(compactions(&day, 24), [""; 0], "the consistency delay");
    assert_eq!(compactions(&day, 25), ["a b c 0-24"]);
    assert_eq!(compactions(&day, 49), ["a b c 0-24", "d e 24-28"]);
    // A gap does not matter, nor whether anything comes after it.
    assert_eq!(compactions(&["a - 4-6", "b - 20-22"], 25), ["a b 4-22"]);
    assert_eq!(compactions(&["a - 0-2"], 100), [""; 0], "one block");
}

#[test]
fn a_late_block_is_merged_into_its_day() {
    let day = ["day - 0-24 <a,b,c own", "late - 2-4 up=99", "next - 24-48 own"];
    assert_eq!(compactions(&day, 99), [""; 0], "it is too young");
    assert_eq!(compactions(&day, 100), ["day late 0-24"]);
    // Covered by the day already.
    assert_eq!(compactions(&["day - 0-24 <a,b own", "b - 2-4"], 100), [""; 0]);
}

#[test]
fn a_window_waits_for_its_young_blocks() {
    let blocks = ["a - 0-2", "b - 2-4", "c - 4-6 up=30", "d - 24-26", "e - 26-28"];
    assert_eq!(compactions(&blocks, 30), [""; 0]);
    assert_eq!(compactions(&blocks, 31), ["a b c 0-6"]);
    let own = ["a - 0-2", "b - 2-4 own up=30"];
    assert_eq!(compactions(&own, 30), ["a b 0-4"], "what the compactor made was read back");
}

#[test]
fn the_consistency_delay_is_met_to_the_millisecond() {
    let blocks = ["a - 0-2", "b - 2-4"];
    let settings = PlanSettings { downsample: None, ..settings() };
    let due = START + DAY_MS + settings.consistency_delay_ms;
    assert!(planned(&blocks, due - 1, &settings).compactions.is_empty());
    assert_eq!(planned(&blocks, due, &settings).compactions.len(), 1);
    let young = ["a - 0-2", "b - 2-4 up=50"];
    let visible = START + 50 * HOUR_MS + settings.consistency_delay_ms;
    assert!(planned(&young, visible - 1, &settings).compactions.is_empty());
    assert_eq!(planned(&young, visible, &settings).compactions.len(), 1);
}

#[test]
fn replicas_are_merged_where_their_labels_are_named() {
    let blocks = ["a1 a 0-2", "b1 b 0-2", "a2 a 2-4"];
    assert_eq!(compactions(&blocks, 25), ["a1 b1 a2 0-4"]);
    let apart = PlanSettings { replica_labels: Vec::new(), downsample: None, ..settings() };
    let jobs = planned(&blocks, START + 25 * HOUR_MS, &apart).compactions;
    assert_eq!(shown(&jobs), ["a1 a2 0-4"]);
    let only = planned(&["a . 0-2", "b . 2-4"], START + 25 * HOUR_MS, &settings()).compactions;
    assert_eq!(only[0].group.labels, BTreeMap::from([("replica".into(), "deduped".into())]));
}

#[test]
fn blocks_that_are_kept_are_merged_around() {
    assert_eq!(compactions(&["a - 0-2", "b - 2-4 keep", "c - 4-6"], 25), ["a c 0-6"]);
    assert_eq!(compactions(&["a - 0-2", "b - 2-4 marked", "c - 4-6"], 25), ["a c 0-6"]);
    assert_eq!(compactions(&["a - 0-2", "b - 2-4 marked"], 25), [""; 0]);
}

#[test]
fn blocks_over_midnight_stay() {
    assert_eq!(compactions(&["a - 20-22", "b - 22-26", "c - 22-24"], 49), ["a c 20-24"]);
    assert_eq!(compactions(&["a - 0-48", "b - 2-4", "c - 4-6"], 49), ["b c 2-6"]);
}

#[test]
fn downsampled_blocks_become_months() {
    // October has 744 hours; its last days are downsampled 40 hours, and 10 days, after their end.
    let blocks =
        ["a - 0-24 5m own", "b - 24-48 5m own", "c - 720-744 5m own", "d - 744-768 5m own"];
    let now = |hours: i64| {
        let settings = settings();
        let at = START + hours * HOUR_MS + settings.consistency_delay_ms;
        let mut settings = settings;
        settings.downsample =
            Some(DownsampleAges { five_minutes_ms: i64::MAX / 4, ..DownsampleAges::default() });
        shown(&planned(&blocks, at, &settings).compactions)
    };
    assert_eq!(now(744 + 39), [""; 0]);
    assert_eq!(now(744 + 40), ["a b c 0-744"]);
    let hours = ["a - 0-24 1h own", "b - 24-48 1h own", "r - 0-24 own", "f - 0-24 5m own <r,x"];
    assert_eq!(compactions(&hours, 744 + 239), [""; 0]);
    assert_eq!(compactions(&hours, 744 + 241), ["a b 0-48"], "resolutions are not mixed");
}

#[test]
fn a_day_is_downsampled_when_all_of_it_is_old() {
    let day = ["a - 0-2", "b - 2-4", "c - 24-26"];
    let at = |now: i64| shown(&planned(&day, now, &settings()).downsamplings);
    assert_eq!(at(START + (24 + 40) * HOUR_MS - 1), [""; 0]);
    assert_eq!(at(START + (24 + 40) * HOUR_MS), ["a b 0-4"]);
    assert_eq!(downsamplings(&day, 500), ["a b 0-4 5", "c 24-26 5"]);
    // Merged or not, the sources are the same.
    let done = ["five - 0-4 <a,b 5m own", "a - 0-2", "b - 2-4"];
    assert_eq!(downsamplings(&done, 100), [""; 0]);
    assert_eq!(downsamplings(&["five - 0-4 <a,b 5m own", "day - 0-4 <a,b own"], 100), [""; 0]);
    let off = PlanSettings { downsample: None, ..settings() };
    assert!(planned(&day, START + 500 * HOUR_MS, &off).downsamplings.is_empty());
}

#[test]
fn five_minutes_become_hours_after_ten_days() {
    let day = ["five - 0-24 <a,b 5m own", "day - 0-24 <a,b own"];
    let due = START + 11 * DAY_MS;
    assert!(planned(&day, due - 1, &settings()).downsamplings.is_empty());
    let jobs = planned(&day, due, &settings()).downsamplings;
    assert_eq!(shown(&jobs), ["five 0-24"]);
    assert_eq!(jobs[0].group.resolution, HOUR_MS);
    assert!(jobs[0].downsamples());
}

#[test]
fn a_late_block_makes_a_day_be_downsampled_anew() {
    let late = ["five - 0-24 <a,b 5m own", "day - 0-24 <a,b,late own"];
    assert_eq!(downsamplings(&late, 100), ["day 0-24 5"]);
    let both =
        ["old - 0-24 <a,b 5m own", "new - 0-24 <a,b,late 5m own", "day - 0-24 <a,b,late own"];
    let plan = planned(&both, START + 100 * HOUR_MS, &settings());
    assert_eq!(shown(&plan.downsamplings), [""; 0]);
    let covered: Vec<String> = plan.covered.iter().map(|c| name(c.block.ulid)).collect();
    assert_eq!(covered, ["old"]);
}

#[test]
fn days_that_a_block_joins_are_downsampled_as_one() {
    let blocks = ["a - 0-2", "long - 23-50", "b - 70-72", "c - 96-98"];
    assert_eq!(downsamplings(&blocks, 111), [""; 0]);
    assert_eq!(downsamplings(&blocks, 112), ["a long b 0-72 5"]);
    assert_eq!(downsamplings(&["a - 0-2", "b - 2-4 whole"], 200), ["a 0-2 5"]);
    assert_eq!(downsamplings(&["a - 0-2", "b - 2-4 up=200"], 200), [""; 0], "b is too young");
}

#[test]
fn what_is_merged_covers_its_sources() {
    let blocks =
        ["a1 a 0-2", "b1 b 0-2", "day - 0-2 <a1,b1 own", "a2 a 2-4", "other - 0-2 <a1 5m own"];
    let plan = planned(&blocks, START + HOUR_MS, &settings());
    let covered: Vec<(String, String)> =
        plan.covered.iter().map(|c| (name(c.block.ulid), name(c.by.ulid))).collect();
    let by_day = |block: &str| (block.to_owned(), "day".to_owned());
    assert_eq!(covered, [by_day("a1"), by_day("b1")]);
    let deduped = ["a . 0-2", "day . 0-2 <a,b own"];
    let mut blocks: Vec<PlanBlock> = deduped.iter().map(|text| block(text)).collect();
    let day = Arc::get_mut(&mut blocks[1].meta).unwrap();
    day.thanos.labels = BTreeMap::from([("replica".into(), "deduped".into())]);
    assert_eq!(
        super::plan(&blocks, START, &settings()).covered.len(),
        1,
        "all labels were replicas'"
    );
    assert!(planned(&["a - 0-4", "b - 0-2 <a,c"], START, &settings()).covered.is_empty(), "times");
    // A block with a label that the other lacks covers nothing of it.
    assert!(planned(&["a - 0-2", "b x 0-2 <a,c"], START, &settings()).covered.is_empty());
}

#[test]
fn only_blocks_in_the_range_are_looked_at() {
    let range = TimeRange::new(START + 24 * HOUR_MS, START + 48 * HOUR_MS - 1);
    let settings = PlanSettings { range, downsample: None, ..settings() };
    let blocks = ["a - 0-2", "b - 2-4", "c - 24-26", "d - 30-32"];
    let jobs = planned(&blocks, START + 100 * HOUR_MS, &settings).compactions;
    assert_eq!(shown(&jobs), ["c d 24-32"]);
}

/// What the bucket has after a job: its result beside its sources.
fn done(blocks: &mut Vec<PlanBlock>, job: &Job, made: &mut u32) {
    *made += 1;
    let mut sources: Vec<BlockId> =
        job.sources.iter().flat_map(|meta| meta.compaction.sources.clone()).collect();
    sources.sort_unstable();
    sources.dedup();
    let labels: Vec<(&str, &str)> =
        job.group.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut meta = meta(id(&format!("made{made}")), job.range.clone(), &labels, sources);
    meta.thanos.downsample.resolution = job.group.resolution;
    meta.thanos.source = "compactor".to_owned();
    let meta = Arc::new(meta);
    blocks.push(PlanBlock {
        meta,
        uploaded: START,
        marked: false,
        no_compact: false,
        no_downsample: false,
    });
}

proptest! {
    #[test]
    fn work_comes_to_an_end(
        given in prop::collection::vec((0..3usize, 0..60i64, 1..16i64, any::<[bool; 3]>()), 1..24),
    ) {
        let mut blocks: Vec<PlanBlock> = given.iter().enumerate().map(|(at, &(replica, start, length, flags))| {
            let (from, to) = (start * 2, start * 2 + length * 2);
            let mut block = block(&format!("b{at} {} {from}-{to}", ["a", "b", "-"][replica]));
            block.no_compact = flags == [true; 3];
            block.no_downsample = flags == [true, false, true];
            block.marked = flags == [false, true, true];
            block
        }).collect();
        let now = START + 100 * DAY_MS;
        let mut made = 0;
        for round in 0..12 {
            let first = plan(&blocks, now, &settings());
            blocks.reverse();
            prop_assert_eq!(&first, &plan(&blocks, now, &settings()), "the order does not matter");
            let mut used = std::collections::HashSet::new();
            for job in &first.compactions {
                let windows: std::collections::BTreeSet<i64> = job.sources.iter().map(|meta| {
                    match job.group.resolution {
                        0 => windows::aligned(meta.min_time, DAY_MS).start,
                        _ => windows::month(meta.min_time).start,
                    }
                }).collect();
                prop_assert_eq!(windows.len(), 1);
                prop_assert!(job.sources.iter().all(|meta| used.insert(meta.ulid)));
            }
            for Covered { block, by } in &first.covered {
                prop_assert_ne!(block.ulid, by.ulid);
                let at = blocks.iter().position(|b| b.meta.ulid == block.ulid).unwrap();
                blocks[at].marked = true;
            }
            let jobs: Vec<Job> = first.compactions.into_iter().chain(first.downsamplings).collect();
            if jobs.is_empty() {
                return Ok(());
            }
            prop_assert!(round < 11, "{:?}", shown(&jobs));
            for job in &jobs {
                done(&mut blocks, job, &mut made);
            }
        }
    }
}
