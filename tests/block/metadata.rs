//! What is said of metrics lies beside the samples: attempts that were told different things make the
//! same block, and none can damage what another has committed.

use std::path::Path;
use std::sync::Arc;

use engine::ErrorKind;
use engine::block::{BlockMeta, BlockWriter, MetricMetadata, metadata, verify};
use engine::bucket::{BLOCKS_PREFIX, Bucket, Created, commit};
use engine::model::LabelTable;
use object_store::memory::InMemory;

use super::samples::{START, labels, settings};

fn said(metric: &str, help: &str) -> MetricMetadata {
    MetricMetadata {
        metric: metric.to_owned(),
        kind: "counter".to_owned(),
        unit: "seconds".to_owned(),
        help: help.to_owned(),
    }
}

/// The same block, with what is said of its metrics.
fn attempt(dir: &Path, said: &[MetricMetadata]) -> BlockMeta {
    let table = LabelTable::from_labels(&[labels(&[("__name__", "a_seconds_total")])]);
    let settings = settings(&[("replica", "a")], 1);
    let mut writer = BlockWriter::create(dir, settings, Arc::new(table)).expect("a writer");
    writer.floats(0, &[START, START + 1], &[1.0, 2.0], None).expect("samples");
    writer.metadata(said.to_vec());
    writer.finish().expect("a block")
}

fn memory() -> Bucket {
    Bucket::new(Arc::new(InMemory::new()), "memory")
}

fn metadata_file(meta: &BlockMeta) -> &str {
    let mut files = meta.stoa.files.iter().map(|file| file.name.as_str());
    files.rfind(|name| name.starts_with("metadata-")).expect("a file with metadata")
}

#[tokio::test]
async fn it_comes_back_sorted_and_each_once() {
    let (dir, bucket) = (tempfile::tempdir().expect("a folder"), memory());
    let rows = [said("b", "é\n\"x\""), said("a", ""), said("b", "é\n\"x\""), said("b", "other")];
    let meta = attempt(dir.path(), &rows);
    assert_eq!(commit(&bucket, dir.path(), &meta).await.expect("a commit"), Created::New);
    let read = metadata::read(&bucket, &meta).await.expect("metadata");
    assert_eq!(read, [said("a", ""), said("b", "other"), said("b", "é\n\"x\"")]);
    let report = verify(&bucket, meta.ulid).await.expect("the block is there");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    // Nothing said is no file.
    let dir = tempfile::tempdir().expect("a folder");
    let without = attempt(dir.path(), &[]);
    assert!(!metadata::is_in(&without));
    assert_eq!(without, meta.without_metadata());
    assert_eq!(metadata::read(&bucket, &without).await.expect("nothing"), []);
}

#[tokio::test]
async fn attempts_with_other_metadata_make_one_block() {
    let bucket = memory();
    let (first, second) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("one"));
    let one = attempt(first.path(), &[said("a", "before the crash")]);
    let two = attempt(second.path(), &[said("a", "after it")]);
    assert_eq!(one.ulid, two.ulid);
    assert_ne!(metadata_file(&one), metadata_file(&two));
    // The second attempt has uploaded its files when the first one's meta.json arrives late.
    for file in &two.stoa.files {
        let path = BlockMeta::path(two.ulid, &file.name);
        bucket.put_file(&path, &second.path().join(&file.name)).await.expect("an upload");
    }
    assert_eq!(commit(&bucket, first.path(), &one).await.expect("a commit"), Created::New);
    assert_eq!(commit(&bucket, second.path(), &two).await.expect("no error"), Created::Same);
    let read = metadata::read(&bucket, &one).await.expect("metadata");
    assert_eq!(read, [said("a", "before the crash")]);
    let report = verify(&bucket, one.ulid).await.expect("the block is there");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    // Other samples under the same id are another block, as ever.
    let third = tempfile::tempdir().expect("a folder");
    let mut other = attempt(third.path(), &[said("a", "after it")]);
    other.stats.num_series = 7;
    let text = other.to_json().expect("JSON");
    std::fs::write(third.path().join("meta.json"), text).expect("meta.json");
    let error = commit(&bucket, third.path(), &other).await.expect_err("another block");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn damage_is_found() {
    let (dir, bucket) = (tempfile::tempdir().expect("a folder"), memory());
    let meta = attempt(dir.path(), &[said("a", "help"), said("b", "help")]);
    commit(&bucket, dir.path(), &meta).await.expect("a commit");
    let name = metadata_file(&meta).to_owned();
    let path = format!("{BLOCKS_PREFIX}/{}/{name}", meta.ulid);
    let good = std::fs::read(dir.path().join(&name)).expect("the file");
    for at in [0, 10, good.len() / 2, good.len() - 9] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let changed = dir.path().join("changed");
        std::fs::write(&changed, bad).expect("a file");
        bucket.put_file(&path, &changed).await.expect("an upload");
        let error = metadata::read(&bucket, &meta).await.expect_err("damage");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
        let report = verify(&bucket, meta.ulid).await.expect("the block is there");
        assert!(report.problems.iter().any(|p| p.contains("metadata-")), "{:?}", report.problems);
    }
}
