//! What replicas say, made one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use engine::model::{MatchOp, Matcher};
use proto::thanos::rule::Result as Kind;
use proto::thanos::{
    ActiveTarget, Alert, AlertState, DroppedTarget, Exemplar, ExemplarData, HeadStatistics, Label,
    Meta, MetricMetadata, MetricMetadataEntry, RecordingRule, Rule, RuleGroup, TargetDiscovery,
    TsdbStatistics, TsdbStatisticsEntry, ZLabelSet,
};

use super::rules::Wanted;
use super::{exemplars, metadata, rules, targets, tsdb};

fn set(pairs: &[(&str, &str)]) -> Option<ZLabelSet> {
    let label = |&(name, value): &(&str, &str)| Label { name: name.into(), value: value.into() };
    Some(ZLabelSet { labels: pairs.iter().map(label).collect() })
}

fn replica() -> Vec<String> {
    vec!["replica".to_owned()]
}

fn alert(name: &str, replica: &str, state: AlertState, evaluated: i64) -> Rule {
    let last_evaluation = Some(prost_types::Timestamp { seconds: evaluated, nanos: 0 });
    let labels = set(&[("replica", replica), ("severity", "page")]);
    let name = name.to_owned();
    let alert = Alert { name, state: state.into(), labels, last_evaluation, ..Alert::default() };
    Rule { result: Some(Kind::Alert(alert)) }
}

fn group(name: &str, rules: Vec<Rule>) -> RuleGroup {
    RuleGroup { name: name.into(), file: "f.yml".into(), rules, ..RuleGroup::default() }
}

#[test]
fn of_equal_rules_the_critical_one_is_left() {
    let recording = |query: &str| Rule {
        result: Some(Kind::Recording(RecordingRule {
            name: "r".into(),
            query: query.into(),
            ..RecordingRule::default()
        })),
    };
    let groups = vec![
        group("b", vec![alert("down", "x", AlertState::Pending, 9), recording("1")]),
        group("a", vec![]),
        group("b", vec![alert("down", "y", AlertState::Firing, 5), recording("1"), recording("2")]),
        group("b", vec![alert("down", "z", AlertState::Firing, 7)]),
    ];
    let groups = rules::deduplicated(groups, &replica());
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(groups[1].rules.len(), 3);
    let json = rules::group_json(&groups[1]);
    let first = &json["rules"][0];
    assert_eq!(first["state"], "firing");
    assert_eq!(first["lastEvaluation"], "1970-01-01T00:00:07Z");
    assert_eq!(first["labels"], serde_json::json!({ "severity": "page" }));
    assert_eq!(
        (&first["type"], &json["rules"][1]["type"]),
        (&"alerting".into(), &"recording".into())
    );
    assert!(first.get("lastError").is_none());
    assert_eq!(json["partialResponseStrategy"], "WARN");
}

#[test]
fn rules_are_filtered_by_name_group_file_and_labels() {
    let all = || {
        vec![
            group("a", vec![alert("x", "1", AlertState::Inactive, 0)]),
            group("b", vec![alert("y", "1", AlertState::Inactive, 0)]),
        ]
    };
    let left = |wanted: Wanted| {
        let mut groups = all();
        wanted.filter(&mut groups);
        groups.into_iter().map(|group| group.name).collect::<Vec<String>>()
    };
    let names = |name: &str| vec![name.to_owned()];
    assert_eq!(left(Wanted::default()), ["a", "b"]);
    assert_eq!(left(Wanted { rules: names("y"), ..Wanted::default() }), ["b"]);
    assert_eq!(left(Wanted { groups: names("a"), ..Wanted::default() }), ["a"]);
    assert!(left(Wanted { files: names("g.yml"), ..Wanted::default() }).is_empty());
    let matcher = |value| vec![Matcher::new("severity", MatchOp::Equal, value).unwrap()];
    assert_eq!(left(Wanted { matchers: matcher("page"), ..Wanted::default() }).len(), 2);
    assert!(left(Wanted { matchers: matcher("info"), ..Wanted::default() }).is_empty());
}

