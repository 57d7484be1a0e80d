//! Commit and removal of blocks: `meta.json` is written last and removed first.

use std::path::Path;

use crate::block::BlockMeta;
use crate::block::mark::{DeletionMark, Mark};
use crate::block::meta::{BlockId, FileMeta, MAX_META_BYTES, META_FILE};
use crate::{Error, ErrorKind, Result};

use super::{BLOCKS_PREFIX, Bucket, Created};

/// Uploads the block in the local folder `dir` and makes it visible.
///
/// Data objects go first; the size and the tail's CRC of each are then read back; `meta.json` goes
/// last and only if there is none. The same id always means the same bytes, so a retry writes over
/// what an earlier try left, and a block that is there with the same `meta.json` is a success
/// ([`Created::Same`], nothing is uploaded); it may name other [metadata](crate::block::metadata), which
/// are no part of what the id stands for. Another `meta.json` under the same id is an
/// [`Invalid`](ErrorKind::Invalid) error, and the block that is there stays untouched: that is
/// checked before any data object is written over.
pub async fn commit(bucket: &Bucket, dir: &Path, meta: &BlockMeta) -> Result<Created> {
    let context = |e: Error| e.context(format!("commit of block {}", meta.ulid));
    let base = format!("{BLOCKS_PREFIX}/{}", meta.ulid);
    let meta_path = format!("{base}/{META_FILE}");
    let text = std::fs::read(dir.join(META_FILE)).map_err(|e| {
        context(Error::invalid(dir.join(META_FILE).display().to_string()).with_source(e))
    })?;
    if BlockMeta::from_json(&text).ok().as_ref() != Some(meta) {
        return Err(context(Error::internal(format!(
            "{} is not the meta.json of this block",
            dir.join(META_FILE).display()
        ))));
    }
    for file in &meta.stoa.files {
        let path = dir.join(&file.name);
        let size = std::fs::metadata(&path)
            .map_err(|e| context(Error::invalid(path.display().to_string()).with_source(e)))?
            .len();
        if size != file.size_bytes {
            return Err(context(Error::corrupt(format!(
                "{} has {size} bytes, meta.json says {}",
                path.display(),
                file.size_bytes
            ))));
        }
    }
    match there(bucket, &meta_path, meta).await {
        Ok(created) => return Ok(created),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(context(e)),
    }
    for file in &meta.stoa.files {
        let path = format!("{base}/{}", file.name);
        bucket.put_file(&path, &dir.join(&file.name)).await.map_err(context)?;
        read_back(bucket, &path, file).await.map_err(context)?;
    }
    match bucket.create(&meta_path, text.into()).await.map_err(context)? {
        Created::Different => there(bucket, &meta_path, meta).await.map_err(context),
        created => Ok(created),
    }
}

/// What stands in the place of `meta`: the same block, or another one, which is an error. An attempt
/// that was given other metadata made the same block.
async fn there(bucket: &Bucket, path: &str, meta: &BlockMeta) -> Result<Created> {
    let text = match bucket.get_at_most(path, MAX_META_BYTES).await {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::Corrupt => return Err(different(meta.ulid)),
        Err(e) => return Err(e),
    };
    match BlockMeta::from_json(&text) {
        Ok(there) if there.without_metadata() == meta.without_metadata() => Ok(Created::Same),
        _ => Err(different(meta.ulid)),
    }
}

fn different(id: BlockId) -> Error {
    Error::invalid(format!(
        "commit of block {id}: a block with this id and another meta.json is there; it is untouched"
    ))
}

/// Reads the size and the tail of an uploaded object: a torn upload must not be committed.
async fn read_back(bucket: &Bucket, path: &str, file: &FileMeta) -> Result<()> {
    let size = bucket.head(path).await?;
    let torn = |what: String| {
        Err(Error::new(ErrorKind::Unavailable, format!("{}/{path}: {what}", bucket.name())))
    };
    if size != file.size_bytes {
        return torn(format!("{size} bytes arrived of {}", file.size_bytes));
    }
    let tail = bucket.get_range(path, file.tail_offset..file.size_bytes).await?;
    if crc32c::crc32c(&tail) != file.tail_crc32c {
        return torn("the tail that arrived has another CRC32C".to_owned());
    }
    Ok(())
}

/// Removes a block: `meta.json` first, so that no reader sees half of it, then the data, then the
/// deletion mark, which tells that a half-removed block was meant to go. A removal that was cut off is
/// finished by the next.
pub async fn delete_block(bucket: &Bucket, id: BlockId) -> Result<()> {
    let base = format!("{BLOCKS_PREFIX}/{id}");
    let meta_path = format!("{base}/{META_FILE}");
    let mark = format!("{base}/{}", DeletionMark::FILE);
    let mut paths: Vec<String> =
        bucket.list(&base).await?.into_iter().map(|object| object.path).collect();
    paths.sort_by_key(|path| (*path != meta_path, *path == mark));
    for path in paths {
        match bucket.delete(&path).await {
            Ok(()) => {}
            // Another removal was faster.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e.context(format!("removal of block {id}"))),
        }
    }
    Ok(())
}
