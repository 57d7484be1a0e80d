//! Native histograms beside floats: what was written comes back, and replicas are chosen as those of
//! floats are.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::execution::TaskContext;

use super::fixture::{Fixture, Natives, Samples, TestBlock, labels, metric, options, run};
use super::{HOUR, block, every};
use crate::block::histogram::HistogramColumns;
use crate::model::{
    CounterResetHint, CountsView, Histogram, HistogramCounts, Labels, STALE_NAN_BITS, Span,
    TimeRange, is_stale,
};
use crate::source::{
    Child, Columns, DedupFunc, FanoutSource, Resolved, Select, SelectOptions, SeriesSource as _,
    histogram_run_schema, histograms_of, run_schema,
};

/// A sample: the bits of a float, or a histogram's kind, count and the bits of its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Either {
    Float(u64),
    Whole(u64, u64),
    Floats(u64, u64),
}

/// A histogram that tells where it comes from: by its count, and by float counts if it is odd.
pub(crate) fn native(count: u64) -> Histogram {
    let spans = vec![Span { offset: (count % 5) as i32, length: 2 }, Span { offset: 3, length: 1 }];
    let (some, rest) = (count / 3, count - count / 3);
    let counts = match count % 2 {
        0 => HistogramCounts::Int {
            count,
            zero_count: 0,
            positive: vec![some as i64, rest as i64, 0],
            negative: vec![],
        },
        _ => HistogramCounts::Float {
            count: count as f64,
            zero_count: 0.0,
            positive: vec![some as f64, rest as f64, 0.0],
            negative: vec![],
        },
    };
    Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 3,
        zero_threshold: 0.001,
        sum: count as f64 / 7.0,
        positive_spans: spans,
        negative_spans: vec![],
        custom_values: vec![],
        counts,
    }
}

fn ended(count: u64) -> Histogram {
    Histogram { sum: f64::from_bits(STALE_NAN_BITS), ..native(count) }
}

pub(in crate::source) fn of_native(histogram: &Histogram) -> Either {
    match histogram.counts {
        HistogramCounts::Int { count, .. } => Either::Whole(count, histogram.sum.to_bits()),
        HistogramCounts::Float { count, .. } => {
            Either::Floats(count as u64, histogram.sum.to_bits())
        }
    }
}

/// Reads a plan with histograms; checks what its batches promise.
pub(in crate::source) async fn either(resolved: &Resolved) -> Vec<(Labels, Vec<(i64, Either)>)> {
    let mut all: Vec<(u32, Vec<(i64, Either)>)> = Vec::new();
    for partition in 0..resolved.runs.properties().partitioning.partition_count() {
        let stream = resolved.runs.execute(partition, Arc::new(TaskContext::default())).unwrap();
        for batch in datafusion::physical_plan::common::collect(stream).await.unwrap() {
            assert_eq!(batch.schema(), histogram_run_schema());
            let series = batch.column(0).as_primitive::<UInt32Type>();
            let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
            let (lists, structs) = histograms_of(&batch).unwrap().unwrap();
            let columns = HistogramColumns::of(structs).unwrap();
            for row in 0..batch.num_rows() {
                assert_ne!(values.is_valid(row), lists.is_valid(row), "a row is one or the other");
                let ts = ts.value(row).as_primitive::<Int64Type>().values().to_vec();
                let samples: Vec<Either> = if values.is_valid(row) {
                    let values = values.value(row);
                    let values = values.as_primitive::<Float64Type>().values().iter();
                    values.map(|value| Either::Float(value.to_bits())).collect()
                } else {
                    let ends = lists.value_offsets();
                    let views =
                        (ends[row]..ends[row + 1]).map(|at| columns.view(at as usize).unwrap());
                    let of = |view: crate::model::HistogramView<'_>| match view.counts {
                        CountsView::Int { count, .. } => Either::Whole(count, view.sum.to_bits()),
                        CountsView::Float { count, .. } => {
                            Either::Floats(count as u64, view.sum.to_bits())
                        }
                    };
                    views.map(of).collect()
                };
                assert_eq!(ts.len(), samples.len());
                let samples = ts.into_iter().zip(samples);
                match all.last_mut() {
                    Some((last, known)) if *last == series.value(row) => known.extend(samples),
                    _ => all.push((series.value(row), samples.collect())),
                }
            }
        }
    }
    assert!(all.is_sorted_by(|a, b| a.0 < b.0), "series ascend");
    for (_, samples) in &all {
        assert!(samples.is_sorted_by(|a, b| a.0 < b.0), "timestamps ascend");
    }
    all.into_iter().map(|(at, samples)| (resolved.roster.labels(at as usize), samples)).collect()
}

