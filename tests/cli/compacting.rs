//! `stoa compact`, and the tools that do parts of its work by hand.

use super::command::{Place, Said, name, stoa};

/// A block of two hours by two replicas.
fn place() -> Place {
    place_of("head")
}

fn place_of(kind: &str) -> Place {
    let place = Place::new();
    let head = place.add(kind);
    place.change(&head, |meta| {
        meta["maxTime"] = (meta["minTime"].as_i64().expect("a time") + 2 * 3_600_000).into();
    });
    for replica in ["replica=a", "replica=b"] {
        place.upload(&["--label", "cluster=test", "--label", replica]).well();
    }
    place
}

fn compact(place: &Place, flags: &[&str]) -> Said {
    let (bucket, data) = (place.objstore(), place.bucket().join("../work"));
    let mut all = vec!["compact", "--http-address=127.0.0.1:0", "--consistency-delay=0s"];
    all.extend(["--objstore.config", &bucket, "--data-dir", data.to_str().expect("UTF-8")]);
    all.extend(flags);
    stoa(&all)
}

fn listed(place: &Place, flags: &[&str]) -> usize {
    let mut all = vec!["ls"];
    all.extend(flags);
    place.tool(&all).well().lines().count()
}

#[test]
fn compact_does_what_is_due_and_ends() {
    let place = place();
    let said = compact(&place, &["--deduplication.replica-label=replica"]);
    said.well();
    // A raw block, one of five minutes and one of an hour; the sources are marked.
    assert_eq!((listed(&place, &[]), listed(&place, &["--exclude-delete"])), (5, 3));
    let table = place.tool(&["inspect", "--output=csv"]).well();
    for resolution in ["0s", "5m0s", "1h0m0s"] {
        let of = |line: &&str| line.contains(&format!(",{resolution},compactor"));
        assert_eq!(table.lines().filter(of).count(), 1, "{resolution}:\n{table}");
    }
    place.tool(&["cleanup", "--delete-delay=0s"]).well();
    assert_eq!(listed(&place, &[]), 3);
    let out = place.tool(&["verify"]).well();
    assert!(out.contains("3 of 3 blocks are sound"), "{out}");
    let files = std::fs::read_to_string(place.bucket().join("stoa/v1/files.json")).expect("a list");
    assert!(files.lines().count() >= 6 && !files.contains("replica"), "{files}");
    // Nothing is left to do.
    compact(&place, &["--deduplication.replica-label=replica"]).well();
    assert_eq!(listed(&place, &["--exclude-delete"]), 3);
}

#[test]
fn replicas_stay_apart_unless_their_label_is_named() {
    let place = place();
    compact(&place, &["--downsampling.disable"]).well();
    assert_eq!((listed(&place, &[]), listed(&place, &["--exclude-delete"])), (2, 2));
}

#[test]
fn marks_are_put_and_taken_away() {
    let place = place();
    let id = name(&place.blocks()[0]);
    let mark = |flags: &[&str]| {
        let mut all = vec!["mark", "--id", &id];
        all.extend(flags);
        place.tool(&all)
    };
    mark(&["--marker=no-compact-mark.json", "--details=it is large"]).well();
    let path = place.blocks()[0].join("no-compact-mark.json");
    let text = std::fs::read_to_string(&path).expect("a mark");
    assert!(text.contains("\"reason\": \"manual\"") && text.contains("it is large"), "{text}");
    compact(&place, &["--deduplication.replica-label=replica", "--downsampling.disable"]).well();
    assert_eq!(listed(&place, &["--exclude-delete"]), 2);
    mark(&["--marker=no-compact-mark.json", "--remove"]).well();
    assert!(!path.exists());
    mark(&["--marker=deletion-mark.json"]).badly(&["--details"]);
    mark(&["--marker=deletion-mark.json", "--details=gone"]).well();
    assert_eq!(listed(&place, &["--exclude-delete"]), 1);
    let said = mark(&["--marker=other.json", "--details=x"]);
    assert_eq!(said.code, Some(2));
}

#[test]
fn retention_waits_for_downsampling() {
    // Native histograms would stay.
    let place = place_of("node");
    let retire = |flags: &[&str]| {
        let mut all = vec!["retention", "--retention.resolution-raw=2d"];
        all.extend(flags);
        place.tool(&all).well();
        listed(&place, &["--exclude-delete"])
    };
    assert_eq!(retire(&[]), 2, "they were never downsampled");
    let rules = "--retention.config=- matchers: '{replica=\"a\"}'\n  resolution-raw: 0d\n";
    assert_eq!(retire(&[rules, "--downsampling.disable"]), 1);
    place.tool(&["retention", "--retention.config=- matchers: '{'"]).badly(&["rule 1"]);
    place
        .tool(&["downsample", "--data-dir", place.bucket().join("../work").to_str().unwrap()])
        .well();
    assert_eq!(listed(&place, &["--exclude-delete"]), 3, "of replica a: raw, 5m, 1h");
    assert_eq!(retire(&[]), 2, "raw went");
    let said = compact(&place, &["--retention.resolution-raw=30h"]);
    said.badly(&["raw resolution must be higher"]);
}
