//! The block as Prometheus wrote it, beside Stoa's: the way back to Thanos
//! (`--shipper.also-upload-tsdb`).
//!
//! It lies where Thanos looks, `<ULID>/` at the top of the bucket, with Thanos' section in
//! `meta.json`. As there, chunks and index go first and `meta.json` last (`pkg/block.Upload`).

use std::path::{Path, PathBuf};

use engine::bucket::Bucket;
use engine::model::Labels;
use engine::{Error, ErrorKind, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::tsdb::TsdbMeta;
use crate::tsdb::meta::META_FILE;

use super::unreadable;

const INDEX_FILE: &str = "index";

/// A file of the block, by its path inside.
struct File {
    path: String,
    size: u64,
}

/// Uploads the block in the folder `dir` unless it is there; returns whether it was not.
pub(super) async fn upload(
    bucket: &Bucket,
    dir: &Path,
    meta: &TsdbMeta,
    labels: &Labels,
    source: &str,
    concurrency: usize,
) -> Result<bool> {
    let base = meta.ulid.to_string();
    let meta_path = format!("{base}/{META_FILE}");
    match bucket.head(&meta_path).await {
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let segments = segments(dir)?;
    let index = file(dir, INDEX_FILE)?;
    let text = thanos_meta(dir, labels, source, &segments, &index)?;
    let send = |file: &File| {
        let (to, from, size) = (format!("{base}/{}", file.path), dir.join(&file.path), file.size);
        async move {
            bucket.put_file(&to, &from).await?;
            let arrived = bucket.head(&to).await?;
            if arrived != size {
                let what = format!("{}/{to}: {arrived} bytes arrived of {size}", bucket.name());
                return Err(Error::new(ErrorKind::Unavailable, what));
            }
            Ok(())
        }
    };
    let sends: Vec<_> = segments.iter().map(send).collect();
    stream::iter(sends).buffer_unordered(concurrency.max(1)).try_collect::<()>().await?;
    send(&index).await?;
    bucket.put(&meta_path, text.into()).await?;
    Ok(true)
}

/// The segments of chunks, in order of their names.
fn segments(dir: &Path) -> Result<Vec<File>> {
    let chunks = dir.join("chunks");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&chunks).map_err(|e| unreadable(&chunks, e))? {
        let path: PathBuf = entry.map_err(|e| unreadable(&chunks, e))?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            names.push(format!("chunks/{name}"));
        }
    }
    names.sort_unstable();
    names.iter().map(|name| file(dir, name)).collect()
}

fn file(dir: &Path, path: &str) -> Result<File> {
    let full = dir.join(path);
    let size = std::fs::metadata(&full).map_err(|e| unreadable(&full, e))?.len();
    Ok(File { path: path.to_owned(), size })
}

/// The block's `meta.json` with Thanos' section (`pkg/block/metadata.Thanos`): what Prometheus wrote
/// stays as it is.
fn thanos_meta(
    dir: &Path,
    labels: &Labels,
    source: &str,
    segments: &[File],
    index: &File,
) -> Result<Vec<u8>> {
    let path = dir.join(META_FILE);
    let text = std::fs::read(&path).map_err(|e| unreadable(&path, e))?;
    let corrupt = |e| Error::corrupt(path.display().to_string()).with_source(e);
    let mut meta: Map<String, Value> = serde_json::from_slice(&text).map_err(corrupt)?;
    let labels: Map<String, Value> = labels
        .iter()
        .map(|label| (label.name.to_string(), Value::from(label.value.as_ref())))
        .collect();
    let names = segments.iter().map(|segment| segment.path.trim_start_matches("chunks/"));
    let sized = |file: &File| json!({"rel_path": file.path, "size_bytes": file.size});
    // In order of their paths; the file that lists them cannot know its size.
    let files = segments.iter().chain([index]).map(sized);
    let thanos = json!({
        "version": 1,
        "labels": labels,
        "downsample": {"resolution": 0},
        "source": source,
        "segment_files": names.collect::<Vec<_>>(),
        "files": files.chain([json!({"rel_path": META_FILE})]).collect::<Vec<_>>(),
        "index_stats": {},
    });
    meta.insert("thanos".to_owned(), thanos);
    let mut text = Vec::new();
    let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    meta.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs))
        .map_err(|e| Error::internal("writing meta.json").with_source(e))?;
    text.push(b'\n');
    Ok(text)
}
