//! Prometheus' blocks, and what the bucket has of them.

use std::path::{Path, PathBuf};

use engine::bucket::{BLOCKS_PREFIX, Bucket};
use ingest::sidecar::shipper::{RECORD_FILE, Record};
use serde_json::Value;

use super::place::{NAMES, Place, Role};
use super::samples::{Samples, add_block, assert_same, of_store};

impl Place {
    /// The end of the newest block of each replica that the store has, if it has some of both.
    pub(super) async fn loaded_until(&self) -> Option<[i64; 2]> {
        let json = self.api(Role::Store, "/api/v1/blocks", &[]).await?;
        let blocks = json["data"]["blocks"].as_array()?;
        let newest = |replica: usize| {
            let name = NAMES[replica];
            let own = blocks.iter().filter(|b| b["thanos"]["labels"]["replica"] == name);
            own.filter_map(|block| block["maxTime"].as_i64()).max()
        };
        Some([newest(0)?, newest(1)?])
    }

    /// Waits until every block that is finished now is in the bucket, and fails if what the store
    /// gives of these times is not, to the bit, what Prometheus' own reader finds in its blocks.
    pub(super) async fn blocks_are_those_of_prometheus(&mut self) {
        for replica in 0..2 {
            let finished = blocks_of(&self.data(replica));
            // It ships at once when it starts.
            self.restart(Role::Sidecar(replica)).await;
            let ids: Vec<String> = finished.iter().map(|block| name(block)).collect();
            let record = self.data(replica).join(RECORD_FILE);
            self.until("the record of shipped blocks", async |_| {
                let record = Record::read(&record).expect("the record is whole");
                let shipped: Vec<String> =
                    record.uploaded.iter().map(ToString::to_string).collect();
                ids.iter().all(|id| shipped.contains(id))
            })
            .await;
            let end = finished.iter().map(|block| max_time(block)).max().expect("blocks");
            self.until("the store has all blocks", async |place| {
                place.loaded_until().await.is_some_and(|until| until[replica] >= end)
            })
            .await;
            let mut wanted = Samples::new();
            for block in &finished {
                add_block(&mut wanted, block, &self.external(replica));
            }
            let got = of_store(self.grpc[Role::Store.at()], NAMES[replica], end).await;
            assert_same(&got, &wanted);
            self.each_block_once(&finished).await;
        }
        self.all_ready().await;
    }

    /// Each of Prometheus' blocks is the parent of one block of the bucket.
    async fn each_block_once(&self, finished: &[PathBuf]) {
        let bucket = Bucket::from_yaml(&self.objstore()).expect("a bucket");
        let mut parents = Vec::new();
        for name in bucket.list_dirs(BLOCKS_PREFIX).await.expect("a listing") {
            let meta = bucket.get(&format!("{BLOCKS_PREFIX}/{name}/meta.json")).await;
            // Without it there is no block.
            let Ok(meta) = meta else { continue };
            let meta: Value = serde_json::from_slice(&meta).expect("JSON");
            parents
                .push(meta["compaction"]["parents"][0]["ulid"].as_str().expect("an id").to_owned());
        }
        for block in finished {
            let name = name(block);
            let times = parents.iter().filter(|parent| **parent == name).count();
            assert_eq!(times, 1, "{name} is in the bucket {times} times");
        }
    }
}

/// The finished blocks of a data folder, by name.
pub(super) fn blocks_of(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).expect("a folder").map(|e| e.expect("an entry").path());
    let finished =
        |path: &PathBuf| path.join("meta.json").is_file() && !name(path).contains(".tmp-for-");
    let mut blocks: Vec<PathBuf> = entries.filter(finished).collect();
    blocks.sort();
    blocks
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn max_time(block: &Path) -> i64 {
    let meta = std::fs::read(block.join("meta.json")).expect("a meta.json");
    let meta: Value = serde_json::from_slice(&meta).expect("JSON");
    meta["maxTime"].as_i64().expect("a time")
}
