//! The endpoints of the querier, as `/api/v1/stores` lists them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// One endpoint.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Store {
    name: String,
    last_error: Option<String>,
    label_sets: Vec<BTreeMap<String, String>>,
}

/// Endpoints by kind.
pub(super) type Stores = BTreeMap<String, Vec<Store>>;

/// The address of the store; an error says who does not answer yet. There must be a sidecar of each
/// replica, and a store.
pub(super) fn check<'a>(
    stores: &'a Stores,
    replica_label: &str,
    replicas: &[String],
) -> anyhow::Result<&'a str> {
    let healthy = |kind: &str| {
        let all = stores.get(kind).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|store| store.last_error.is_none())
    };
    for replica in replicas {
        let has = |set: &BTreeMap<String, String>| set.get(replica_label) == Some(replica);
        ensure!(
            healthy("sidecar").any(|sidecar| sidecar.label_sets.iter().any(has)),
            "waiting for the sidecar of replica {replica}"
        );
    }
    let store = healthy("store").next().context("waiting for the store")?;
    Ok(&store.name)
}

/// The list, as text.
pub(super) fn text(stores: &Stores, url: &str) -> String {
    let mut text = format!("The endpoints of the querier ({url}/api/v1/stores):\n");
    for (kind, stores) in stores {
        for store in stores {
            let sets = store.label_sets.iter().map(set).collect::<Vec<_>>().join(" ");
            let state = store.last_error.as_deref().unwrap_or("answers");
            let _ = writeln!(text, "  {kind:8} {:16} {state}  {sets}", store.name);
        }
    }
    text.trim_end().to_owned()
}

/// A label set as PromQL writes it.
pub(super) fn set(labels: &BTreeMap<String, String>) -> String {
    let labels = labels.iter().map(|(name, value)| format!("{name}={value:?}"));
    format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::answer::parse;
    use super::*;

    fn stores(error_of_b: &str) -> Stores {
        let body = format!(
            r#"{{"status":"success","data":{{
            "sidecar":[
              {{"name":"x:1","lastError":null,"labelSets":[{{"cluster":"c","replica":"a"}}],"minTime":0}},
              {{"name":"x:2","lastError":{error_of_b},"labelSets":[{{"cluster":"c","replica":"b"}}]}}],
            "store":[{{"name":"x:3","lastError":null,"labelSets":[]}}]}}}}"#
        );
        parse(&body).expect("stores")
    }

    fn checked(stores: &Stores, replicas: &[&str]) -> Result<String, String> {
        let replicas: Vec<String> = replicas.iter().map(|&name| name.to_owned()).collect();
        let address = check(stores, "replica", &replicas);
        address.map(str::to_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn every_replica_has_a_sidecar_that_answers() {
        let all = stores("null");
        assert_eq!(checked(&all, &["a", "b"]), Ok("x:3".to_owned()));
        let error = checked(&all, &["a", "c"]).unwrap_err();
        assert_eq!(error, "waiting for the sidecar of replica c");
        let error = checked(&stores("\"gone\""), &["a", "b"]).unwrap_err();
        assert_eq!(error, "waiting for the sidecar of replica b");
        let mut none = all;
        none.remove("store");
        assert_eq!(checked(&none, &["a"]).unwrap_err(), "waiting for the store");
    }

    #[test]
    fn the_list_is_a_line_an_endpoint() {
        let text = text(&stores("\"gone\""), "http://q");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "The endpoints of the querier (http://q/api/v1/stores):");
        assert_eq!(lines[1], r#"  sidecar  x:1              answers  {cluster="c", replica="a"}"#);
        assert_eq!(lines[2], r#"  sidecar  x:2              gone  {cluster="c", replica="b"}"#);
        assert_eq!(lines.len(), 4);
    }
}
