//! Which crate may know which, and which versions the tree may hold.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::repository;

use super::{none, text};

/// The crates that each crate may depend on: `deploy/bin → flight → promql → engine` and
/// `deploy/bin → ingest → engine`; `proto` is the wire messages of both sides.
const MAY_KNOW: [(&str, &[&str]); 6] = [
    ("engine", &[]),
    ("proto", &[]),
    ("ingest", &["engine", "proto"]),
    ("promql", &["engine"]),
    ("flight", &["promql", "engine", "proto"]),
    ("stoa", &["flight", "promql", "ingest", "engine", "proto"]),
];

/// Crates whose types cross seams: a second version of one would not fit the first.
const ONE_VERSION: [&str; 10] = [
    "arrow",
    "arrow-array",
    "arrow-buffer",
    "arrow-data",
    "arrow-schema",
    "arrow-select",
    "datafusion",
    "object_store",
    "parquet",
    "tonic",
];

#[test]
fn dependencies_point_one_way() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let may_know: BTreeMap<&str, &[&str]> = MAY_KNOW.into_iter().collect();
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let Some(allowed) = may_know.get(name) else {
            found.push(format!("{name} is not in the order of the crates"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let other = dependency["name"].as_str().expect("a name");
            if ours.contains(&other) && !allowed.contains(&other) {
                found.push(format!("{name} → {other}"));
            }
        }
    }
    none("these dependencies point the wrong way", &found);
}

#[test]
fn versions_and_features_stand_in_the_workspace() {
    let mut found = Vec::new();
    for member in ["Cargo.toml", "engine/Cargo.toml", "ingest/Cargo.toml", "promql/Cargo.toml"]
        .into_iter()
        .chain(["flight/Cargo.toml", "flight/proto/Cargo.toml"])
    {
        let mut section = String::new();
        for line in text(member.as_ref()).lines() {
            let line = line.trim();
            if line.starts_with('[') {
                section = line.to_owned();
            } else if matches!(section.as_str(), "[dependencies]" | "[dev-dependencies]")
                && !line.is_empty()
                && !line.starts_with('#')
                && !line.ends_with(".workspace = true")
            {
                found.push(format!("{member}: {line}"));
            }
        }
    }
    none("these dependencies do not take version and features from the workspace", &found);
}

#[test]
fn seam_crates_have_one_version() {
    let lock = text("Cargo.lock".as_ref());
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = quoted(line, "name = ") {
            let version = lines.next().and_then(|l| quoted(l, "version = ")).expect("a version");
            versions.entry(name).or_default().push(version);
        }
    }
    let found: Vec<String> = ONE_VERSION
        .into_iter()
        .filter_map(|name| match versions.get(name).map(Vec::as_slice) {
            Some([_]) => None,
            Some(many) => Some(format!("{name}: {}", many.join(", "))),
            None => Some(format!("{name}: not in the tree")),
        })
        .collect();
    none("these crates do not have exactly one version in Cargo.lock", &found);
}

fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix('"')?.strip_suffix('"')
}
