//! A block of Prometheus becomes a block of Stoa that holds the same samples, bit for bit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::block::BlockMeta;
use engine::bucket::{Bucket, commit};
use engine::model::Labels;
use engine::{ErrorKind, Result};
use ingest::convert::{ConvertOptions, convert, converted_id};
use ingest::tsdb::{BucketBlock, LocalBlock};
use object_store::memory::InMemory;

use super::dump::{Dump, assert_equal, by_prometheus, write_block};
use crate::block::samples::{Data, read};
use crate::support;

fn external() -> Labels {
    Labels::new([("cluster", "test"), ("replica", "a")]).expect("labels")
}

fn converted(block: &Path, out: &Path, labels: Labels) -> Result<BlockMeta> {
    std::fs::create_dir_all(out).expect("a folder");
    convert(Arc::new(LocalBlock::new(block)), out, &ConvertOptions::new(labels, "test"))
}

/// What a block of Stoa holds, in the format of the dumps.
fn dump(data: Data) -> String {
    let mut dump = Dump::default();
    for (labels, samples) in data {
        dump.series(labels.clone());
        for float in samples.floats {
            let value = f64::from_bits(float.bits);
            dump.floats(&labels, &[float.ts], &[value], Some(&[float.start_ts]));
        }
        for native in samples.natives {
            let (ts, starts) = ([native.ts], [native.start_ts]);
            dump.histograms(&labels, &ts, &[native.histogram], Some(&starts));
        }
    }
    dump.finish()
}

async fn round_trip(kind: &str) -> BlockMeta {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), kind);
    let out = scratch.path().join("out");
    let meta = converted(&dir, &out, external()).expect("the block converts");
    let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
    commit(&bucket, &out, &meta).await.expect("the block is committed");
    let stoa = dump(read(&bucket, &meta).await.expect("the block reads"));
    assert_equal(&stoa, &by_prometheus(&dir), kind);
    meta
}

#[tokio::test]
async fn every_encoding_survives_conversion() {
    let meta = round_trip("encodings").await;
    assert_eq!(meta.external_labels().expect("labels"), external());
    assert_eq!(meta.thanos.source, "test");
    assert_eq!(meta.stoa.bucket_ms, 2 * 3_600_000);
    assert_eq!((meta.compaction.level, meta.compaction.parents.len()), (1, 1));
}

#[tokio::test]
async fn what_tombstones_delete_is_not_converted() {
    round_trip("tombstones").await;
}

#[tokio::test]
async fn an_index_of_version_1_converts() {
    round_trip("v1").await;
}

#[tokio::test]
async fn blocks_of_a_head_convert() {
    round_trip("head").await;
    round_trip("head-st").await;
}

#[tokio::test]
async fn a_long_block_converts_in_time_buckets() {
    let meta = round_trip("long").await;
    assert_eq!(meta.stoa.bucket_ms, 6 * 3_600_000);
}

/// A retry, another folder, a bucket: the same block always becomes the same bytes.
#[tokio::test(flavor = "multi_thread")]
async fn conversion_is_deterministic() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "long");
    let bytes = |out: &Path| -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(out).expect("the folder");
        files
            .map(|file| {
                let path = file.expect("a file").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read(path).expect("the file"))
            })
            .collect()
    };
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    let meta = converted(&dir, &first, external()).expect("the block converts");
    let options = ConvertOptions::new(external(), "test");
    let id = converted_id(&LocalBlock::new(&dir), &options).expect("the id is known before");
    assert_eq!(id, meta.ulid);

    let store = object_store::local::LocalFileSystem::new_with_prefix(scratch.path());
    let bucket = Bucket::new(Arc::new(store.expect("a folder")), "folder");
    let files = BucketBlock::open(&bucket, "long").await.expect("the block is listed");
    std::fs::create_dir_all(&second).expect("a folder");
    let out = second.clone();
    let again = tokio::task::spawn_blocking(move || convert(Arc::new(files), &out, &options));
    let again = again.await.expect("no panic").expect("the block converts");
    assert_eq!(meta, again);
    assert!(bytes(&first) == bytes(&second), "the same bytes in all files");
}

/// Labels and tombstones make another block, so they have another id.
#[test]
fn the_id_follows_from_what_is_converted() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "encodings");
    let other = write_block(scratch.path(), "tombstones");
    let id = |dir: &Path, labels: Labels| {
        let options = ConvertOptions::new(labels, "test");
        converted_id(&LocalBlock::new(dir), &options).expect("an id")
    };
    let plain = id(&dir, external());
    assert_eq!(id(&dir, external()), plain);
    assert_ne!(id(&dir, Labels::new([("replica", "b")]).expect("labels")), plain);
    std::fs::copy(other.join("tombstones"), dir.join("tombstones")).expect("the file is copied");
    assert_ne!(id(&dir, external()), plain);
}

#[test]
fn external_labels_come_from_the_caller_or_the_block() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "head");
    let out = scratch.path().join("out");
    let error = converted(&dir, &out, Labels::empty()).expect_err("there are no labels");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("head has no external labels"), "{error}");

    change_meta(&dir, |meta| meta["thanos"] = serde_json::json!({"labels": {"replica": "z"}}));
    let meta = converted(&dir, &out, Labels::empty()).expect("the block converts");
    assert_eq!(meta.thanos.labels, BTreeMap::from([("replica".to_owned(), "z".to_owned())]));
    let out = scratch.path().join("given");
    let meta = converted(&dir, &out, external()).expect("the block converts");
    assert_eq!(meta.external_labels().expect("labels"), external());
}

fn change_meta(dir: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let text = std::fs::read(dir.join("meta.json")).expect("meta.json");
    let mut meta = serde_json::from_slice(&text).expect("JSON");
    change(&mut meta);
    std::fs::write(dir.join("meta.json"), meta.to_string()).expect("meta.json is written");
}

#[test]
fn missing_samples_are_not_passed_over() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "head");
    change_meta(&dir, |meta| {
        let stats = &mut meta["stats"];
        let count = stats["numFloatSamples"].as_u64().expect("a count");
        stats["numFloatSamples"] = (count + 1).into();
        stats["numSamples"] = (stats["numSamples"].as_u64().expect("a count") + 1).into();
    });
    let error =
        converted(&dir, &scratch.path().join("out"), external()).expect_err("one is missing");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("head/meta.json: the block says it has"), "{error}");
}

#[test]
fn downsampled_blocks_are_unsupported() {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), "head");
    change_meta(&dir, |meta| {
        meta["thanos"] =
            serde_json::json!({"labels": {"a": "b"}, "downsample": {"resolution": 300_000}});
    });
    let error = converted(&dir, &scratch.path().join("out"), external()).expect_err("unsupported");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("downsampled to 300000 ms"), "{error}");
}
