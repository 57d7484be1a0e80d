//! Remote read gives what Prometheus itself answers: series, labels, and each sample's bits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::execution::TaskContext;
use engine::model::{Aggregates, Labels, MatchOp, Matcher, TimeRange};
use engine::source::{Columns, ReadLimits, Resolved, Select, SelectOptions, SeriesSource};
use ingest::sidecar::{HttpConfig, Peer, Prometheus as Client, RemoteRead};
use serde_json::Value;

use crate::support::{DATA_START, data_set_edges, prometheus::Prometheus};

const STALE: u64 = 0x7ff0_0000_0000_0002;

type Samples = Vec<(i64, u64)>;

fn config(encoding: &str) -> String {
    format!(
        "global:\n  external_labels: {{cluster: eu, replica: a}}\n\
         storage:\n  tsdb:\n    chunk_encoding: {{floats: {encoding}}}\n"
    )
}

/// What a sidecar knows of a Prometheus after its first look.
async fn remote_read(prometheus: &Prometheus) -> RemoteRead {
    let client = Client::new(&prometheus.url(), HttpConfig::default()).expect("a client");
    let peer = Peer::default();
    peer.refresh(&client, i64::MIN).await.expect("Prometheus answers");
    assert_eq!(peer.labels().to_string(), r#"{cluster="eu", replica="a"}"#);
    RemoteRead::new(client, Arc::new(peer))
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).expect("a matcher")
}

fn options() -> SelectOptions {
    SelectOptions { dedup: false, ..SelectOptions::default() }
}

/// Runs the plan; series must come in the order of the roster, which must be that of the labels.
async fn samples(resolved: &Resolved) -> BTreeMap<Labels, Samples> {
    let roster: Vec<Labels> =
        (0..resolved.roster.len()).map(|at| resolved.roster.labels(at)).collect();
    assert!(roster.is_sorted_by(|a, b| a < b), "the roster is in order");
    let mut found: BTreeMap<Labels, Samples> = BTreeMap::new();
    for partition in 0..resolved.runs.properties().partitioning.partition_count() {
        let stream = resolved.runs.execute(partition, Arc::new(TaskContext::default()));
        let batches = datafusion::physical_plan::common::collect(stream.expect("a stream"));
        for batch in batches.await.expect("the chunks decode") {
            let series = batch.column(0).as_primitive::<UInt32Type>();
            let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
            for row in 0..batch.num_rows() {
                let (ts, values) = (ts.value(row), values.value(row));
                let ts = ts.as_primitive::<Int64Type>().values();
                let values = values.as_primitive::<Float64Type>().values();
                let labels = roster[series.value(row) as usize].clone();
                let pairs = ts.iter().zip(values).map(|(&ts, value)| (ts, value.to_bits()));
                found.entry(labels).or_default().extend(pairs);
            }
        }
    }
    found
}

/// What Prometheus' own query API says, under the external labels. It leaves stale markers out.
async fn asked(
    prometheus: &Prometheus,
    selector: &str,
    range: TimeRange,
) -> BTreeMap<Labels, Samples> {
    let window = range.max - range.min + 1;
    let query = format!("{selector}[{window}ms]");
    let time = format!("{:.3}", range.max as f64 / 1000.0);
    let data = prometheus.api("/api/v1/query", &[("query", &query), ("time", &time)]).await;
    let external = Labels::new([("cluster", "eu"), ("replica", "a")]).expect("labels");
    let series = data["result"].as_array().expect("a matrix").iter().map(|series| {
        let samples = series["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sample = |pair: &Value| {
            let ts = (pair[0].as_f64().expect("a time") * 1000.0).round() as i64;
            let value: f64 = pair[1].as_str().expect("a text").parse().expect("a number");
            (ts, value.to_bits())
        };
        let samples: Samples = samples.iter().map(sample).collect();
        (labels_of(&series["metric"]).overlay(&external), samples)
    });
    series.filter(|(_, samples)| !samples.is_empty()).collect()
}

