//! What has come into the store in this run, as its `/api/v1/blocks` lists it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use chrono::DateTime;
use engine::block::{BlockId, BlockMeta};
use serde::Deserialize;

use super::answer;

/// The blocks of a store, watched.
#[derive(Debug)]
pub(super) struct Blocks {
    client: reqwest::Client,
    url: String,
    replica_label: String,
    since_ms: i64,
    /// The end, in ms, of the newest block of each replica that was scraped in this run.
    newest: BTreeMap<String, Option<i64>>,
    /// The blocks that are known.
    known: BTreeSet<BlockId>,
    /// How many of them have come in this run.
    arrived: usize,
    /// Whether the store was looked at.
    looked: bool,
}

#[derive(Debug, Deserialize)]
struct Listed {
    blocks: Vec<BlockMeta>,
}

impl Blocks {
    /// Those of the store at `url`. This run began at `since_ms`.
    pub(super) fn new(
        url: String,
        replica_label: &str,
        replicas: &[String],
        since_ms: i64,
    ) -> Self {
        Self {
            client: reqwest::Client::new(),
            url,
            replica_label: replica_label.to_owned(),
            since_ms,
            newest: replicas.iter().map(|name| (name.clone(), None)).collect(),
            known: BTreeSet::new(),
            arrived: 0,
            looked: false,
        }
    }

    /// Looks at the store. Returns a line for each block that has come since the last look.
    pub(super) async fn look(&mut self) -> anyhow::Result<Vec<String>> {
        let url = format!("{}/api/v1/blocks", self.url);
        let Listed { mut blocks } = answer::get(&self.client, &url, &[]).await?;
        blocks.sort_by_key(|block| (block.min_time, block.ulid));
        let lines = blocks.iter().filter_map(|block| self.take_note(block)).collect();
        self.looked = true;
        Ok(lines)
    }

    fn take_note(&mut self, block: &BlockMeta) -> Option<String> {
        let replica = block.thanos.labels.get(&self.replica_label)?;
        let of_this_run = block.min_time >= self.since_ms;
        let newest = self.newest.get_mut(replica)?;
        if !self.known.insert(block.ulid) {
            return None;
        }
        if of_this_run {
            *newest = (*newest).max(Some(block.max_time));
        } else if !self.looked {
            // Of an earlier run.
            return None;
        }
        self.arrived += 1;
        let bytes = block.stoa.files.iter().map(|file| file.size_bytes).sum::<u64>();
        Some(format!(
            "  {replica}: {}, {} to {} UTC, {} samples of {} series, {} KiB",
            block.ulid,
            clock(block.min_time),
            clock(block.max_time),
            block.stats.num_samples,
            block.stats.num_series,
            bytes.div_ceil(1024)
        ))
    }

    /// Until when, in ms, the store has blocks of this run from every replica; an error says from
    /// whom it has none.
    pub(super) fn all_have_until(&self) -> anyhow::Result<i64> {
        let waiting: Vec<&str> =
            self.newest.iter().filter(|(_, end)| end.is_none()).map(|(n, _)| n.as_str()).collect();
        let Some(end) = self.newest.values().flatten().min() else {
            bail!(
                "waiting for the first blocks (Prometheus cuts them after 100 to 160 s, sidecars ship them within 30 s)"
            )
        };
        if !waiting.is_empty() {
            bail!("waiting for the first block of replica {}", waiting.join(" and "));
        }
        Ok(*end)
    }

    /// How many there are, and how old the newest is at `now_ms`.
    pub(super) fn state(&self, now_ms: i64) -> String {
        let newest = self.newest.values().flatten().max().copied().unwrap_or_default();
        let age = (now_ms - newest) / 1000;
        format!("{} blocks came into the store, the newest ends {age} s ago", self.arrived)
    }
}

/// A time in ms as `12:03:59`.
pub(super) fn clock(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |t| t.format("%T").to_string())
}
