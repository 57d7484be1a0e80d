//! All samples, to the bit: of Prometheus' blocks by its own reader, and of the bucket over StoreAPI.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use engine::chunk::{Encoding, Floats};
use engine::model::Labels;
use proto::thanos::series_response::Result as Frame;
use proto::thanos::store_client::StoreClient;
use proto::thanos::{LabelMatcher, SeriesRequest};

use crate::ingest::dump::by_prometheus;

/// The bits of values by time, by labels.
pub(super) type Samples = BTreeMap<Labels, BTreeMap<i64, u64>>;

/// What Prometheus' reader finds in a block, under external labels.
pub(super) fn add_block(all: &mut Samples, block: &Path, external: &Labels) {
    let mut series = None;
    for line in by_prometheus(block).lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields.as_slice() {
            ["series", pairs @ ..] => {
                let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
                let labels = Labels::new(pairs.map(|(n, v)| (text(n), text(v)))).expect("labels");
                series = Some(all.entry(labels.overlay(external)).or_default());
            }
            ["f", _, ts, bits] => {
                let ts: i64 = ts.parse().expect("a time");
                let bits = u64::from_str_radix(bits, 16).expect("bits");
                let before = series.as_mut().expect("a series").insert(ts, bits);
                assert!(before.is_none(), "Prometheus has {ts} in two blocks");
            }
            // The target has no native histograms.
            _ => panic!("not a float sample: {line}"),
        }
    }
}

fn text(hex: &str) -> String {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    String::from_utf8((0..hex.len()).step_by(2).map(byte).collect()).expect("UTF-8")
}

/// Fails with the first series that differs, and how many of its samples do.
pub(super) fn assert_same(got: &Samples, wanted: &Samples) {
    for (labels, wanted) in wanted {
        let got = got.get(labels).unwrap_or_else(|| panic!("{labels} is missing"));
        let missing: Vec<_> = wanted.iter().filter(|(ts, _)| !got.contains_key(ts)).collect();
        let others: Vec<_> = got.iter().filter(|(ts, bits)| wanted.get(ts) != Some(bits)).collect();
        assert!(
            missing.is_empty() && others.is_empty(),
            "{labels}, {} samples: {} are missing: {missing:?}, {} are others: {others:?}",
            wanted.len(),
            missing.len(),
            others.len()
        );
    }
    assert_eq!(got.len(), wanted.len(), "series");
}

/// What a store gives for a replica before the time `end`; a sample comes once. Its chunks are whole,
/// and may reach beyond what was asked for.
pub(super) async fn of_store(grpc: SocketAddr, replica: &str, end: i64) -> Samples {
    let client = StoreClient::connect(format!("http://{grpc}")).await.expect("gRPC");
    let matcher = LabelMatcher { r#type: 0, name: "replica".into(), value: replica.to_owned() };
    let request = SeriesRequest {
        min_time: i64::MIN,
        max_time: end - 1,
        matchers: vec![matcher],
        ..SeriesRequest::default()
    };
    let answer = client.max_decoding_message_size(usize::MAX).series(request).await;
    let mut frames = answer.expect("an answer").into_inner();
    let mut all = Samples::new();
    while let Some(frame) = frames.message().await.expect("a frame") {
        let series = match frame.result {
            Some(Frame::Series(series)) => vec![series],
            Some(Frame::Batch(batch)) => batch.series,
            other => panic!("no series: {other:?}"),
        };
        for series in series {
            let labels = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()));
            let labels = Labels::new(labels).expect("labels");
            let samples = all.entry(labels.clone()).or_default();
            for chunk in series.chunks {
                let raw = chunk.raw.expect("raw data");
                let mut floats = Floats::default();
                floats.decode(Encoding::Xor, &raw.data).expect("a chunk of Prometheus");
                let within = floats.ts().iter().zip(floats.values()).filter(|(ts, _)| **ts < end);
                for (&ts, value) in within {
                    let before = samples.insert(ts, value.to_bits());
                    assert!(before.is_none(), "{labels} {ts} comes twice");
                }
            }
        }
    }
    all
}
