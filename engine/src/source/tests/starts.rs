//! Start timestamps: each comes with the sample that it was written with, whatever of merging, dedup
//! and fan-out lies between.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt32Type};
use datafusion::execution::TaskContext;

use super::fixture::{Fixture, TestBlock, labels, metric, options};
use super::histograms::natives;
use super::{HOUR, block, every};
use crate::model::{Labels, TimeRange};
use crate::source::{
    Child, Columns, DedupFunc, FanoutSource, Resolved, Select, SeriesSource as _, run_schema,
    start_run_schema, starts_of,
};

fn select(range: TimeRange) -> Select {
    Select { columns: Columns::All, ..metric("m", range) }
}

fn own(job: &str) -> Labels {
    labels(&[("__name__", "m"), ("job", job)])
}

/// The times and start timestamps of each series, of floats and of histograms alike.
async fn starts(resolved: &Resolved) -> Vec<(Labels, Vec<(i64, i64)>)> {
    let mut all: Vec<(u32, Vec<(i64, i64)>)> = Vec::new();
    for partition in 0..resolved.runs.properties().partitioning.partition_count() {
        let stream = resolved.runs.execute(partition, Arc::new(TaskContext::default())).unwrap();
        for batch in datafusion::physical_plan::common::collect(stream).await.unwrap() {
            assert_eq!(batch.schema(), start_run_schema());
            let series = batch.column(0).as_primitive::<UInt32Type>();
            let (ts, (starts, _)) =
                (batch.column(1).as_list::<i32>(), starts_of(&batch).unwrap().unwrap());
            let numbers = |list: &arrow::array::ListArray, row| {
                list.value(row).as_primitive::<Int64Type>().values().to_vec()
            };
            for row in 0..batch.num_rows() {
                let (ts, starts) = (numbers(ts, row), numbers(starts, row));
                assert_eq!(ts.len(), starts.len());
                let samples = ts.into_iter().zip(starts);
                match all.last_mut() {
                    Some((last, known)) if *last == series.value(row) => known.extend(samples),
                    _ => all.push((series.value(row), samples.collect())),
                }
            }
        }
    }
    all.into_iter().map(|(at, samples)| (resolved.roster.labels(at as usize), samples)).collect()
}

/// Counters begin anew each 20 minutes.
fn periods(t: i64) -> i64 {
    t - t % 1_200_000 + 1
}

/// A tenth of the samples have none.
fn some(t: i64) -> i64 {
    if t / 60_000 % 10 == 0 { 0 } else { t - 7 }
}

fn of(name: &str, start_of: Option<fn(i64) -> i64>, hours: std::ops::Range<i64>) -> TestBlock {
    let range = hours.start * HOUR..hours.end * HOUR;
    let floats = every(15_000, range.clone(), |t| t as f64);
    let half = floats.iter().copied().filter(|(t, _)| t / 900_000 % 2 == 1).collect();
    TestBlock {
        external: labels(&[("replica", name)]),
        start_of,
        ..block(range, vec![(own("floats"), floats), (own("mixed"), half)])
    }
}

async fn add(fixture: &mut Fixture, block: TestBlock) {
    let range = block.range.clone();
    let mut histograms = natives(15_000, range, 1);
    histograms.retain(|(t, _)| t / 900_000 % 2 == 0);
    fixture.add_with(block, vec![(own("mixed"), histograms)]).await;
}

/// Blocks with start timestamps, with some, and without: over blocks, kinds and waves of reading.
#[tokio::test]
async fn each_sample_has_its_own() {
    let mut fixture = Fixture::new();
    for (start_of, hours) in [(None, 0..2), (Some(periods as _), 2..4), (Some(some as _), 4..40)] {
        add(&mut fixture, of("a", start_of, hours)).await;
    }
    for range in [TimeRange::ALL, TimeRange::new(HOUR + 3, 5 * HOUR), TimeRange::new(9, 90_000)] {
        let read = starts(&fixture.resolve(&select(range), &options(None)).await).await;
        assert_eq!(read.len(), 2, "{range:?}");
        for (labels, samples) in read {
            let expected: Vec<(i64, i64)> = (0..40 * HOUR)
                .step_by(15_000)
                .filter(|&t| range.contains(t))
                .map(|t| (t, [0, periods(t), some(t)][((t / HOUR).min(4) / 2) as usize]))
                .collect();
            assert!(samples == expected, "{labels}, {range:?}");
        }
    }
}