fn joined(floats: &Samples, natives: &Natives, range: TimeRange) -> Vec<(i64, Either)> {
    let floats = floats.iter().map(|&(t, value)| (t, Either::Float(value.to_bits())));
    let natives = natives.iter().map(|(t, histogram)| (*t, of_native(histogram)));
    let mut all: Vec<_> = floats.chain(natives).filter(|(t, _)| range.contains(*t)).collect();
    all.sort_by_key(|&(t, _)| t);
    all
}

fn select(range: TimeRange) -> Select {
    Select { columns: Columns::Samples, ..metric("m", range) }
}

fn own(job: &str) -> Labels {
    labels(&[("__name__", "m"), ("job", job)])
}

pub(super) fn natives(every: i64, range: Range<i64>, from: u64) -> Natives {
    range.step_by(every as usize).zip(from..).map(|(t, count)| (t, native(count))).collect()
}

/// Blocks of two hours and one of a day: floats alone, histograms alone, both alternating, each kind
/// over pages and waves of reading.
#[tokio::test]
async fn floats_and_histograms_come_back_in_order() {
    let mut fixture = Fixture::new();
    let mut written: Vec<(Labels, Samples, Natives)> =
        ["floats", "mixed", "natives"].map(|job| (own(job), vec![], vec![])).into();
    for (number, hours) in [(0, 0..2), (1, 2..4), (2, 4..28)] {
        let range = hours.start * HOUR..hours.end * HOUR;
        let floats = every(60_000, range.clone(), |t| t as f64);
        let first = number * 100_000;
        let mut mixed = natives(15_000, range.start + 7..range.end, first);
        // Every hundredth is a stale marker, and each quarter of an hour the kind changes.
        for (at, (_, histogram)) in mixed.iter_mut().enumerate().skip(50).step_by(100) {
            *histogram = ended(at as u64);
        }
        mixed.retain(|(t, _)| t / 900_000 % 2 == 0);
        let half: Samples = floats.iter().copied().filter(|(t, _)| t / 900_000 % 2 == 1).collect();
        let many = natives(5_000, range.clone(), first + 50_000);
        let series = vec![(own("floats"), floats.clone()), (own("mixed"), half.clone())];
        let histograms = vec![(own("mixed"), mixed.clone()), (own("natives"), many.clone())];
        fixture.add_with(block(range, series), histograms).await;
        written[0].1.extend(floats);
        written[1].1.extend(half);
        written[1].2.extend(mixed);
        written[2].2.extend(many);
    }
    for range in [TimeRange::ALL, TimeRange::new(HOUR + 3, 5 * HOUR), TimeRange::new(9, 9_000)] {
        let resolved = fixture.resolve(&select(range), &options(None)).await;
        let expected: Vec<_> = written
            .iter()
            .map(|(labels, floats, natives)| (labels.clone(), joined(floats, natives, range)))
            .filter(|(_, samples)| !samples.is_empty())
            .collect();
        let got = either(&resolved).await;
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got.0, expected.0);
            assert!(got.1 == expected.1, "{}: {} samples, {range:?}", got.0, got.1.len());
        }
    }
    // Who asks for floats gets floats, in three columns.
    let select = Select { columns: Columns::Values, ..select(TimeRange::ALL) };
    let resolved = fixture.resolve(&select, &options(None)).await;
    assert_eq!(resolved.runs.schema(), run_schema());
    let floats = run(&resolved).await.unwrap();
    assert_eq!(floats.len(), 2);
    assert!(floats[1].1.len() == written[1].1.len());
}

