//! `stoa tools bucket upload-blocks`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json as value;

use super::command::{Place, json};

const LABELS: [&str; 4] = ["--label", "cluster=test", "--label", "replica=\"a\""];

/// The files of a folder with the times of their last change.
fn files(dir: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let meta = fs::metadata(&path).expect("the file");
            found.insert(path, meta.modified().expect("a time"));
        }
    }
}

fn bucket_files(place: &Place) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    files(&place.bucket(), &mut found);
    found
}

#[test]
fn blocks_are_uploaded_once() {
    let place = Place::new();
    let ids = [place.add("head"), place.add("long")];
    let out = place.upload(&LABELS).well();
    for id in &ids {
        let line = out.lines().find(|line| line.starts_with(id.as_str())).expect("a line a block");
        assert!(line.contains(": uploaded as 01") && line.contains(" samples of "), "{out}");
    }
    assert!(out.ends_with("2 uploaded, 0 already there, 0 skipped, 0 failed\n"), "{out}");
    assert!(!out.contains('\u{1b}') && !out.contains('\r'), "plain lines: {out:?}");
    let blocks = place.blocks();
    assert_eq!(blocks.len(), 2);
    for block in &blocks {
        let meta = json(&block.join("meta.json"));
        assert_eq!(meta["thanos"]["labels"], value!({"cluster": "test", "replica": "a"}));
        assert_eq!(meta["thanos"]["source"], "bucket.upload");
        let parent = meta["compaction"]["parents"][0]["ulid"].as_str().expect("a parent");
        assert!(ids.iter().any(|id| id == parent), "{meta}");
    }

    let before = bucket_files(&place);
    let out = place.upload(&LABELS).well();
    assert_eq!(out.matches(": already there as 01").count(), 2, "{out}");
    assert!(out.ends_with("0 uploaded, 2 already there, 0 skipped, 0 failed\n"), "{out}");
    assert_eq!(bucket_files(&place), before, "nothing is written again");
    assert!(!place.data().join("thanos").exists(), "nothing is written beside the blocks");
}

/// An upload that was cut off before `meta.json` is finished by the next.
#[test]
fn what_was_begun_is_finished() {
    let place = Place::new();
    place.add("head");
    place.upload(&LABELS).well();
    let block = &place.blocks()[0];
    let whole = fs::read(block.join("samples.parquet")).expect("the samples");
    fs::remove_file(block.join("meta.json")).expect("meta.json goes");
    fs::remove_file(block.join("series.parquet")).expect("the series go");
    fs::write(block.join("samples.parquet"), &whole[..whole.len() / 2]).expect("half of it");
    assert_eq!(place.tool(&["ls"]).well(), "");
    place.upload(&LABELS).well();
    assert!(fs::read(block.join("samples.parquet")).expect("the samples") == whole);
    assert_eq!(place.tool(&["ls"]).well().lines().count(), 1);
}

#[test]
fn external_labels_come_from_flags_or_the_block() {
    let place = Place::new();
    let (first, second) = (place.add("head"), place.add("long"));
    place.change(&first, |meta| meta["thanos"] = value!({"labels": {"replica": "z"}}));
    let out = place.upload(&[]).badly(&[&second, "no external labels", "1 of 2 blocks"]);
    assert!(out.contains(&format!("{first}: uploaded")), "{out}");
    assert!(out.ends_with("1 uploaded, 0 already there, 0 skipped, 1 failed\n"), "{out}");
    assert_eq!(place.blocks().len(), 1);
    let meta = json(&place.blocks()[0].join("meta.json"));
    assert_eq!(meta["thanos"]["labels"], value!({"replica": "z"}));

    place.upload(&LABELS).well();
    assert_eq!(place.blocks().len(), 3, "other labels make other blocks");

    for (label, words) in [
        ("replica", "as in replica=a"),
        ("=a", "has no name"),
        ("replica=", "has no value"),
        ("replica=\"a", "not a quoted string"),
    ] {
        let said = place.upload(&["--label", label]);
        assert_eq!(said.code, Some(2), "{}", said.errors);
        assert!(said.errors.contains("--label") && said.errors.contains(words), "{}", said.errors);
    }
    place.upload(&["--label", "a=b", "--label", "a=c"]).badly(&["--label", "occurs twice"]);
}

/// A block that is damaged is named, and the others are uploaded all the same.
#[test]
fn a_bad_block_does_not_stop_the_others() {
    let place = Place::new();
    let (good, cut, lying, empty) =
        (place.add("head"), place.add("long"), place.add("overlap"), place.add("disorder"));
    let index = place.data().join(&cut).join("index");
    let bytes = fs::read(&index).expect("the index");
    fs::write(&index, &bytes[..bytes.len() / 2]).expect("the index is cut");
    fs::write(place.data().join(&lying).join("meta.json"), "{}").expect("meta.json is spoilt");
    fs::remove_file(place.data().join(&empty).join("meta.json")).expect("meta.json goes");
    // What Prometheus has not finished, and what is no block.
    fs::create_dir_all(place.data().join("wal")).expect("a folder");
    fs::create_dir_all(place.data().join(format!("{good}.tmp-for-creation"))).expect("a folder");

    let said = place.upload(&LABELS);
    let named =
        [format!("{cut}/index"), format!("{lying}/meta.json"), format!("{empty}/meta.json")];
    let words: Vec<&str> = named.iter().map(String::as_str).chain(["3 of 4 blocks"]).collect();
    let out = said.badly(&words);
    assert!(out.contains(&format!("{good}: uploaded")), "{out}");
    assert!(out.ends_with("1 uploaded, 0 already there, 0 skipped, 3 failed\n"), "{out}");
    assert_eq!(place.blocks().len(), 1, "nothing of the others is in the bucket");
}

#[test]
fn compacted_blocks_are_uploaded_when_asked_for() {
    let place = Place::new();
    let (first, compacted) = (place.add("head"), place.add("long"));
    place.change(&compacted, |meta| meta["compaction"]["level"] = 3.into());
    let out = place.upload(&LABELS).well();
    assert!(out.contains(&format!("{compacted}: skipped: compacted (level 3)")), "{out}");
    assert!(out.ends_with("1 uploaded, 0 already there, 1 skipped, 0 failed\n"), "{out}");
    // Its time is in the bucket already, so its samples may be, too.
    let said = place.upload(&[&LABELS[..], &["--shipper.upload-compacted"]].concat());
    let out = said.badly(&[&compacted, "overlaps"]);
    assert!(out.contains(&format!("{first}: already there")), "{out}");

    fs::remove_dir_all(place.bucket()).expect("the bucket goes");
    fs::remove_dir_all(place.data().join(first)).expect("the block goes");
    let said = place.upload(&[&LABELS[..], &["--shipper.upload-compacted"]].concat());
    assert!(said.well().contains(&format!("{compacted}: uploaded")));
    let said = place.upload(&[&LABELS[..], &["--shipper.upload-compacted"]].concat());
    assert!(said.well().contains(&format!("{compacted}: already there")));
}

#[test]
fn a_path_without_blocks_is_an_error() {
    let place = Place::new();
    place.upload(&LABELS).badly(&["--path: read", "No such file"]);
    fs::create_dir_all(place.data().join("wal")).expect("a folder");
    place.upload(&LABELS).badly(&["--path", "has no blocks"]);
    place.add("head");
    let said = place.upload(&[&LABELS[..], &["--tmp.dir", "/nowhere/at/all"]].concat());
    said.badly(&["--tmp.dir", "/nowhere/at/all"]);
}