/// Who does not ask for them, and who asks where none is, gets batches without a column for them.
#[tokio::test]
async fn batches_have_no_column_for_what_is_not_there() {
    let floats = |start_of| TestBlock {
        start_of,
        ..block(0..2 * HOUR, vec![(own("a"), every(60_000, 0..HOUR, |t| t as f64))])
    };
    let without = Fixture::of(vec![floats(None)]).await;
    let resolved = without.resolve(&select(TimeRange::ALL), &options(None)).await;
    assert_eq!(resolved.runs.schema(), run_schema());
    let with = Fixture::of(vec![floats(Some(some))]).await;
    let not_asked = Select { columns: Columns::Samples, ..select(TimeRange::ALL) };
    let resolved = with.resolve(&not_asked, &options(None)).await;
    assert_eq!(resolved.runs.schema(), run_schema());
    let resolved = with.resolve(&select(TimeRange::ALL), &options(None)).await;
    assert_eq!(resolved.runs.schema(), start_run_schema());
}

/// Two replicas with holes, whose start timestamps tell which one a sample is of: in one bucket, and
/// in two behind a fan-out, by every rule and for counters, some of whose samples are left out.
#[tokio::test]
async fn they_are_those_of_the_replica_that_is_taken() {
    let replica = |number: i64| {
        let starts: [fn(i64) -> i64; 2] = [|t| t - 1, |t| t - 2];
        let kept = move |t: &i64| (t / 60_000 * 7 + number * 13) % 41 > 9;
        let mut block = of(["a", "b"][number as usize], Some(starts[number as usize]), 0..4);
        for (_, samples) in &mut block.series {
            // The second is behind: what it has after a change falls.
            samples.iter_mut().for_each(|(t, value)| {
                *t += number * 4_000;
                *value -= number as f64 * 20_000.0;
            });
            samples.retain(|(t, _)| kept(t));
        }
        block
    };
    let own_start = |t: i64| if t % 15_000 == 0 { t - 1 } else { t - 2 };
    let mut one = Fixture::new();
    let mut buckets = Vec::new();
    for number in 0..2 {
        add(&mut one, replica(number)).await;
        let mut alone = Fixture::new();
        add(&mut alone, replica(number)).await;
        buckets.push(alone);
    }
    let children = buckets.iter().enumerate().map(|(at, fixture)| {
        let source = Arc::new(fixture.source.clone()) as _;
        Child { name: format!("bucket {at}"), source, deduplicates: false, remote: false }
    });
    let children: Vec<Child> = children.collect();
    let fanout = FanoutSource::new(Arc::new(children), std::time::Duration::from_secs(60));
    for func in [DedupFunc::Coverage, DedupFunc::Penalty, DedupFunc::Chain] {
        for counter in [false, true] {
            let asked = select(TimeRange::ALL);
            let aggregates =
                if counter { crate::model::Aggregates::COUNTER } else { asked.aggregates };
            let asked = Select { aggregates, ..asked };
            let options = options(Some(func));
            let in_one = starts(&one.resolve(&asked, &options).await).await;
            let behind = starts(&fanout.resolve(&asked, &options).await.unwrap()).await;
            for (place, read) in [("one bucket", in_one), ("two buckets", behind)] {
                assert_eq!(read.len(), 2);
                for (labels, samples) in read {
                    // Those of histograms lie at the same times in both replicas.
                    let at_once = |t: i64| labels.get("job") == "mixed" && t / 900_000 % 2 == 0;
                    let right = samples
                        .iter()
                        .all(|&(t, start)| start == own_start(t) || at_once(t) && start == t - 2);
                    assert!(right, "{place}, {func:?}, {counter}: {labels}");
                    let of_second = samples.iter().filter(|(t, start)| t - start == 2).count();
                    let of_first = samples.iter().filter(|(t, start)| t - start == 1).count();
                    assert!(of_first > 100 && of_second > 0, "{place}, {func:?}: {labels}");
                }
            }
        }
    }
}
