//! The queries that run now, in a file that outlives the process: after a crash it tells which queries
//! were under way (`promql/query_logger.go`; `queries.active`, one slot a query).
//!
//! ```text
//! [{"query":"sum(up)","timestamp_sec":1795650030} 0 0 0 … ,{"query":…
//!  └──────────────── 1,000 bytes a slot, the last one a comma ────┘
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a slot.
const SLOT: usize = 1000;
const NAME: &str = "queries.active";

/// The slots of a file.
#[derive(Debug)]
pub struct ActiveQueries {
    file: File,
    free: Mutex<Vec<usize>>,
}

/// A query that runs; its slot is cleared when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    queries: Arc<ActiveQueries>,
    slot: usize,
}

impl ActiveQueries {
    /// Makes the file in `folder` anew, with `slots` slots. Queries that it had before did not end: they
    /// are returned, as JSON.
    ///
    /// # Errors
    /// If the folder cannot be made or the file cannot be written.
    pub fn create(folder: &Path, slots: usize) -> io::Result<(Self, Vec<String>)> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(NAME);
        let unfinished = std::fs::read(&path).map(|bytes| entries(&bytes)).unwrap_or_default();
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        file.set_len(1 + (slots * SLOT) as u64)?;
        file.write_all_at(b"[", 0)?;
        Ok((Self { file, free: Mutex::new((0..slots).rev().collect()) }, unfinished))
    }

    /// Notes a query; none if all slots are taken.
    pub(super) fn begin(self: &Arc<Self>, query: &str) -> Option<Running> {
        let slot = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        self.write(slot, &entry(query, chrono::Utc::now().timestamp()));
        Some(Running { queries: Arc::clone(self), slot })
    }

    /// A file that cannot be written stops no query.
    fn write(&self, slot: usize, entry: &[u8; SLOT]) {
        if let Err(error) = self.file.write_all_at(entry, 1 + (slot * SLOT) as u64) {
            tracing::warn!(err = %error, "{NAME}: note a query");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.queries.write(self.slot, &[0; SLOT]);
        self.queries.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
    }
}

/// A query as it stands in its slot, cut if it is too long.
fn entry(query: &str, seconds: i64) -> [u8; SLOT] {
    let json =
        |query: &str| serde_json::json!({ "query": query, "timestamp_sec": seconds }).to_string();
    let cut = |end: usize| {
        let end = (0..=end).rev().find(|&at| query.is_char_boundary(at)).unwrap_or(0);
        &query[..end]
    };
    let mut query = cut(query.len().min(SLOT));
    let mut text = json(query);
    while text.len() >= SLOT {
        // A byte of the query is at most six of the text.
        query = cut(query.len().saturating_sub((text.len() - SLOT + 1).div_ceil(6)));
        text = json(query);
    }
    let mut entry = [0; SLOT];
    entry[..text.len()].copy_from_slice(text.as_bytes());
    entry[SLOT - 1] = b',';
    entry
}

/// The entries of a file, however it ends.
fn entries(bytes: &[u8]) -> Vec<String> {
    let slots = bytes.get(1..).unwrap_or_default().chunks(SLOT);
    let text = |slot: &[u8]| {
        let end = slot.iter().position(|&byte| byte == 0).unwrap_or(slot.len());
        String::from_utf8_lossy(&slot[..end]).trim_end_matches(',').to_owned()
    };
    slots.map(text).filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_end_is_told_and_what_did_is_not() {
        let folder = std::env::temp_dir().join(format!("stoa-active-{}", std::process::id()));
        let (queries, unfinished) = ActiveQueries::create(&folder, 2).unwrap();
        assert!(unfinished.is_empty());
        let queries = Arc::new(queries);
        let ended = queries.begin("ended").expect("a slot");
        let long = format!("é\"{}", "x\"".repeat(SLOT));
        let running = queries.begin(&long).expect("a slot");
        assert!(queries.begin("one too many").is_none());
        drop(ended);
        // The process dies here.
        std::mem::forget(running);
        let (queries, unfinished) = ActiveQueries::create(&folder, 2).unwrap();
        assert_eq!(unfinished.len(), 1, "{unfinished:?}");
        let entry: serde_json::Value = serde_json::from_str(&unfinished[0]).expect("JSON");
        let told = entry["query"].as_str().expect("text");
        assert!(long.starts_with(told) && told.len() > SLOT / 2, "{told}");
        assert!(unfinished[0].len() < SLOT && entry["timestamp_sec"].is_i64());
        drop(queries);
        let (_, unfinished) = ActiveQueries::create(&folder, 2).unwrap();
        assert!(unfinished.is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
