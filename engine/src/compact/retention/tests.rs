//! Retention by tables.

use super::*;
use crate::compact::plan::DownsampleAges;
use crate::compact::plan::tests::{block, name};
use crate::compact::plan::windows::DAY_MS;
use crate::model::{MatchOp, Matcher};

/// 2026-10-01T00:00:00Z, hour 0 of the blocks.
const START: i64 = 1_790_812_800_000;

fn retention(raw: i64, five_minutes: i64, hour: i64) -> RetentionPolicy {
    let [raw_ms, five_minutes_ms, hour_ms] = [raw, five_minutes, hour].map(|d| d * DAY_MS);
    RetentionPolicy::new(Retention { raw_ms, five_minutes_ms, hour_ms })
}

/// Who goes and who stays, `hours` after the start.
fn decided(
    blocks: &[&str],
    hours: i64,
    policy: &RetentionPolicy,
    downsampling: bool,
) -> (Vec<String>, Vec<String>) {
    let blocks: Vec<PlanBlock> = blocks.iter().map(|text| block(text)).collect();
    let retired = decide(&blocks, START + hours * HOUR_MS, policy, downsampling);
    let names = |aged: &[Aged]| aged.iter().map(|aged| name(aged.block)).collect();
    (names(&retired.go), names(&retired.stay))
}

/// As Thanos' `TestApplyRetentionPolicyByResolution`: each resolution by itself where nothing is downsampled.
#[test]
fn each_resolution_has_its_own_time() {
    let blocks = ["a - 0-24", "b - 24-48", "f - 0-24 5m", "g - 24-48 5m", "h - 0-24 1h"];
    let go = |policy: RetentionPolicy, hours: i64| decided(&blocks, hours, &policy, false).0;
    assert_eq!(go(retention(0, 0, 0), 100_000), [""; 0]);
    assert_eq!(go(retention(10, 0, 0), 11 * 24 + 1), ["a"]);
    assert_eq!(go(retention(10, 0, 0), 12 * 24 + 1), ["a", "b"]);
    assert_eq!(go(retention(0, 10, 0), 11 * 24 + 1), ["f"]);
    assert_eq!(go(retention(0, 0, 10), 11 * 24 + 1), ["h"]);
    assert_eq!(go(retention(10, 10, 10), 11 * 24), [""; 0], "not before its end");
}

#[test]
fn raw_samples_stay_until_they_are_downsampled() {
    let policy = retention(2, 0, 0);
    let at = |blocks: &[&str]| decided(blocks, 1_000, &policy, true);
    let goes = (vec!["a".to_owned()], vec![]);
    let stays = (vec![], vec!["a".to_owned()]);
    assert_eq!(at(&["a r 0-24"]), stays);
    assert_eq!(at(&["a r 0-24", "f - 0-24 <a 5m"]), goes);
    assert_eq!(at(&["a r 0-24 <x,y", "f - 0-2 <x 5m", "g - 2-24 <y 5m"]), goes);
    assert_eq!(at(&["a r 0-24 <x,y", "f - 0-2 <x 5m"]), stays);
    assert_eq!(at(&["a r 0-24", "f - 0-24 <a 5m marked"]), stays);
    assert_eq!(at(&["a r 0-24", "f s 0-24 <a 5m"]), stays, "another replica");
    assert_eq!(at(&["a r 0-24", "f - 0-24 <a 1h"]), stays, "too coarse");
    assert_eq!(at(&["a r 0-24 marked"]).0, [""; 0]);
    assert_eq!(at(&["a r 0-24 whole"]), goes);
    let mut histograms = [block("a - 0-24"), block("f - 0-24 <a 5m")];
    let meta = std::sync::Arc::get_mut(&mut histograms[0].meta).unwrap();
    meta.stats.num_histogram_samples = 1;
    let retired = decide(&histograms, START + 1_000 * HOUR_MS, &policy, true);
    assert_eq!((retired.go.len(), retired.stay.len()), (0, 1), "histograms have no windows");
    assert_eq!(decided(&["a r 0-24"], 1_000, &policy, false), goes);
}

#[test]
fn what_is_not_kept_need_not_be_there() {
    let blocks = ["a - 0-24", "f - 0-24 <a 5m", "b - 960-984"];
    let at = |policy: RetentionPolicy| decided(&blocks, 1_000, &policy, true);
    let both = (vec!["a".to_owned(), "f".to_owned()], vec![]);
    // Nothing is kept for as long.
    assert_eq!(at(retention(30, 20, 10)), both);
    // Five minutes are too old as well, hours are not there.
    assert_eq!(at(retention(20, 20, 0)), (vec![], vec!["a".to_owned(), "f".to_owned()]));
    let blocks = ["a - 0-24", "f - 0-24 <a 5m", "h - 0-24 <a 1h"];
    assert_eq!(decided(&blocks, 1_000, &retention(20, 20, 0), true), both);
}

#[test]
fn rules_hold_for_blocks_with_their_labels() {
    let yaml = "- matchers: 'replica=r'\n  resolution-raw: 2d\n\
                - matchers: 'replica=s'\n  resolution-raw: 0d\n  resolution-1h: 1w\n";
    let parse = |text: &str| {
        let (name, value) = text.split_once('=').ok_or_else(|| crate::Error::invalid("no ="))?;
        Ok(vec![Matcher::new(name, MatchOp::Equal, value)?])
    };
    let default = Retention { raw_ms: 10 * DAY_MS, ..Retention::default() };
    let policy = RetentionPolicy::from_yaml(yaml, default, &parse).unwrap();
    let blocks = ["a r 0-24", "b s 0-24", "c - 0-24", "d s 0-24 1h"];
    let at = |hours: i64| decided(&blocks, hours, &policy, false).0;
    assert_eq!(at(24 * 4), ["a"]);
    assert_eq!(at(24 * 9), ["a", "d"]);
    assert_eq!(at(24 * 12), ["a", "c", "d"]);
    for (wrong, says) in [
        ("- matchers: x\n", "rule 1: no ="),
        ("- matchers: a=b\n  resolution-raw: fortnight\n", "rule 1: resolution-raw: \"fortnight\""),
        ("- matchers: a=b\n  raw: 1d\n", "raw"),
        ("- resolution-raw: 1d\n", "matchers"),
        ("a: b", "retention config"),
    ] {
        let error = RetentionPolicy::from_yaml(wrong, default, &parse).unwrap_err();
        assert!(error.to_string().contains(says), "{wrong}: {error}");
    }
}

#[test]
fn samples_must_get_old_enough_to_be_downsampled() {
    let ages = DownsampleAges::default();
    let check = |raw_hours: i64, five_minutes_days: i64| {
        let retention = Retention {
            raw_ms: raw_hours * HOUR_MS,
            five_minutes_ms: five_minutes_days * DAY_MS,
            hour_ms: 0,
        };
        RetentionPolicy::new(retention).check(ages).is_ok()
    };
    assert!(check(0, 0) && check(40, 10) && check(400, 0));
    assert!(!check(39, 0) && !check(0, 9));
}
