//! The shipper brings every finished block into the bucket once, whatever happens meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine::block::{BlockId, BlockMeta};
use engine::bucket::{BLOCKS_PREFIX, Bucket};
use engine::model::Labels;
use engine::{ErrorKind, Result};
use ingest::sidecar::shipper::{RECORD_FILE, Record, Shipped};
use ingest::sidecar::{Shipper, ShipperMetrics, ShipperSettings};
use object_store::memory::InMemory;

use super::dump::write_block;
use super::dying_store::DyingStore;
use crate::block::samples::read;
use crate::support;

/// Writes a block as Prometheus' data folder has it, and returns its id.
fn add_block(data: &Path, kind: &str) -> BlockId {
    let scratch = support::scratch();
    let dir = write_block(scratch.path(), kind);
    let meta = fs::read_to_string(dir.join("meta.json")).expect("meta.json");
    let meta: serde_json::Value = serde_json::from_str(&meta).expect("JSON");
    let id: BlockId = meta["ulid"].as_str().expect("an id").parse().expect("a ULID");
    copy(&dir, &data.join(id.to_string()));
    id
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).expect("a copy");
        }
    }
}

fn change_meta(block: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let text = fs::read(block.join("meta.json")).expect("meta.json");
    let mut meta = serde_json::from_slice(&text).expect("JSON");
    change(&mut meta);
    fs::write(block.join("meta.json"), meta.to_string()).expect("meta.json is written");
}

fn labels() -> Labels {
    Labels::new([("cluster", "test"), ("replica", "a")]).expect("labels")
}

fn shipper(data: &Path, bucket: &Bucket) -> Shipper {
    let settings = ShipperSettings::new(data, labels());
    Shipper::new(bucket.clone(), settings, ShipperMetrics::default()).expect("a shipper")
}

fn memory() -> (Arc<InMemory>, Bucket) {
    let store = Arc::new(InMemory::new());
    (Arc::clone(&store), Bucket::new(store, "memory"))
}

/// The committed blocks of a bucket; each must be whole.
async fn blocks(bucket: &Bucket) -> Vec<BlockMeta> {
    let mut metas = Vec::new();
    for name in bucket.list_dirs(BLOCKS_PREFIX).await.expect("a listing") {
        if let Ok(text) = bucket.get(&format!("{BLOCKS_PREFIX}/{name}/meta.json")).await {
            let meta = BlockMeta::from_json(&text).expect("a meta.json");
            read(bucket, &meta).await.expect("a committed block reads");
            metas.push(meta);
        }
    }
    metas
}

async fn objects(bucket: &Bucket) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    for object in bucket.list("stoa").await.expect("a listing") {
        let bytes = bucket.get(&object.path).await.expect("an object");
        objects.insert(object.path, bytes.to_vec());
    }
    objects
}

fn record(data: &Path) -> Vec<BlockId> {
    Record::read(&data.join(RECORD_FILE)).expect("a record").uploaded
}

#[tokio::test]
async fn finished_blocks_are_shipped_once() {
    let data = support::scratch();
    let (_, bucket) = memory();
    let ids = [add_block(data.path(), "head"), add_block(data.path(), "long")];
    // What is not a finished block: a block that is being written, other folders, no meta.json.
    let unfinished = format!("{}.tmp-for-creation", ids[0]);
    copy(&data.path().join(ids[0].to_string()), &data.path().join(unfinished));
    fs::create_dir_all(data.path().join("wal")).expect("a folder");
    fs::create_dir_all(data.path().join("01M3WYJ800J13JYX576MVGS37B")).expect("a folder");
    // What is not shipped: compacted and empty blocks.
    let compacted = add_block(data.path(), "encodings");
    let level = |meta: &mut serde_json::Value| meta["compaction"]["level"] = 2.into();
    change_meta(&data.path().join(compacted.to_string()), level);
    let empty = add_block(data.path(), "overlap");
    let no_stats = |meta: &mut serde_json::Value| meta["stats"] = serde_json::json!({});
    change_meta(&data.path().join(empty.to_string()), no_stats);

    let shipper = shipper(data.path(), &bucket);
    let first = shipper.sync().await.expect("a pass");
    assert_eq!((first.uploaded.len(), first.failed.len()), (2, 0), "{first:?}");
    let metas = blocks(&bucket).await;
    let mut parents: Vec<BlockId> =
        metas.iter().map(|meta| meta.compaction.parents[0].ulid).collect();
    parents.sort_unstable();
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    assert_eq!(parents, sorted);
    assert!(metas.iter().all(|meta| meta.thanos.source == "sidecar"));
    let mut recorded = record(data.path());
    recorded.sort_unstable();
    assert_eq!(recorded, sorted);
    let work = fs::read_dir(data.path().join("thanos/upload")).expect("the work folder");
    assert_eq!(work.count(), 0, "no work is left behind");

    assert_eq!(shipper.sync().await.expect("a pass"), Shipped::default());
    // A lost record costs a look at the bucket, not an upload.
    fs::remove_file(data.path().join(RECORD_FILE)).expect("the record goes");
    assert_eq!(shipper.sync().await.expect("a pass"), Shipped::default());
    assert_eq!(record(data.path()).len(), 2);
    // A block that Prometheus has deleted leaves the record, not the bucket.
    fs::remove_dir_all(data.path().join(ids[0].to_string())).expect("the block goes");
    shipper.sync().await.expect("a pass");
    assert_eq!(record(data.path()), [ids[1]]);
    assert_eq!(blocks(&bucket).await.len(), 2);
}