/// A roster without histograms has batches of three columns.
#[tokio::test]
async fn floats_alone_have_no_further_column() {
    let floats = every(60_000, 0..HOUR, |t| t as f64);
    let fixture = Fixture::of(vec![block(0..2 * HOUR, vec![(own("a"), floats)])]).await;
    let resolved = fixture.resolve(&select(TimeRange::ALL), &options(None)).await;
    assert_eq!(resolved.runs.schema(), run_schema());
}

fn replica(name: &str, level: u32, range: Range<i64>) -> TestBlock {
    let external = labels(&[("replica", name)]);
    TestBlock { external, level, ..block(range, vec![]) }
}

/// Three replicas with holes and stale markers, as floats and as histograms of the same times: the
/// same samples of the same replicas are taken, whatever the rule.
#[tokio::test]
async fn replicas_of_histograms_are_chosen_as_those_of_floats() {
    let (mut fixture, mut twin) = (Fixture::new(), Fixture::new());
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        let ts: Vec<i64> = (0..2 * HOUR)
            .step_by(15_000)
            .map(|t| t + number as i64 * 4_000)
            .filter(|t| (t / 60_000 * 7 + number as i64 * 13) % 41 > 5)
            .collect();
        let stale = |at: usize| (at + number * 17) % 60 == 11;
        // Even counts are whole ones.
        let count = |at: usize| (at * 10 + number * 2) as u64;
        let as_float =
            |at: usize| if stale(at) { f64::from_bits(STALE_NAN_BITS) } else { count(at) as f64 };
        let as_native = |at: usize| if stale(at) { ended(count(at)) } else { native(count(at)) };
        let floats = ts.iter().enumerate().map(|(at, &t)| (t, as_float(at))).collect();
        let natives = ts.iter().enumerate().map(|(at, &t)| (t, as_native(at))).collect();
        let of_floats =
            TestBlock { series: vec![(own("j"), floats)], ..replica(name, 1, 0..3 * HOUR) };
        twin.add(of_floats).await;
        fixture.add_with(replica(name, 1, 0..3 * HOUR), vec![(own("j"), natives)]).await;
    }
    for func in [DedupFunc::Coverage, DedupFunc::Penalty, DedupFunc::Chain] {
        let options = options(Some(func));
        let chosen = twin.read(&select(TimeRange::ALL), &options).await;
        let got = either(&fixture.resolve(&select(TimeRange::ALL), &options).await).await;
        let expected: Vec<(i64, Option<u64>)> = chosen[0]
            .1
            .iter()
            .map(|&(t, value)| (t, (!is_stale(value)).then_some(value as u64)))
            .collect();
        let of = |&(t, sample): &(i64, Either)| match sample {
            Either::Whole(_, sum) if sum == STALE_NAN_BITS => (t, None),
            Either::Whole(count, _) => (t, Some(count)),
            other => panic!("{other:?}"),
        };
        let got: Vec<_> = got[0].1.iter().map(of).collect();
        assert!(expected.len() > 300 && expected.len() < 1_500, "{}", expected.len());
        assert!(got == expected, "{func:?}: {} of {}", got.len(), expected.len());
    }
}

