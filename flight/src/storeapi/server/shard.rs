//! Which series belong to a shard (`pkg/store/storepb/shard_info.go`).

use engine::model::Labels;
use proto::thanos::ShardInfo;
use xxhash_rust::xxh64::xxh64;

/// A shard's test of series.
#[derive(Debug)]
pub(crate) struct Shard {
    index: u64,
    total: u64,
    by: bool,
    names: Vec<String>,
    text: Vec<u8>,
}

impl Shard {
    /// The shard that a request asks for; none if it wants all series. The request is checked.
    pub(crate) fn new(info: Option<ShardInfo>) -> Option<Self> {
        let ShardInfo { shard_index, total_shards, by, labels } = info?;
        let total = u64::try_from(total_shards).ok().filter(|&total| total > 0)?;
        let index = u64::try_from(shard_index).ok()?;
        Some(Self { index, total, by, names: labels, text: Vec::new() })
    }

    /// Whether the series is in the shard: by the hash of the labels named, or of all others.
    pub(crate) fn has(&mut self, labels: &Labels) -> bool {
        self.text.clear();
        for label in labels {
            let named = self.names.iter().any(|name| **name == *label.name);
            if named == self.by {
                self.text.extend_from_slice(label.name.as_bytes());
                self.text.push(0xff);
                self.text.extend_from_slice(label.value.as_bytes());
                self.text.push(0xff);
            }
        }
        xxh64(&self.text, 0) % self.total == self.index
    }
}
