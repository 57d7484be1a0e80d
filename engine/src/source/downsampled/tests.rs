//! Windows of a block read as chunks, against the samples that they were made of.

use std::sync::Arc;

use super::chunks::encode;
use super::*;
use crate::block::meta::Compaction;
use crate::block::{BlockId, BlockSettings, BlockWriter, verify};
use crate::bucket::commit;
use crate::chunk::{AggregateChunks, CounterTotal, Downsampled, Floats};
use crate::compact::downsample::Downsampler;
use crate::model::{Aggregate, AggregateValue, LabelTable, Windows};
use crate::source::tests::fixture::{Fixture, Samples, labels, metric, options, run};
use crate::source::tests::{HOUR, every};

const RESOLUTION: i64 = 300_000;

fn windows(samples: &Samples) -> Windows {
    let (ts, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
    let (mut downsampler, mut out) = (Downsampler::new(RESOLUTION), Windows::default());
    downsampler.push(&ts, &values, &mut out);
    downsampler.finish(&mut out);
    out
}

/// A counter that is reset every now and then.
fn counter() -> Samples {
    every(15_000, 5_000..24 * HOUR, |t| ((t / 15_000) % 1_000) as f64)
}

/// Of most windows the first sample is not the least, nor the last the greatest; no rule tells of which.
fn gauge() -> Samples {
    every(60_000, 0..24 * HOUR, |t| ((t / 60_000).wrapping_mul(0x9e37_79b9) % 1_009 % 13) as f64)
}

/// Writes a block of five minutes with two series into a bucket.
async fn bucket() -> (Fixture, Arc<BlockMeta>) {
    let fixture = Fixture::new();
    let own = |pod: &str| labels(&[("__name__", "m"), ("pod", pod)]);
    let table = Arc::new(LabelTable::from_labels(&[own("a"), own("b")]));
    let ulid = BlockId(ulid::Ulid::from_parts(9, 9));
    let settings = BlockSettings {
        ulid,
        external_labels: labels(&[("cluster", "c")]),
        source: "compactor".to_owned(),
        resolution_ms: RESOLUTION,
        min_time: 0,
        max_time: 24 * HOUR,
        bucket_ms: 24 * HOUR,
        compaction: Compaction { level: 2, sources: vec![ulid], parents: vec![] },
    };
    let dir = tempfile::tempdir().unwrap();
    let mut writer = BlockWriter::create(dir.path(), settings, table).unwrap();
    assert!(writer.floats(0, &[1], &[1.0], None).is_err(), "samples in a block of windows");
    writer.windows(0, windows(&counter()).slices()).unwrap();
    writer.windows(1, windows(&gauge()).slices()).unwrap();
    let meta = writer.finish().unwrap();
    commit(&fixture.bucket, dir.path(), &meta).await.unwrap();
    fixture.catalog.sync().await.unwrap();
    (fixture, Arc::new(meta))
}

fn select(aggregates: Aggregates) -> Select {
    Select { aggregates, max_resolution: i64::MAX, ..metric("m", TimeRange::ALL) }
}

#[tokio::test]
async fn each_aggregate_is_that_of_its_windows() {
    let (fixture, meta) = bucket().await;
    assert_eq!(verify(&fixture.bucket, meta.ulid).await.unwrap().problems, [""; 0]);
    let source = DownsampledSource::new(&fixture.source, Arc::clone(&meta));
    let expected = windows(&counter());
    let of = |aggregates: Aggregates| {
        let (source, select) = (source.clone(), select(aggregates));
        async move {
            let resolved = source.resolve(&select, &options(None)).await.unwrap();
            let runs = run(&resolved).await.unwrap();
            assert_eq!(runs.len(), 2);
            (runs[0].1.clone(), runs[0].2.clone().unwrap())
        }
    };
    let counts: Vec<f64> = expected.count.iter().map(|&count| count as f64).collect();
    for (aggregate, column) in [
        (Aggregate::Count, &counts),
        (Aggregate::Sum, &expected.sum),
        (Aggregate::Min, &expected.min),
        (Aggregate::Max, &expected.max),
    ] {
        let got = of(Aggregates::of(aggregate)).await;
        assert_eq!(got, (expected.ts.clone(), column.clone()), "{aggregate:?}");
    }
    let average: Vec<f64> = expected.sum.iter().zip(&counts).map(|(s, c)| s / c).collect();
    assert_eq!(of(Aggregates::AVERAGE).await, (expected.ts.clone(), average));
    // Raw samples of other sources do not see it.
    let raw = fixture.source.resolve(&select(Aggregates::AVERAGE), &options(None)).await.unwrap();
    assert!(raw.roster.is_empty());
    let names = source.label_names(&[], TimeRange::ALL, &options(None), 0).await.unwrap();
    assert_eq!(names.items, ["__name__", "cluster", "pod"]);
}

#[tokio::test]
async fn all_columns_of_a_block_come_back() {
    let (fixture, meta) = bucket().await;
    let source = DownsampledSource::new(&fixture.source, meta);
    let select = select(Aggregates::ALL);
    let (_, chunks, _) = source.chunks(&select, &options(None)).await.unwrap();
    for (series, samples) in [counter(), gauge()].iter().enumerate() {
        let (windows, mut expected) = (windows(samples), Vec::new());
        encode(&windows, 0..windows.len(), Aggregates::ALL, &mut expected);
        assert_eq!(chunks.part(&[series as u32]).await.unwrap(), [expected]);
    }
}

#[test]
fn totals_of_counter_chunks_are_those_of_the_samples() {
    let samples = counter();
    let windows = windows(&samples);
    let mut chunks = Vec::new();
    encode(&windows, 0..windows.len(), Aggregates::COUNTER, &mut chunks);
    assert_eq!(chunks.len(), 3, "96 windows each");
    let (mut total, mut got_ts, mut got) = (CounterTotal::default(), Vec::new(), Vec::new());
    for chunk in &chunks {
        let chunks = AggregateChunks::parse(&chunk.bytes).unwrap();
        let mut floats = Floats::default();
        let counter = AggregateValue::Of(Aggregate::Counter);
        Downsampled::default().decode(counter, &chunks, &mut floats).unwrap();
        total.add(floats.ts(), floats.values(), &mut got_ts, &mut got);
    }
    let (ts, values): (Vec<i64>, Vec<f64>) = samples.into_iter().unzip();
    let (mut raw_ts, mut raw) = (Vec::new(), Vec::new());
    CounterTotal::default().add(&ts, &values, &mut raw_ts, &mut raw);
    for (&t, &total) in got_ts.iter().zip(&got) {
        let until = raw_ts.partition_point(|&raw| raw <= t);
        assert_eq!(total, raw[until - 1], "{t}");
    }
    assert_eq!(got.last(), raw.last());
}
