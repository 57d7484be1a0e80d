//! Labels and matchers: the acceptance cases of Thanos (`pkg/store/acceptance_test.go`) and, in them,
//! the matching table of Prometheus (`tsdb/querier_test.go`).

use proto::thanos::{LabelNamesRequest, LabelValuesRequest, SeriesRequest};

use super::endpoint::{Blocks, Endpoint, KINDS, all_time, label_set, labels_of, matchers};
use crate::support::DATA_START;

const T: i64 = DATA_START + 1_000;

/// Two replicas of series with one sample each, external label `region`.
async fn replicas(series: &[&str]) -> Blocks {
    let blocks = Blocks::new();
    let series: Vec<_> = series.iter().map(|text| (label_set(text), vec![(T, 1.0)])).collect();
    for replica in ["r1", "r2"] {
        blocks.add(&[("region", "eu-west"), ("replica", replica)], &series).await;
    }
    blocks
}

async fn names(endpoint: &Endpoint, range: (i64, i64), given: &[&str]) -> Vec<String> {
    let request = LabelNamesRequest {
        start: range.0,
        end: range.1,
        matchers: matchers(given),
        without_replica_labels: vec!["replica".to_owned()],
        ..LabelNamesRequest::default()
    };
    let answer = endpoint.store().await.label_names(request).await.expect("names").into_inner();
    assert!(answer.warnings.is_empty());
    answer.names
}

async fn values(
    endpoint: &Endpoint,
    label: &str,
    range: (i64, i64),
    given: &[&str],
) -> Vec<String> {
    let request = LabelValuesRequest {
        label: label.to_owned(),
        start: range.0,
        end: range.1,
        matchers: matchers(given),
        without_replica_labels: vec!["replica".to_owned()],
        ..LabelValuesRequest::default()
    };
    let answer = endpoint.store().await.label_values(request).await.expect("values").into_inner();
    assert!(answer.warnings.is_empty());
    answer.values
}

const ALL: (i64, i64) = (i64::MIN, i64::MAX);
const BEFORE: (i64, i64) = (i64::MIN, T - 4 * 3_600_000);

#[tokio::test]
async fn label_names_and_values_obey_matchers_and_times() {
    let blocks = replicas(&["foo=foovalue1", "foo=foovalue2", "bar=barvalue1,foo=foovalue1"]).await;
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        for (range, given, expected) in [
            (ALL, &[][..], &["bar", "foo", "region"][..]),
            (BEFORE, &[], &[]),
            (ALL, &["bar=barvalue1"], &["bar", "foo", "region"]),
            (ALL, &["foo=foovalue2"], &["foo", "region"]),
            (ALL, &["bar=different"], &[]),
            (ALL, &["region=eu-west"], &["bar", "foo", "region"]),
            (ALL, &["region=different"], &[]),
            (ALL, &["region=~.*"], &["bar", "foo", "region"]),
        ] {
            assert_eq!(names(&at, range, given).await, expected, "{kind:?} {given:?}");
        }
        for (label, range, given, expected) in [
            ("foo", ALL, &[][..], &["foovalue1", "foovalue2"][..]),
            ("bar", ALL, &[], &["barvalue1"]),
            ("region", ALL, &[], &["eu-west"]),
            ("replica", ALL, &[], &[]),
            ("none", ALL, &[], &[]),
            ("foo", BEFORE, &[], &[]),
            ("foo", ALL, &["bar=barvalue1"], &["foovalue1"]),
            ("foo", ALL, &["bar=different"], &[]),
            ("region", ALL, &["foo=nonexistent"], &[]),
            ("region", ALL, &["region=eu-east"], &[]),
            ("region", ALL, &["foo=foovalue2"], &["eu-west"]),
            ("region", ALL, &["foo=foovalue2", "region=~.*"], &["eu-west"]),
            ("foo", ALL, &["region=eu-west"], &["foovalue1", "foovalue2"]),
            ("bar", ALL, &["region=eu-west"], &["barvalue1"]),
            ("foo", ALL, &["region=different"], &[]),
        ] {
            let got = values(&at, label, range, given).await;
            assert_eq!(got, expected, "{kind:?} {label} {given:?}");
        }
        let limited = LabelValuesRequest {
            label: "foo".to_owned(),
            start: ALL.0,
            end: ALL.1,
            limit: 1,
            ..LabelValuesRequest::default()
        };
        let answer = at.store().await.label_values(limited).await.expect("values").into_inner();
        assert_eq!(answer.values, ["foovalue1"], "{kind:?}");
    }
}