fn labels_of(metric: &Value) -> Labels {
    let pairs = metric.as_object().expect("labels").iter();
    let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_str().expect("a text")));
    Labels::new(pairs).expect("labels")
}

async fn read(
    source: &RemoteRead,
    matchers: &[Matcher],
    range: TimeRange,
) -> BTreeMap<Labels, Samples> {
    let select = Select {
        matchers: matchers.to_vec(),
        range,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    };
    let resolved = source.resolve(&select, &options()).await.expect("Prometheus answers");
    samples(&resolved).await
}

/// Prometheus prints any NaN as NaN, and no stale marker.
fn as_printed(series: BTreeMap<Labels, Samples>) -> BTreeMap<Labels, Samples> {
    let printed = |bits: u64| if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits };
    series
        .into_iter()
        .map(|(labels, samples)| {
            let kept = samples.into_iter().filter(|&(_, bits)| bits != STALE);
            (labels, kept.map(|(ts, bits)| (ts, printed(bits))).collect::<Samples>())
        })
        .filter(|(_, samples)| !samples.is_empty())
        .collect()
}

/// Samples in the head of both encodings, with every odd value there is.
async fn head(encoding: &str) {
    let prometheus = Prometheus::start(&config(encoding), &[], &[]).await;
    // No -0: the message of remote write leaves it out as a zero.
    let odd = [
        1.5,
        0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::from_bits(0x7ff8_0000_0000_0001),
        f64::from_bits(STALE),
        f64::MIN_POSITIVE / 2.0,
        1e300,
    ];
    let start = super::ago(1_000 * 15_000 + 60_000);
    let mut written: BTreeMap<Labels, Samples> = BTreeMap::new();
    let external = Labels::new([("cluster", "eu"), ("replica", "a")]).expect("labels");
    let values = |instance: &str| -> Vec<(i64, f64)> {
        let value = |at: i64| odd[(at as usize / 3 + instance.len()) % odd.len()];
        (0..1_000).map(|at| (start + at * 15_000 + (at * 7_919) % 900, value(at))).collect()
    };
    // `zone` sorts after the external labels, `cluster` is overlaid by one of them.
    let labels = ["ccc", "a", "bb"].map(|instance| {
        [("__name__", "odd"), ("cluster", "own"), ("instance", instance), ("zone", "x")]
    });
    let series: Vec<(&[(&str, &str)], Vec<(i64, f64)>)> =
        labels.iter().map(|labels| (labels.as_slice(), values(labels[2].1))).collect();
    prometheus.write(&series).await;
    for (labels, samples) in &series {
        let labels = Labels::new(labels.iter().copied()).expect("labels").overlay(&external);
        let bits = samples.iter().map(|&(ts, value)| (ts, value.to_bits())).collect();
        written.insert(labels, bits);
    }
    let source = remote_read(&prometheus).await;
    let range = TimeRange::new(start, start + 1_000 * 15_000);
    let name = matcher("__name__", MatchOp::Equal, "odd");
    let got = read(&source, std::slice::from_ref(&name), range).await;
    assert_eq!(got, written, "{encoding}: bit for bit");
    assert_eq!(as_printed(got), asked(&prometheus, "odd", range).await, "{encoding}");
    // A part of the time, and matchers on external labels.
    let part = TimeRange::new(start + 3_000_000, start + 4_000_000);
    let matchers = [name.clone(), matcher("replica", MatchOp::Regex, "a|b")];
    let got = read(&source, &matchers, part).await;
    assert_eq!(as_printed(got), asked(&prometheus, "odd", part).await, "{encoding}: a part");
    let other = [name, matcher("replica", MatchOp::NotEqual, "a")];
    assert!(read(&source, &other, range).await.is_empty());
}

#[tokio::test]
async fn a_head_of_xor_chunks_reads_as_prometheus_answers() {
    head("xor").await;
}