/// Killed after each call to the store: what is committed is whole, and the next shipper ends where
/// one would have that was never disturbed.
#[tokio::test]
async fn a_killed_shipper_is_continued_by_the_next() {
    let data = support::scratch();
    add_block(data.path(), "head");
    add_block(data.path(), "head-st");
    let (_, undisturbed) = memory();
    let done = shipper(data.path(), &undisturbed).sync().await.expect("a pass");
    assert_eq!(done.uploaded.len(), 2, "{done:?}");
    let want = objects(&undisturbed).await;
    for calls in 0.. {
        fs::remove_file(data.path().join(RECORD_FILE)).ok();
        let (store, bucket) = memory();
        let dying = DyingStore::new(store, calls);
        let killed = shipper(data.path(), &Bucket::new(Arc::new(dying.clone()), "dying"));
        let killed = killed.sync().await;
        let committed = blocks(&bucket).await.len();
        assert!(record(data.path()).len() <= committed, "only what is committed is recorded");
        if !dying.died() {
            assert!(calls >= 8, "two blocks take more than {calls} calls");
            assert_eq!(killed.expect("a pass").uploaded.len(), 2);
            break;
        }
        assert_eq!(killed.expect_err("it was killed").kind(), ErrorKind::Unavailable);
        // What a killed process leaves on disk.
        let left = data.path().join("thanos/upload/01M3WYJ800J13JYX576MVGS37B/block");
        fs::create_dir_all(&left).expect("a folder");
        fs::write(left.join("samples.parquet"), b"half").expect("a file");
        fs::write(data.path().join(format!("{RECORD_FILE}.tmp")), b"{").expect("a file");
        shipper(data.path(), &bucket).sync().await.expect("the next pass");
        assert_eq!(record(data.path()).len(), 2);
        assert!(objects(&bucket).await == want, "killed after {calls} calls");
    }
}

#[tokio::test]
async fn a_bad_block_does_not_stop_the_others() {
    let data = support::scratch();
    let (_, bucket) = memory();
    let bad = add_block(data.path(), "disorder");
    let good = add_block(data.path(), "head");
    let unreadable = data.path().join("01M3WYJ800J13JYX576MVGS37B");
    fs::create_dir_all(&unreadable).expect("a folder");
    fs::write(unreadable.join("meta.json"), b"{\"ulid\":").expect("a file");
    let mut registry = prometheus_client::registry::Registry::default();
    let settings = ShipperSettings::new(data.path(), labels());
    let metrics = ShipperMetrics::new(&mut registry);
    let shipper = Shipper::new(bucket.clone(), settings, metrics).expect("a shipper");
    let shipped = shipper.sync().await.expect("a pass");
    assert_eq!(shipped.uploaded.len(), 1);
    let failed = shipped.failed.join("\n");
    assert_eq!(shipped.failed.len(), 2, "{failed}");
    assert!(failed.contains(&format!("{bad}/chunks/000001: chunk at byte 8")), "{failed}");
    assert!(failed.contains("01M3WYJ800J13JYX576MVGS37B/meta.json"), "{failed}");
    assert_eq!(record(data.path()), [good]);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("metrics");
    for line in [
        "thanos_shipper_dir_syncs_total 1",
        "thanos_shipper_uploads_total 1",
        "thanos_shipper_upload_failures_total 2",
        "thanos_shipper_corrupted_blocks_total 2",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn compacted_blocks_are_shipped_where_nothing_overlaps() {
    let data = support::scratch();
    let id = add_block(data.path(), "head");
    let dir = data.path().join(id.to_string());
    change_meta(&dir, |meta| meta["compaction"]["level"] = 2.into());
    let ship = async |bucket: &Bucket, external_labels: Labels| -> Result<Shipped> {
        fs::remove_file(data.path().join(RECORD_FILE)).ok();
        let settings = ShipperSettings {
            upload_compacted: true,
            ..ShipperSettings::new(data.path(), external_labels)
        };
        Shipper::new(bucket.clone(), settings, ShipperMetrics::default())?.sync().await
    };
    let (_, bucket) = memory();
    assert_eq!(ship(&bucket, labels()).await.expect("a pass").uploaded.len(), 1);
    // Another Prometheus' block may overlap, this one's must not.
    let other = add_block(data.path(), "encodings");
    fs::remove_dir_all(&dir).expect("the block goes");
    let dir = data.path().join(other.to_string());
    change_meta(&dir, |meta| meta["compaction"]["level"] = 2.into());
    let refused = ship(&bucket, labels()).await.expect("a pass");
    assert!(refused.uploaded.is_empty());
    assert!(refused.failed[0].contains("overlaps"), "{refused:?}");
    let replica = Labels::new([("cluster", "test"), ("replica", "b")]).expect("labels");
    assert_eq!(ship(&bucket, replica).await.expect("a pass").uploaded.len(), 1);
}

#[test]
fn a_shipper_without_external_labels_is_refused() {
    let (_, bucket) = memory();
    let settings = ShipperSettings::new("data", Labels::empty());
    let error = Shipper::new(bucket, settings, ShipperMetrics::default()).expect_err("no labels");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
