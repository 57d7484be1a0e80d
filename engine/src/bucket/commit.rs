//! Commit and removal of blocks: `meta.json` is written last and removed first.

use std::path::Path;

use crate::block::BlockMeta;
use crate::block::meta::{BlockId, META_FILE};
use crate::{Error, Result};

use super::{BLOCKS_PREFIX, Bucket, Created};

/// Uploads the block in the local folder `dir` and makes it visible: data objects first, `meta.json`
/// last and only if there is none. A block that is there with the same `meta.json` is a success
/// ([`Created::Same`]); another `meta.json` under the same id is an error.
pub async fn commit(bucket: &Bucket, dir: &Path, meta: &BlockMeta) -> Result<Created> {
    let base = format!("{BLOCKS_PREFIX}/{}", meta.ulid);
    for file in &meta.stoa.files {
        bucket.put_file(&format!("{base}/{}", file.name), &dir.join(&file.name)).await?;
    }
    let text = std::fs::read(dir.join(META_FILE))
        .map_err(|e| Error::invalid(format!("{}", dir.display())).with_source(e))?;
    bucket.create(&format!("{base}/{META_FILE}"), text.into()).await
}

/// Removes a block: `meta.json` first, so that no reader sees half of it.
pub async fn delete_block(bucket: &Bucket, id: BlockId) -> Result<()> {
    let base = format!("{BLOCKS_PREFIX}/{id}");
    bucket.delete(&format!("{base}/{META_FILE}")).await?;
    for object in bucket.list(&base).await? {
        bucket.delete(&object.path).await?;
    }
    Ok(())
}
