//! One listing of the bucket, as blocks and their objects.

use std::collections::{BTreeMap, HashMap};

use crate::Result;
use crate::block::meta::{BlockId, BlockMeta, META_FILE};
use crate::bucket::{BLOCKS_PREFIX, Bucket};

/// Thanos' mark on a block that will be removed.
pub(super) const DELETION_MARK: &str = "deletion-mark.json";

/// The objects of one block's folder: name to size.
#[derive(Debug, Default)]
pub(super) struct Listed {
    objects: HashMap<String, u64>,
}

impl Listed {
    /// The size of its `meta.json`; without it the block does not exist yet, or not any more.
    pub(super) fn meta_bytes(&self) -> Option<u64> {
        self.objects.get(META_FILE).copied()
    }

    /// Whether there is a deletion mark.
    pub(super) fn is_marked(&self) -> bool {
        self.objects.contains_key(DELETION_MARK)
    }

    /// Whether all objects that `meta` names are there, whole; else what is missing.
    pub(super) fn check(&self, meta: &BlockMeta) -> Result<(), String> {
        for file in &meta.stoa.files {
            match self.objects.get(&file.name) {
                None => return Err(format!("{} is missing", file.name)),
                Some(&size) if size != file.size_bytes => {
                    return Err(format!(
                        "{} has {size} bytes, meta.json says {}",
                        file.name, file.size_bytes
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Lists all block folders. Whatever is not inside a folder with a block's name is left alone.
pub(super) async fn list(bucket: &Bucket) -> Result<BTreeMap<BlockId, Listed>> {
    let mut blocks: BTreeMap<BlockId, Listed> = BTreeMap::new();
    for object in bucket.list(BLOCKS_PREFIX).await? {
        let inside = object.path.strip_prefix(BLOCKS_PREFIX).and_then(|p| p.strip_prefix('/'));
        let Some((folder, name)) = inside.and_then(|path| path.split_once('/')) else { continue };
        let Ok(id) = folder.parse::<BlockId>() else { continue };
        // A ULID reads in lower case too, and that would be another folder.
        if id.to_string() == folder {
            blocks.entry(id).or_default().objects.insert(name.to_owned(), object.size_bytes);
        }
    }
    Ok(blocks)
}