#[test]
fn of_equal_targets_the_one_scraped_later_is_left() {
    let active = |url: &str, replica: &str, scraped| ActiveTarget {
        scrape_url: url.into(),
        labels: set(&[("job", "a"), ("replica", replica)]),
        last_scrape: Some(prost_types::Timestamp { seconds: scraped, nanos: 0 }),
        ..ActiveTarget::default()
    };
    let dropped = |replica: &str| DroppedTarget {
        discovered_labels: set(&[("replica", replica), ("a", "b")]),
    };
    let said = |replica: &str, scraped| TargetDiscovery {
        active_targets: vec![active("u", replica, scraped), active(replica, replica, scraped)],
        dropped_targets: vec![dropped(replica)],
    };
    let (active, dropped) = targets::deduplicated(vec![said("x", 1), said("y", 2)], &replica());
    let urls: Vec<(&str, i64)> = active
        .iter()
        .map(|t| (t.scrape_url.as_str(), t.last_scrape.map_or(0, |time| time.seconds)))
        .collect();
    assert_eq!(urls, [("u", 2), ("x", 1), ("y", 2)]);
    assert_eq!(dropped.len(), 1);
    assert_eq!(dropped[0].discovered_labels, set(&[("a", "b")]));
}

#[test]
fn exemplars_come_once_and_in_order() {
    let data = |replica: &str, times: &[i64]| ExemplarData {
        series_labels: set(&[("__name__", "m"), ("replica", replica)]),
        exemplars: times
            .iter()
            .map(|&ts| Exemplar { labels: set(&[("trace", "t")]), value: 1.0, ts })
            .collect(),
    };
    let said = vec![data("b", &[3, 1]), data("a", &[2, 1]), data("c", &[])];
    let series = exemplars::deduplicated(said, &replica());
    assert_eq!(series.len(), 1);
    let times: Vec<i64> = series[0].exemplars.iter().map(|exemplar| exemplar.ts).collect();
    assert_eq!(times, [1, 2, 3]);
}

#[test]
fn metadata_is_joined_and_limited() {
    let said = |help: &str| MetricMetadata {
        metadata: HashMap::from(["a", "b", "c"].map(|metric| {
            let meta = Meta { r#type: "gauge".into(), help: help.into(), unit: String::new() };
            (metric.to_owned(), MetricMetadataEntry { metas: vec![meta] })
        })),
    };
    let all = metadata::joined(vec![said("x"), said("x"), said("y")]);
    assert_eq!(all["a"].len(), 2);
    assert_eq!(metadata::cut(all, -1).len(), 3);
    let two = metadata::cut(metadata::joined(vec![said("x")]), 2);
    assert_eq!(two.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(metadata::cut(two, 0).is_empty());
}

#[test]
fn stored_metadata_fill_what_nobody_knows() {
    let row = |metric: &str, help: &str| engine::block::MetricMetadata {
        metric: metric.to_owned(),
        kind: "counter".to_owned(),
        unit: "bytes".to_owned(),
        help: help.to_owned(),
    };
    let stored = engine::source::Metadata {
        parts: vec![
            Arc::new(vec![row("a", "stored"), row("b", "new"), row("b", "new too")]),
            Arc::new(vec![row("b", "old"), row("c", "old")]),
        ],
        warnings: Vec::new(),
    };
    let known = || {
        let meta = Meta { r#type: "gauge".into(), help: "live".into(), unit: String::new() };
        BTreeMap::from([("a".to_owned(), vec![meta])])
    };
    let helps = |metrics: &BTreeMap<String, Vec<Meta>>| -> Vec<String> {
        metrics.values().flatten().map(|meta| meta.help.clone()).collect()
    };
    let mut all = known();
    metadata::fill(&mut all, &stored, "");
    assert_eq!(helps(&all), ["live", "new", "new too", "old"]);
    assert_eq!((all["c"][0].r#type.as_str(), all["c"][0].unit.as_str()), ("counter", "bytes"));
    let mut one = known();
    metadata::fill(&mut one, &stored, "c");
    assert_eq!(helps(&one), ["live", "old"]);
}

#[test]
fn statistics_are_added_up() {
    let said = |series, min_time, max_time| TsdbStatistics {
        statistics: HashMap::from([(
            "tenant".to_owned(),
            TsdbStatisticsEntry {
                head_statistics: Some(HeadStatistics {
                    num_series: series,
                    min_time,
                    max_time,
                    ..HeadStatistics::default()
                }),
                ..TsdbStatisticsEntry::default()
            },
        )]),
    };
    let sum = tsdb::added(vec![said(3, 10, 20), said(u64::MAX, 5, 15)]);
    let head = sum.head_statistics.unwrap();
    assert_eq!((head.num_series, head.min_time, head.max_time), (u64::MAX, 5, 20));
    assert!(tsdb::added(Vec::new()).head_statistics.is_none());
}
