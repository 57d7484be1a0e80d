//! Buckets that are missing, empty, forbidden or badly described: each tool says so in one line.

use std::fs;

use super::command::{Place, Said, stoa};
use crate::bucket::servers;

const TOOLS: [&[&str]; 3] = [&["ls"], &["inspect"], &["verify"]];

fn tool(args: &[&str], config: &[&str]) -> Said {
    stoa(&[&["tools", "bucket"], args, config].concat())
}

#[test]
fn no_bucket_is_an_error() {
    for args in TOOLS.into_iter().chain([&["upload-blocks", "--label", "a=b"][..]]) {
        tool(args, &[]).badly(&["--objstore.config", "no bucket"]);
        tool(args, &["--objstore.config", " "]).badly(&["no bucket"]);
        let missing = ["--objstore.config-file", "/nowhere/bucket.yaml"];
        tool(args, &missing).badly(&["--objstore.config-file", "/nowhere/bucket.yaml"]);
    }
}

#[test]
fn bad_yaml_is_named() {
    for (yaml, words) in [
        ("type: [", "--objstore.config"),
        ("config: {directory: x}", "type"),
        ("type: FLOPPY\nconfig: {}", "FLOPPY"),
        ("type: FILESYSTEM\nconfig: {}", "directory"),
        ("type: FILESYSTEM\nconfig: {directory: x, folder: y}", "folder"),
        ("type: S3\nconfig: {bucket: b, endpoint: e, acess_key: k}", "acess_key"),
    ] {
        for args in TOOLS {
            tool(args, &["--objstore.config", yaml]).badly(&[words]);
        }
    }
}

/// Who looks for a bucket that is not there has mistyped its name; who writes makes the folder.
#[test]
fn a_missing_folder_is_an_error_to_readers() {
    let place = Place::new();
    for args in TOOLS {
        place.tool(args).badly(&["does not exist", place.bucket().to_str().expect("UTF-8")]);
    }
    place.add("head");
    place.upload(&["--label", "a=b"]).well();
    assert_eq!(place.blocks().len(), 1);
}

#[test]
fn an_empty_bucket_has_no_blocks() {
    let place = Place::new();
    fs::create_dir_all(place.bucket()).expect("a folder");
    assert_eq!(place.tool(&["ls"]).well(), "");
    assert_eq!(place.tool(&["inspect", "--output=csv"]).well().lines().count(), 1);
    assert_eq!(place.tool(&["verify"]).well(), "0 of 0 blocks are sound\n");
}

#[test]
fn a_file_is_no_bucket() {
    let place = Place::new();
    fs::write(place.bucket(), "x").expect("a file");
    for args in TOOLS {
        place.tool(args).badly(&["is not a folder"]);
    }
}

/// A wrong secret and a mistyped name are told apart, before any block is converted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_is_told_apart_from_a_bucket_that_is_not_there() {
    let store = servers::s3().await;
    let forbidden = store.forbidden.expect("the store looks at secrets");
    let place = Place::new();
    place.add("head");
    let data = place.data();
    let upload = ["upload-blocks", "--label", "a=b", "--path", data.to_str().expect("UTF-8")];
    for args in TOOLS.into_iter().chain([&upload[..]]) {
        let said = tool(args, &["--objstore.config", &forbidden.yaml]);
        assert!(!said.errors.contains(&forbidden.secret), "{}", said.errors);
        assert_eq!(said.badly(&["forbidden", "metrics"]), "");
        let said = tool(args, &["--objstore.config", &store.missing]);
        assert_eq!(said.badly(&["the bucket does not exist", "nowhere"]), "");
    }
    let config = ["--objstore.config", &store.yaml];
    tool(&upload, &config).well();
    assert_eq!(tool(&["ls"], &config).well().lines().count(), 1);
}
