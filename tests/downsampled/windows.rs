//! The windows that Stoa's compactor makes of raw blocks, beside those that Thanos' downsample package
//! makes of the same ones: each aggregate, both resolutions, resets and stale markers included.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::bucket::Bucket;
use engine::catalog::{Catalog, CatalogSettings};
use engine::chunk::CounterTotal;
use engine::compact::plan::{DownsampleAges, PlanSettings};
use engine::compact::work::{CompactMetrics, CompactSettings, Compactor};
use engine::model::{Aggregate, Aggregates, Labels, TimeRange};
use engine::scan::BlockCache;
use engine::source::{BucketSource, DownsampledSource, SeriesSource};
use ingest::native::NativeCatalog;

use super::place::{HOUR, MINUTE, replica};
use crate::compact::world::{Samples, everything, read};
use crate::storeapi::endpoint::Blocks;
use crate::support::DATA_START;

/// How far a total of differences may be from Thanos', relative to it: they are added in another order.
const TOLERANCE: f64 = 1e-12;

/// Three days of two replicas, raw in both forms; of each day Thanos' windows.
async fn blocks() -> Blocks {
    let blocks = Blocks::new();
    for (number, name) in [(0, "a"), (1, "b")] {
        let external = [("cluster", "c1"), ("replica", name)];
        for day in 0..3 {
            let raw = blocks.add(&external, &replica(number, day)).await;
            let fine = blocks.downsample(&raw, 5 * MINUTE);
            blocks.downsample(&fine, HOUR);
        }
    }
    blocks
}

/// Downsamples all that is in the bucket of Stoa's blocks.
async fn downsample(bucket: &Bucket) {
    let dir = tempfile::tempdir().unwrap();
    let idle = CompactSettings::idle(dir.path().to_path_buf());
    let ages = DownsampleAges { raw_ms: 0, five_minutes_ms: 0 };
    let settings = CompactSettings {
        plan: PlanSettings { downsample: Some(ages), consistency_delay_ms: 0, ..idle.plan },
        ..idle
    };
    let compactor = Compactor::new(bucket.clone(), settings, CompactMetrics::default());
    let now = || DATA_START + 100 * 24 * HOUR;
    loop {
        let turn = compactor.turn(&now).await.unwrap();
        assert_eq!(turn.failed, 0);
        if !turn.more {
            return;
        }
    }
}

async fn read_aggregate(
    source: &dyn SeriesSource,
    aggregate: Aggregate,
) -> BTreeMap<Labels, Samples> {
    let select = everything(Aggregates::of(aggregate));
    let options = engine::source::SelectOptions { dedup: false, ..Default::default() };
    read(&source.resolve(&select, &options).await.unwrap()).await
}

/// Values by window; of a counter the running totals.
fn by_window(samples: &Samples, aggregate: Aggregate, resolution: i64) -> BTreeMap<i64, f64> {
    let ts: Vec<i64> = samples.iter().map(|&(t, _)| t).collect();
    let values: Vec<f64> = samples.iter().map(|&(_, bits)| f64::from_bits(bits)).collect();
    let (ts, values) = match aggregate {
        Aggregate::Counter => {
            let (mut total_ts, mut totals) = (Vec::new(), Vec::new());
            CounterTotal::default().add(&ts, &values, &mut total_ts, &mut totals);
            (total_ts, totals)
        }
        _ => (ts, values),
    };
    ts.into_iter().map(|t| t.div_euclid(resolution)).zip(values).collect()
}

#[tokio::test]
async fn windows_are_those_of_thanos() {
    let blocks = blocks().await;
    let stoa = Bucket::from_yaml(&blocks.objstore()).unwrap();
    let native = Bucket::from_yaml(&blocks.bucket()).unwrap();
    downsample(&stoa).await;
    let catalog = Arc::new(Catalog::new(stoa.clone(), CatalogSettings::default()));
    catalog.sync().await.unwrap();
    let raw = BucketSource::new(Arc::clone(&catalog), BlockCache::new(stoa, 64 << 20));
    let of_thanos = NativeCatalog::new(native, CatalogSettings::default(), 64 << 20);
    of_thanos.sync(&Default::default()).await.unwrap();
    let (mut compared, mut series_compared) = (0, 0);
    for source in of_thanos.sources() {
        let (range, resolution) = (source.meta().range(), source.meta().resolution_ms());
        if resolution == 0 {
            continue;
        }
        let snapshot = catalog.snapshot();
        let same = snapshot.blocks.iter().find(|meta| {
            meta.thanos.downsample.resolution == resolution
                && &meta.thanos.labels == source.meta().labels()
                && meta.range() == TimeRange::new(range.min, range.max)
        });
        let same = same.unwrap_or_else(|| panic!("no block of {resolution} ms from {}", range.min));
        let own = DownsampledSource::new(&raw, Arc::clone(same));
        for aggregate in Aggregate::ALL {
            let expected = read_aggregate(source.as_ref(), aggregate).await;
            let got = read_aggregate(&own, aggregate).await;
            assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (labels, samples) in expected {
                // A gauge is no counter: where its values are below zero a running total falls, and what
                // follows depends on where Thanos cuts its chunks.
                if aggregate == Aggregate::Counter && labels.metric() == "temperature" {
                    continue;
                }
                let what = format!("{aggregate:?} of {labels} at {resolution} ms");
                let expected = by_window(&samples, aggregate, resolution);
                let got = by_window(&got[&labels], aggregate, resolution);
                assert_eq!(
                    got.keys().collect::<Vec<_>>(),
                    expected.keys().collect::<Vec<_>>(),
                    "{what}"
                );
                for (window, expected) in expected {
                    let got = got[&window];
                    let same = match aggregate {
                        Aggregate::Counter | Aggregate::Sum => {
                            (got - expected).abs() <= TOLERANCE * expected.abs()
                        }
                        _ => got.to_bits() == expected.to_bits(),
                    };
                    assert!(same, "{what}, window {window}: {got} instead of {expected}");
                    compared += 1;
                }
                series_compared += 1;
            }
        }
    }
    println!("{compared} windows of {series_compared} series and aggregates are those of Thanos");
    assert!(compared > 40_000, "{compared}");
}
