//! A sidecar that is killed again and again loses no sample and ships none twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::block::{BlockMeta, verify};
use engine::bucket::{BLOCKS_PREFIX, Bucket};
use engine::model::Labels;
use ingest::convert::{ConvertOptions, convert};
use ingest::sidecar::shipper::{RECORD_FILE, Record};
use ingest::tsdb::LocalBlock;
use tokio::io::AsyncBufReadExt as _;

use super::place::{command, shipping};
use crate::support::prometheus::{Prometheus, link_tree};
use crate::support::{data_set_kills, free_address, scratch};

const CONFIG: &str = "global:\n  external_labels: {cluster: eu, replica: a}\n";

/// How often a sidecar is killed; before each, Prometheus finishes another block.
const KILLS: usize = 12;

/// No life is longer.
const LONGEST: Duration = Duration::from_secs(60);

fn labels() -> Labels {
    Labels::new([("cluster", "eu"), ("replica", "a")]).expect("labels")
}

/// The folders of blocks in `data`, by name.
fn blocks_of(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).expect("a folder").map(|e| e.expect("an entry").path());
    let mut blocks: Vec<PathBuf> =
        entries.filter(|path| path.join("meta.json").is_file()).collect();
    blocks.sort();
    blocks
}

/// What a direct conversion makes of a block.
fn direct(block: &Path) -> BlockMeta {
    let out = scratch();
    let files = Arc::new(LocalBlock::new(block));
    let options = ConvertOptions::new(labels(), "sidecar");
    convert(files, out.path(), &options).expect("the block converts")
}

/// The committed blocks, each checked to the last bit.
async fn shipped(bucket: &Bucket) -> Vec<BlockMeta> {
    let mut metas = Vec::new();
    for name in bucket.list_dirs(BLOCKS_PREFIX).await.expect("a listing") {
        let meta = bucket.get(&format!("{BLOCKS_PREFIX}/{name}/meta.json")).await;
        let meta = BlockMeta::from_json(&meta.expect("a meta.json")).expect("a meta.json");
        let report = verify(bucket, meta.ulid).await.expect("the bucket reads");
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        metas.push(meta);
    }
    metas
}

/// How long a sidecar lives.
#[derive(Debug, Clone, Copy)]
enum Life {
    /// So long after its start.
    FromStart(Duration),
    /// So long after it knows its Prometheus and begins to ship.
    FromReady(Duration),
    /// Until all is shipped.
    Whole,
}

/// Runs a sidecar for its life, and kills it.
async fn round(prometheus: &Prometheus, bucket: &Path, native: bool, life: Life) {
    let data = prometheus.data();
    let mut command = command(&prometheus.url(), free_address(), free_address());
    shipping(&mut command, &data, bucket);
    if native {
        command.arg("--shipper.also-upload-tsdb");
    }
    let mut child = tokio::process::Command::from(command)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("stoa runs");
    let mut lines = tokio::io::BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let wanted = blocks_of(&data).len();
    let mut deadline = Instant::now()
        + match life {
            Life::FromStart(life) => life,
            Life::FromReady(_) | Life::Whole => LONGEST,
        };
    loop {
        let record = Record::read(&data.join(RECORD_FILE)).expect("the record is whole");
        if matches!(life, Life::Whole) && record.uploaded.len() == wanted {
            break;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left.min(Duration::from_millis(50)), lines.next_line()).await {
            Ok(Ok(Some(line))) => match life {
                Life::FromReady(life) if line.contains("the Prometheus is known") => {
                    deadline = Instant::now() + life;
                }
                _ => {}
            },
            Ok(_) => panic!("the sidecar ended by itself"),
            Err(_) if left.is_zero() => {
                assert!(!matches!(life, Life::Whole), "not all is shipped: {record:?} of {wanted}");
                break;
            }
            Err(_) => {}
        }
    }
    // SIGKILL.
    child.kill().await.expect("it is our child");
}

async fn killed_again_and_again(native: bool) {
    let all = blocks_of(&data_set_kills());
    assert!(all.len() >= KILLS, "a block a round: {}", all.len());
    let prometheus = Prometheus::start(CONFIG, &[], &[]).await;
    let (data, folder) = (prometheus.data(), scratch());
    // Moments are spread over what a start and the shipping of a few blocks take.
    let mut moment = 0x2545_f491_4f6c_dd1d_u64;
    for block in &all[..KILLS] {
        let name = block.file_name().expect("a name");
        // As Prometheus does: complete, then renamed.
        let unfinished = data.join(format!("{}.tmp-for-creation", name.display()));
        link_tree(block, &unfinished);
        std::fs::rename(&unfinished, data.join(name)).expect("a rename");
        moment ^= moment << 13;
        moment ^= moment >> 7;
        moment ^= moment << 17;
        let life = match moment % 4 {
            0 => Life::FromStart(Duration::from_millis(moment / 4 % 500)),
            _ => Life::FromReady(Duration::from_millis(moment / 4 % 600)),
        };
        round(&prometheus, folder.path(), native, life).await;
    }
    round(&prometheus, folder.path(), native, Life::Whole).await;

    let yaml = format!("type: FILESYSTEM\nconfig: {{directory: {}}}", folder.path().display());
    let bucket = Bucket::from_yaml(&yaml).expect("a bucket");
    let shipped = shipped(&bucket).await;
    let sources = blocks_of(&data);
    assert_eq!(shipped.len(), sources.len(), "each block once");
    let by_parent: BTreeMap<String, &BlockMeta> =
        shipped.iter().map(|meta| (meta.compaction.parents[0].ulid.to_string(), meta)).collect();
    for source in &sources {
        let name = source.file_name().expect("a name").to_string_lossy().into_owned();
        let (meta, direct) = (by_parent[&name], direct(source));
        assert_eq!(meta.stoa.digest, direct.stoa.digest, "the samples of {name}");
        assert_eq!(meta.stats.num_samples, direct.stats.num_samples);
        assert_eq!(meta.ulid, direct.ulid);
        assert_eq!(bucket.head(&format!("{name}/meta.json")).await.is_ok(), native);
        if native {
            native_block(&bucket, source, &name).await;
        }
    }
}

/// The block lies beside Stoa's as Thanos wants it, byte for byte but for `meta.json`.
async fn native_block(bucket: &Bucket, source: &Path, name: &str) {
    for file in ["index", "chunks/000001"] {
        let there = bucket.get(&format!("{name}/{file}")).await.expect("a file");
        assert!(there == std::fs::read(source.join(file)).expect("a file"), "{name}/{file}");
    }
    let meta = bucket.get(&format!("{name}/meta.json")).await.expect("a meta.json");
    let meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
    let thanos = &meta["thanos"];
    assert_eq!(meta["ulid"], name);
    assert_eq!(thanos["labels"], serde_json::json!({"cluster": "eu", "replica": "a"}));
    assert_eq!((&thanos["source"], &thanos["version"]), (&"sidecar".into(), &1.into()));
    assert_eq!(thanos["downsample"]["resolution"], 0);
    assert_eq!(thanos["segment_files"], serde_json::json!(["000001"]));
    let files = thanos["files"].as_array().expect("files");
    let paths: Vec<&str> = files.iter().filter_map(|file| file["rel_path"].as_str()).collect();
    assert_eq!(paths, ["chunks/000001", "index", "meta.json"]);
    let index = std::fs::metadata(source.join("index")).expect("a file").len();
    assert_eq!(files[1]["size_bytes"], index);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_by_kills() {
    killed_again_and_again(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_blocks_come_too_through_kills() {
    killed_again_and_again(true).await;
}