#[tokio::test]
async fn external_labels_win_over_own_ones() {
    let blocks = replicas(&["foo=bar,region=somewhere", "__name__=up,foo=baz"]).await;
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        for skip_chunks in [false, true] {
            let request = SeriesRequest { skip_chunks, ..all_time(&["foo=~ba."]) };
            let got: Vec<_> =
                at.series(request).await.expect("series").iter().map(labels_of).collect();
            let expected = ["__name__=up,foo=baz,region=eu-west", "foo=bar,region=eu-west"];
            assert_eq!(got, expected.map(label_set), "{kind:?}");
        }
        assert_eq!(values(&at, "region", ALL, &["foo=bar"]).await, ["eu-west"], "{kind:?}");
    }
}

/// What each selector accepts among five series.
const MATCHING: &[(&[&str], &[&str])] = &[
    (&["n=1"], &["i=a,n=1", "i=b,n=1", "n=1"]),
    (&["n=1", "i=a"], &["i=a,n=1"]),
    (&["n=1", "i=missing"], &[]),
    (&["missing="], &["i=a,n=1", "i=b,n=1", "n=1", "n=2", "n=2.5"]),
    (&["n!=1"], &["n=2", "n=2.5"]),
    (&["i=~.+"], &["i=a,n=1", "i=b,n=1"]),
    (&["i=~.*"], &["i=a,n=1", "i=b,n=1", "n=1", "n=2", "n=2.5"]),
    (&["i="], &["n=1", "n=2", "n=2.5"]),
    (&["i!="], &["i=a,n=1", "i=b,n=1"]),
    (&["missing!="], &[]),
    (&["n=1", "i!=a"], &["i=b,n=1", "n=1"]),
    (&["n=~^1$"], &["i=a,n=1", "i=b,n=1", "n=1"]),
    (&["n=1", "i=~^a$"], &["i=a,n=1"]),
    (&["n=1", "i=~^a?$"], &["i=a,n=1", "n=1"]),
    (&["i=~^$"], &["n=1", "n=2", "n=2.5"]),
    (&["n=1", "i=~^$"], &["n=1"]),
    (&["n=1", "i=~^.*$"], &["i=a,n=1", "i=b,n=1", "n=1"]),
    (&["n=1", "i=~^.+$"], &["i=a,n=1", "i=b,n=1"]),
    (&["n!~^1$"], &["n=2", "n=2.5"]),
    (&["n!~1"], &["n=2", "n=2.5"]),
    (&["n!~1|2.5"], &["n=2"]),
    (&["n!~(1|2.5)"], &["n=2"]),
    (&["n=1", "i!~^a$"], &["i=b,n=1", "n=1"]),
    (&["n=1", "i!~^a?$"], &["i=b,n=1"]),
    (&["n=1", "i!~^$"], &["i=a,n=1", "i=b,n=1"]),
    (&["n=1", "i!~^.*$"], &[]),
    (&["n=1", "i!~^.+$"], &["n=1"]),
    (&["n=1", "i!=", "i=a"], &["i=a,n=1"]),
    (&["n=1", "i!=b", "i=~^(b|a).*$"], &["i=a,n=1"]),
    (&["n=~(1|2)"], &["i=a,n=1", "i=b,n=1", "n=1", "n=2"]),
    (&["i=~a|b"], &["i=a,n=1", "i=b,n=1"]),
    (&["i=~(a|b)"], &["i=a,n=1", "i=b,n=1"]),
    (&["n=~x1|2"], &["n=2"]),
    (&["n=~2|2\\.5"], &["n=2", "n=2.5"]),
    (&["i=~c||d"], &["n=1", "n=2", "n=2.5"]),
    (&["i=~(c||d)"], &["n=1", "n=2", "n=2.5"]),
];

#[tokio::test]
async fn matchers_match_as_in_prometheus() {
    let blocks = replicas(&["n=1", "i=a,n=1", "i=b,n=1", "n=2", "n=2.5"]).await;
    for kind in KINDS {
        let at = blocks.serve(kind, &[]).await;
        for (given, expected) in MATCHING {
            for skip_chunks in [false, true] {
                let request = SeriesRequest { skip_chunks, ..all_time(given) };
                let got: Vec<_> =
                    at.series(request).await.expect("series").iter().map(labels_of).collect();
                let expected: Vec<_> = expected
                    .iter()
                    .map(|set| label_set(&format!("{set},region=eu-west")))
                    .collect();
                assert_eq!(got, expected, "{kind:?} {given:?}");
            }
        }
    }
}
