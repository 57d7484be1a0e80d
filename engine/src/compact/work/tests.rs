//! Turns over a bucket in memory: what other tests do not see.

use super::*;
use crate::compact::plan::windows::DAY_MS;
use crate::compact::plan::{DownsampleAges, HOUR_MS};
use crate::compact::retention::Retention;
use crate::model::{Labels, STALE_NAN_BITS};
use crate::source::tests::fixture::{Fixture, Samples, TestBlock, labels};
use crate::source::tests::{block, every};

fn own() -> Labels {
    labels(&[("__name__", "m"), ("pod", "a")])
}

fn two_hours(at: i64, samples: impl Fn(i64) -> f64) -> TestBlock {
    let range = at * HOUR_MS..(at + 2) * HOUR_MS;
    let samples: Samples = every(60_000, range.clone(), samples);
    TestBlock { external: labels(&[("cluster", "c")]), ..block(range, vec![(own(), samples)]) }
}

fn compactor(fixture: &Fixture, dir: &std::path::Path, retention: Retention) -> Compactor {
    let idle = CompactSettings::idle(dir.to_path_buf());
    let settings = CompactSettings {
        plan: PlanSettings {
            compact: true,
            // The memory dates objects by the machine's clock, which is ahead of the test's.
            consistency_delay_ms: i64::MIN / 4,
            downsample: Some(DownsampleAges { raw_ms: 0, five_minutes_ms: 0 }),
            ..PlanSettings::default()
        },
        retention: RetentionPolicy::new(retention),
        ..idle
    };
    Compactor::new(fixture.bucket.clone(), settings, CompactMetrics::default())
}

async fn all(compactor: &Compactor, now: i64) -> Turn {
    let mut all = Turn::default();
    for _ in 0..20 {
        let turn = compactor.turn(&move || now).await.unwrap();
        assert_eq!(turn.failed, 0);
        all.compacted += turn.compacted;
        all.downsampled += turn.downsampled;
        if !turn.more {
            return all;
        }
    }
    panic!("it does not come to an end: {all:?}");
}

#[tokio::test]
async fn what_would_be_too_old_at_once_is_not_made() {
    let blocks = (0..2).map(|at| two_hours(at * 2, |t| t as f64)).collect();
    let fixture = Fixture::of(blocks).await;
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { five_minutes_ms: DAY_MS, ..Retention::default() };
    let compactor = compactor(&fixture, dir.path(), retention);
    let turn = all(&compactor, 30 * DAY_MS).await;
    assert_eq!((turn.compacted, turn.downsampled), (1, 0));
}

/// A block of stale markers alone has no window, and is downsampled once all the same.
#[tokio::test]
async fn a_day_without_windows_is_done() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let blocks = (0..2).map(|at| two_hours(at * 2, move |_| stale)).collect();
    let fixture = Fixture::of(blocks).await;
    let dir = tempfile::tempdir().unwrap();
    let compactor = compactor(&fixture, dir.path(), Retention::default());
    let turn = all(&compactor, 2 * DAY_MS).await;
    assert_eq!((turn.compacted, turn.downsampled), (1, 2));
    fixture.catalog.sync().await.unwrap();
    let snapshot = fixture.catalog.snapshot();
    let mut samples: Vec<u64> = snapshot.blocks.iter().map(|m| m.stats.num_samples).collect();
    samples.sort_unstable();
    assert_eq!(samples, [0, 0, 240]);
}

/// A damaged source is set aside, the rest of its day goes on.
#[tokio::test]
async fn a_damaged_source_is_set_aside() {
    let mut fixture = Fixture::new();
    let mut ids = Vec::new();
    for at in 0..3 {
        ids.push(fixture.add(two_hours(at * 2, |t| t as f64)).await);
    }
    let path = BlockMeta::path(ids[1], "samples.parquet");
    let mut bytes = fixture.bucket.get(&path).await.unwrap().to_vec();
    bytes[300] ^= 1;
    fixture.bucket.put(&path, bytes.into()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let compactor = compactor(&fixture, dir.path(), Retention::default());
    let mut failed = 0;
    for turn in 0..6 {
        let now = 2 * DAY_MS + turn * HOUR_MS;
        failed += compactor.turn(&move || now).await.unwrap().failed;
    }
    assert!(failed > 0);
    let survey = fixture.catalog.survey().await.unwrap();
    let marks = |id| &survey.blocks.iter().find(|b| b.meta.ulid == id).unwrap().marks;
    let mark = marks(ids[1]).no_compact.as_ref().expect("a mark");
    assert!(mark.reason == "damaged" && mark.details.contains("CRC"), "{mark:?}");
    assert!(marks(ids[1]).deletion.is_none() && marks(ids[0]).deletion.is_some());
    let made = survey.blocks.iter().filter(|b| b.meta.thanos.source == "compactor");
    let mut sources: Vec<usize> = made.map(|b| b.meta.compaction.sources.len()).collect();
    sources.sort_unstable();
    assert_eq!(sources, [2, 2, 2], "raw, 5m, 1h of the two others");
}

/// Another process works on the group: nothing is done, and nothing fails.
#[tokio::test]
async fn a_group_is_worked_on_by_one_process() {
    let blocks = (0..2).map(|at| two_hours(at * 2, |t| t as f64)).collect();
    let fixture = Fixture::of(blocks).await;
    let dir = tempfile::tempdir().unwrap();
    let now = 2 * DAY_MS;
    let key = crate::compact::group::GroupKey::of(&fixture.catalog.snapshot().blocks[0], &[]);
    let other = Holder::new(5 * 60_000);
    let lease = crate::compact::log::acquire(&fixture.bucket, &key.to_string(), &other, now).await;
    let _lease = lease.unwrap().expect("it is free");
    let compactor = compactor(&fixture, dir.path(), Retention::default());
    let turn = compactor.turn(&move || now).await.unwrap();
    assert_eq!((turn.compacted, turn.marked, turn.failed), (0, 0, 0));
    assert!(turn.downsampled == 1 && turn.more, "five minutes are a group of their own");
    let turn = compactor.turn(&move || now).await.unwrap();
    assert!(turn.downsampled == 1 && turn.more, "and so are hours");
    assert!(!compactor.turn(&move || now).await.unwrap().more, "it does not ask again at once");
    let later = now + 6 * 60_000;
    assert_eq!(compactor.turn(&move || later).await.unwrap().compacted, 1);
}