#[tokio::test]
async fn a_head_of_xor2_chunks_reads_as_prometheus_answers() {
    head("xor2").await;
}

/// Blocks and their edges, hundreds of series; and the listings.
#[tokio::test]
async fn blocks_read_as_prometheus_answers() {
    let blocks: Vec<PathBuf> = std::fs::read_dir(data_set_edges())
        .expect("the data set")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("meta.json").is_file())
        .collect();
    let prometheus = Prometheus::start(&config("xor"), &blocks, &[]).await;
    let source = remote_read(&prometheus).await;
    let all = matcher("__name__", MatchOp::Regex, ".+");
    let range = TimeRange::new(DATA_START, DATA_START + 6 * 3_600_000);
    let got = read(&source, std::slice::from_ref(&all), range).await;
    let wanted = asked(&prometheus, r#"{__name__=~".+"}"#, range).await;
    assert!(wanted.len() > 300, "{} series", wanted.len());
    assert_eq!(as_printed(got.clone()), wanted);

    let extent = source.extents().remove(0);
    assert_eq!(extent.range.min, DATA_START, "the earliest sample is that of the blocks");
    let time = [("start", "0"), ("end", "9999999999")];
    let listed = |data: Value| -> Vec<String> {
        let texts = data.as_array().expect("a list").iter();
        texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
    };
    let series = source.series(std::slice::from_ref(&all), range, &options(), 0).await;
    let series = series.expect("Prometheus answers").items;
    assert_eq!(series, got.keys().cloned().collect::<Vec<_>>());
    let few = source.series(std::slice::from_ref(&all), range, &options(), 5).await;
    let few = few.expect("Prometheus answers");
    assert_eq!((few.items.len(), few.truncated), (5, true));

    let mut names = listed(prometheus.api("/api/v1/labels", &time).await);
    names.extend(["cluster".to_owned(), "replica".to_owned()]);
    names.sort();
    names.dedup();
    let found = source.label_names(&[], range, &options(), 0).await.expect("an answer").items;
    assert_eq!(found, names);
    let values = listed(prometheus.api("/api/v1/label/__name__/values", &time).await);
    let found = source.label_values("__name__", &[], range, &options(), 0).await;
    assert_eq!(found.expect("an answer").items, values);
    let found = source.label_values("replica", &[all], range, &options(), 0).await;
    assert_eq!(found.expect("an answer").items, ["a"]);
    let nothing = [matcher("__name__", MatchOp::Equal, "no_such_metric")];
    let found = source.label_values("replica", &nothing, range, &options(), 0).await;
    assert!(found.expect("an answer").items.is_empty());
}

/// What Prometheus refuses, the source refuses; what is too much ends with an error.
#[tokio::test]
async fn refusals_and_limits_are_errors() {
    let prometheus = Prometheus::start(&config("xor"), &[], &[]).await;
    let now = super::ago(60_000);
    for series in ["a", "b"] {
        let samples = (0..10).map(|at| (now + at * 1_000, 1.0)).collect();
        prometheus.write(&[(&[("__name__", "m"), ("s", series)], samples)]).await;
    }
    let source = remote_read(&prometheus).await;
    let select = |matchers: Vec<Matcher>| Select {
        matchers,
        range: TimeRange::ALL,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    };
    let metric = || vec![matcher("__name__", MatchOp::Equal, "m")];
    let limited = SelectOptions { series_limit: 1, ..options() };
    let error = source.resolve(&select(metric()), &limited).await.expect_err("too many series");
    assert_eq!(error.kind(), engine::ErrorKind::ResourcesExhausted);
    let limited = SelectOptions { limits: ReadLimits::new(19, u64::MAX), ..options() };
    let error = source.resolve(&select(metric()), &limited).await.expect_err("too many samples");
    assert_eq!(error.to_string(), "more than 19 samples are selected");
    assert_eq!(read(&source, &metric(), TimeRange::ALL).await.len(), 2);
}
