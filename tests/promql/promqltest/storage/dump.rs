//! Series as text, and histograms of such text (`tests/peers/prometheus/dump.go` describes it).

use std::collections::BTreeMap;

use engine::block::order;
use engine::model::{CounterResetHint, Labels, Span};

use super::stored;
use crate::ingest::dump::Dump;
use crate::promql::promqltest::histogram::{Native, by_index};
use crate::promql::promqltest::script::Sample;

/// All series that have samples, in order of their labels.
pub(in crate::promql) fn dumped(series: &BTreeMap<Labels, Vec<Sample>>) -> String {
    let mut dump = Dump::default();
    add(&mut dump, series);
    dump.finish()
}

/// All series that have samples, in the order of blocks.
pub(in crate::promql) fn dumped_as_blocks(series: &BTreeMap<Labels, Vec<Sample>>) -> String {
    let mut all: Vec<_> = series.iter().collect();
    all.sort_by(|(a, _), (b, _)| order::compare(a, b));
    let one = |(labels, samples): (&Labels, &Vec<Sample>)| {
        let mut dump = Dump::default();
        add(&mut dump, &[(labels.clone(), samples.clone())].into());
        dump.finish()
    };
    all.into_iter().map(one).collect()
}

fn add(dump: &mut Dump, series: &BTreeMap<Labels, Vec<Sample>>) {
    for (labels, samples) in stored(series, false) {
        if samples.floats.is_empty() && samples.natives.is_empty() {
            continue;
        }
        dump.series(labels.clone());
        for float in samples.floats {
            let value = f64::from_bits(float.bits);
            dump.floats(&labels, &[float.ts], &[value], Some(&[float.start_ts]));
        }
        for native in samples.natives {
            let (ts, start) = (native.ts, native.start_ts);
            dump.histograms(&labels, &[ts], &[native.histogram], Some(&[start]));
        }
    }
}

/// The time in ms and the histogram of a line with float counts.
pub(in crate::promql) fn native_of_dump(line: &str) -> (i64, Native) {
    let fields: Vec<&str> = line.split(' ').collect();
    let &[
        "h",
        _,
        ts,
        hint,
        schema,
        zero_threshold,
        sum,
        count,
        zero_count,
        spans,
        negative_spans,
        custom,
        buckets,
        negatives,
    ] = fields.as_slice()
    else {
        panic!("no histogram with float counts: {line:?}");
    };
    let native = Native {
        schema: schema.parse().expect("a schema"),
        zero_threshold: float(zero_threshold),
        zero_count: float(zero_count),
        count: float(count),
        sum: float(sum),
        positive: buckets_of_dump(spans, buckets),
        negative: buckets_of_dump(negative_spans, negatives),
        custom_values: list(custom).map(float).collect(),
        hint: match hint {
            "0" => CounterResetHint::Unknown,
            "1" => CounterResetHint::CounterReset,
            "2" => CounterResetHint::NotCounterReset,
            _ => CounterResetHint::Gauge,
        },
        hint_written: false,
    };
    (ts.parse().expect("a time"), native)
}

/// Counts by index, of the texts of spans and counts.
pub(in crate::promql) fn buckets_of_dump(spans: &str, buckets: &str) -> BTreeMap<i32, f64> {
    let spans: Vec<Span> = list(spans)
        .map(|span| {
            let (offset, length) = span.split_once(':').expect("a span");
            let length = length.parse().expect("a length");
            Span { offset: offset.parse().expect("an offset"), length }
        })
        .collect();
    let counts: Vec<f64> = list(buckets).map(float).collect();
    by_index(&spans, &counts)
}

fn float(digits: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(digits, 16).expect("hexadecimal digits"))
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(move |_| text != "-")
}