/// A series changes from floats to histograms and back, in each of two replicas; a block lies over
/// another of the same replica.
#[tokio::test]
async fn series_of_both_kinds_are_deduplicated_and_merged() {
    let mut fixture = Fixture::new();
    let floats = |from: i64, to: i64| every(15_000, from..to, |t| t as f64);
    let both = |shift: i64| {
        let mut all = floats(shift, HOUR / 4);
        all.extend(floats(HOUR / 2 + shift, HOUR));
        (all, natives(15_000, HOUR / 4 + shift..HOUR / 2, 2 + shift as u64))
    };
    for (name, shift) in [("a", 0), ("b", 4_000)] {
        let (floats, natives) = both(shift);
        let series = vec![(own("j"), floats)];
        let block = TestBlock { series, ..replica(name, 1, 0..2 * HOUR) };
        fixture.add_with(block, vec![(own("j"), natives)]).await;
    }
    let (floats, own_natives) = both(0);
    let expected = joined(&floats, &own_natives, TimeRange::ALL);
    for func in [DedupFunc::Coverage, DedupFunc::Penalty] {
        let options = options(Some(func));
        let got = either(&fixture.resolve(&select(TimeRange::ALL), &options).await).await;
        assert!(got[0].1 == expected, "{func:?}: the first replica has no hole");
    }
    // Of equal times the higher level is taken, whatever it has there.
    let over = natives(15_000, HOUR / 8..HOUR / 3, 90_000);
    fixture.add_with(replica("a", 2, 0..2 * HOUR), vec![(own("j"), over.clone())]).await;
    let mut expected: std::collections::BTreeMap<i64, Either> = expected.into_iter().collect();
    expected.extend(joined(&vec![], &over, TimeRange::ALL));
    let coverage: SelectOptions = options(Some(DedupFunc::Coverage));
    let got = either(&fixture.resolve(&select(TimeRange::ALL), &coverage).await).await;
    assert!(got[0].1 == expected.into_iter().collect::<Vec<_>>());
}

/// Replicas in two buckets, one of which has a copy of some of the other's hours: the answer is that
/// of one bucket with both.
#[tokio::test]
async fn sources_apart_answer_as_one_bucket() {
    let (mut whole, mut first, mut second) = (Fixture::new(), Fixture::new(), Fixture::new());
    let of = |from: i64, to: i64, shift: i64| {
        let inside = |t: i64| (from..to).contains(&t);
        let floats: Samples = every(15_000, shift..HOUR, |t| t as f64);
        let mut natives = natives(15_000, HOUR + shift..2 * HOUR, shift as u64);
        // The second replica fills a hole of the first.
        natives.retain(|(t, _)| shift > 0 || !(HOUR * 5 / 4..HOUR * 3 / 2).contains(t));
        let floats: Samples = floats.into_iter().filter(|&(t, _)| inside(t)).collect();
        natives.retain(|(t, _)| inside(*t));
        (vec![(own("j"), floats)], vec![(own("j"), natives)])
    };
    let all = 0..2 * HOUR;
    for (name, shift) in [("a", 0), ("b", 4_000)] {
        let (series, natives) = of(0, 2 * HOUR, shift);
        let block = TestBlock { series, ..replica(name, 1, all.clone()) };
        whole.add_with(block, natives).await;
        let (series, natives) = of(0, 2 * HOUR, shift);
        let block = TestBlock { series, ..replica(name, 1, all.clone()) };
        let fixture = if name == "a" { &mut first } else { &mut second };
        fixture.add_with(block, natives).await;
    }
    let (series, natives) = of(HOUR / 2, HOUR + HOUR / 8, 0);
    second.add_with(TestBlock { series, ..replica("a", 1, all) }, natives).await;
    let child = |name: &str, fixture: &Fixture| Child {
        name: name.to_owned(),
        source: Arc::new(fixture.source.clone()),
        deduplicates: false,
        remote: false,
    };
    let children = vec![child("first", &first), child("second", &second)];
    let fanout = FanoutSource::new(Arc::new(children), Duration::from_secs(10));
    for func in [None, Some(DedupFunc::Coverage), Some(DedupFunc::Chain)] {
        let options = options(func);
        let expected = either(&whole.resolve(&select(TimeRange::ALL), &options).await).await;
        let resolved = fanout.resolve(&select(TimeRange::ALL), &options).await.unwrap();
        let got = either(&resolved).await;
        assert_eq!(expected.len(), if func.is_none() { 2 } else { 1 });
        assert!(got == expected, "{func:?}");
    }
}
