//! Several honest endpoints as one: samples, metadata, the list of endpoints, rules.

use serde_json::json;

use super::fake::{Fake, Manner, Samples};
use super::{ask, endpoints, querier, warnings};
use crate::support::http;

/// `m{job="x"}` of a replica: a sample each 15 s, from `from` to `to` (in s).
pub(super) fn series(replica: &'static str, from: i64, to: i64, value: f64) -> Vec<Samples> {
    let labels = vec![("__name__", "m"), ("job", "x"), ("replica", replica)];
    let samples = (from..=to).step_by(15).map(|t| (t * 1000, value)).collect();
    vec![(labels, samples)]
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_one_source() {
    // Replica b is there while a has a hole; a second server has a's last samples once more.
    let (one, two, three) = (
        Fake::start(Manner::Honest, &[("replica", "a")], series("a", 0, 300, 1.0)),
        Fake::start(Manner::Unsorted, &[("replica", "b")], series("b", 5, 605, 2.0)),
        Fake::start(Manner::Twice, &[("replica", "a")], series("a", 240, 300, 1.0)),
    );
    let all = [one.address.as_str(), &two.address, &three.address];
    let server = querier(&endpoints(all)).await;
    let range = [("query", "m"), ("start", "0"), ("end", "600"), ("step", "60")];
    let (status, json) = ask(&server, "/api/v1/query_range", &range).await;
    assert_eq!((status, warnings(&json).len()), (200, 0), "{json}");
    let result = json["data"]["result"].as_array().expect("a matrix");
    assert_eq!(result.len(), 1);
    assert_eq!(result[0]["metric"], json!({ "__name__": "m", "job": "x" }));
    let values: Vec<&str> = result[0]["values"]
        .as_array()
        .expect("values")
        .iter()
        .filter_map(|pair| pair[1].as_str())
        .collect();
    assert_eq!(values, ["1", "1", "1", "1", "1", "1", "2", "2", "2", "2", "2"]);
    // Each sample once, though two servers have some of them, one of these twice.
    let raw = [("query", "count_over_time(m[10m])"), ("time", "600"), ("dedup", "false")];
    let (_, json) = ask(&server, "/api/v1/query", &raw).await;
    let mut counts: Vec<(&str, &str)> = json["data"]["result"]
        .as_array()
        .expect("a vector")
        .iter()
        .filter_map(|s| Some((s["metric"]["replica"].as_str()?, s["value"][1].as_str()?)))
        .collect();
    counts.sort_unstable();
    // (0, 600]: a from 15 to 300, b from 5 to 590.
    assert_eq!(counts, [("a", "20"), ("b", "40")]);
    for (path, parameters, expected) in [
        ("/api/v1/labels", vec![], json!(["__name__", "job"])),
        ("/api/v1/label/job/values", vec![], json!(["x"])),
        ("/api/v1/label/replica/values", vec![], json!([])),
        ("/api/v1/label/replica/values", vec![("dedup", "false")], json!(["a", "b"])),
        ("/api/v1/series", vec![("match[]", "m")], json!([{ "__name__": "m", "job": "x" }])),
    ] {
        let (status, json) = ask(&server, path, &parameters).await;
        assert_eq!((status, &json["data"]), (200, &expected), "{path}");
    }
    // Only who may have something is asked; storeMatch chooses by address.
    let before = (one.asked(), two.asked());
    ask(&server, "/api/v1/query", &[("query", "m{replica=\"b\"}"), ("time", "300")]).await;
    assert_eq!((one.asked(), two.asked()), (before.0, before.1 + 1));
    let only = format!("{{__address__=\"{}\"}}", one.address);
    let of_one = [("query", "m"), ("time", "600"), ("storeMatch[]", &only)];
    let (_, json) = ask(&server, "/api/v1/query", &of_one).await;
    assert_eq!(json["data"]["result"], json!([]), "a has ended by then");
    let (_, json) = ask(&server, "/api/v1/stores", &[]).await;
    let stores = json["data"]["sidecar"].as_array().expect("sidecars");
    assert_eq!(stores.len(), 3);
    let shown = stores.iter().find(|s| s["name"] == one.address).expect("the first one");
    assert_eq!(shown["labelSets"], json!([{ "replica": "a" }]));
    assert_eq!((&shown["lastError"], &shown["minTime"]), (&json!(null), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_answer_are_counted() {
    let series = || series("a", 0, 300, 1.0);
    let (one, two) = (
        Fake::start(Manner::Honest, &[("replica", "a")], series()),
        Fake::start(Manner::Honest, &[("replica", "a")], series()),
    );
    let mut flags = endpoints([one.address.as_str(), &two.address, "127.0.0.1:1"]);
    let line = "thanos_store_nodes_grpc_connections";
    for (labels, expected) in [
        (
            &[][..],
            vec![format!(
                "{line}{{external_labels=\"{{replica=\\\"a\\\"}}\",store_type=\"sidecar\"}} 2"
            )],
        ),
        (&["store_type"], vec![format!("{line}{{store_type=\"sidecar\"}} 2")]),
        (&["ip_port"], {
            let each = [&one, &two].map(|e| format!("{line}{{ip_port=\"{}\"}} 1", e.address));
            let mut each = each.to_vec();
            each.sort();
            each
        }),
    ] {
        flags.truncate(3);
        flags.extend(labels.iter().map(|label| format!("--query.conn-metric.label={label}")));
        let server = querier(&flags).await;
        let metrics = http::get(&server.url("/metrics")).await.body;
        let mut counted: Vec<&str> =
            metrics.lines().filter(|got| got.starts_with(&format!("{line}{{"))).collect();
        counted.sort_unstable();
        assert_eq!(counted, expected, "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_replicas_are_one() {
    let (firing, idle, broken) = (
        Fake::start(Manner::Honest, &[("replica", "a")], vec![]),
        Fake::start(Manner::Unsorted, &[("replica", "b")], vec![]),
        Fake::start(Manner::Fails, &[("replica", "c")], vec![]),
    );
    let all = [firing.address.as_str(), &idle.address, &broken.address];
    let server = querier(&endpoints(all)).await;
    let (status, json) = ask(&server, "/api/v1/rules", &[]).await;
    assert_eq!(status, 200, "{json}");
    let rules = &json["data"]["groups"][0]["rules"];
    assert_eq!(rules.as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!((&rules[0]["name"], &rules[0]["state"]), (&json!("Down"), &json!("firing")));
    assert!(warnings(&json)[0].starts_with(&broken.address), "{json}");
    let mut strict = endpoints(all);
    strict.push("--no-rule.partial-response".to_owned());
    let server = querier(&strict).await;
    let (status, json) = ask(&server, "/api/v1/rules", &[]).await;
    assert_eq!(status, 500, "{json}");
    for (path, expected) in [
        ("/api/v1/alerts", None),
        ("/api/v1/targets", Some(json!({ "activeTargets": [], "droppedTargets": [] }))),
        ("/api/v1/metadata", Some(json!({}))),
        ("/api/v1/query_exemplars", Some(json!([]))),
    ] {
        let (status, json) = ask(&server, path, &[]).await;
        match expected {
            Some(expected) => assert_eq!((status, &json["data"]), (200, &expected), "{path}"),
            None => assert_eq!(status, 500, "{path}"),
        }
    }
    let (_, json) = ask(&server, "/api/v1/status/flags", &[]).await;
    assert_eq!(json["data"]["rule.partial-response"], "false");
    let (_, json) = ask(&server, "/api/v1/status/runtimeinfo", &[]).await;
    assert!(json["data"]["startTime"].is_string());
    let (_, json) = ask(&server, "/api/v1/status/tsdb", &[]).await;
    assert_eq!(json["data"]["headStats"]["numSeries"], 0);
}
