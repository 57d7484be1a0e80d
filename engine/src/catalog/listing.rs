//! One listing of the bucket, as blocks and their objects.

use std::collections::BTreeMap;

use crate::Result;
use crate::block::meta::{BlockId, BlockMeta};
use crate::bucket::{BLOCKS_PREFIX, Bucket, Object};

/// The objects of one block's folder, by name.
#[derive(Debug, Default)]
pub(super) struct Listed {
    objects: BTreeMap<String, Object>,
}

impl Listed {
    /// An object of the folder. `meta.json` makes a block: without it the block does not exist yet, or not
    /// any more.
    pub(super) fn get(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }

    /// The names of its objects.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// When the last of its objects was written, in ms.
    pub(super) fn newest(&self) -> i64 {
        self.objects.values().map(|object| object.modified).max().unwrap_or(i64::MIN)
    }

    /// Whether all objects that `meta` names are there, whole; else what is missing.
    pub(super) fn check(&self, meta: &BlockMeta) -> Result<(), String> {
        for file in &meta.stoa.files {
            match self.objects.get(&file.name) {
                None => return Err(format!("{} is missing", file.name)),
                Some(&Object { size_bytes: size, .. }) if size != file.size_bytes => {
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
            let name = name.to_owned();
            blocks.entry(id).or_default().objects.insert(name, object);
        }
    }
    Ok(blocks)
}
