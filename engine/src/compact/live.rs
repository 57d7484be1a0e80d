//! The list of live files, for readers without a catalog: `stoa/v1/files.json`, one line of JSON a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::block::{BlockId, BlockMeta};
use crate::bucket::Bucket;
use crate::catalog::Survey;
use crate::catalog::covered::covered;
use crate::{Error, Result};

/// The path of the list.
pub const FILES: &str = "stoa/v1/files.json";

/// A line of the list.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// The object's path in the bucket.
    path: String,
    block: BlockId,
    /// What it has: `series`, `samples`, `histograms`, `metadata`.
    kind: &'a str,
    /// Milliseconds a window; 0 is raw.
    resolution: i64,
    /// In ms; `max_time` is not part of the block.
    min_time: i64,
    max_time: i64,
    rows: u64,
    size_bytes: u64,
    /// The external labels.
    labels: &'a BTreeMap<String, String>,
}

/// The list of the files of all blocks that are sound, not marked, and not covered by another one.
///
/// # Errors
/// [`Internal`](crate::ErrorKind::Internal) only for a bug.
pub fn list(survey: &Survey) -> Result<String> {
    let live = survey.blocks.iter().filter(|block| !block.is_marked());
    let metas: Vec<Arc<BlockMeta>> = live.map(|block| Arc::clone(&block.meta)).collect();
    let by = covered(&metas);
    let mut text = String::new();
    for meta in metas.iter().zip(by).filter(|(_, by)| by.is_none()).map(|(meta, _)| meta) {
        for file in &meta.stoa.files {
            let line = Line {
                path: BlockMeta::path(meta.ulid, &file.name),
                block: meta.ulid,
                kind: file.name.split(['.', '-']).next().unwrap_or_default(),
                resolution: meta.thanos.downsample.resolution,
                min_time: meta.min_time,
                max_time: meta.max_time,
                rows: file.rows,
                size_bytes: file.size_bytes,
                labels: &meta.thanos.labels,
            };
            let line = serde_json::to_string(&line)
                .map_err(|e| Error::internal("list of files").with_source(e))?;
            text.push_str(&line);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Replaces the list in the bucket.
pub async fn replace(bucket: &Bucket, survey: &Survey) -> Result<()> {
    bucket.put(FILES, list(survey)?.into()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::mark::DeletionMark;
    use crate::block::meta::FileMeta;
    use crate::catalog::{Marks, Surveyed};
    use crate::compact::plan::tests::block;

    #[test]
    fn files_of_live_blocks_are_listed() {
        let surveyed = |text: &str, marked: bool| {
            let mut meta = block(text).meta.as_ref().clone();
            let file = |name: &str| FileMeta {
                name: name.to_owned(),
                size_bytes: 9,
                rows: 3,
                tail_offset: 0,
                tail_crc32c: 0,
                chunk_crc32c: Vec::new(),
            };
            meta.stoa.files = vec![file("series.parquet"), file("metadata-00.parquet")];
            let mark = DeletionMark::new(meta.ulid, "", None, 0);
            let marks = Marks { deletion: marked.then_some(mark), ..Marks::default() };
            Surveyed { meta: Arc::new(meta), uploaded: 0, marks }
        };
        let survey = Survey {
            blocks: vec![
                surveyed("a r 0-2", false),
                surveyed("b - 0-2", true),
                surveyed("day - 0-24 <a,b 5m", false),
                surveyed("all - 0-24 <a,b", false),
            ],
            ..Survey::default()
        };
        let text = list(&survey).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<(&str, i64)> = lines
            .iter()
            .map(|line| (line["kind"].as_str().unwrap(), line["resolution"].as_i64().unwrap()))
            .collect();
        let five = 300_000;
        assert_eq!(kinds, [("series", five), ("metadata", five), ("series", 0), ("metadata", 0)]);
        assert_eq!(lines[2]["labels"]["cluster"], "c");
        let path = lines[3]["path"].as_str().unwrap();
        assert!(path.starts_with("stoa/v1/blocks/") && path.ends_with("/metadata-00.parquet"));
    }
}
