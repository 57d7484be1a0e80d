//! Thanos' marks on a block: to be deleted, not to be compacted, not to be downsampled
//! (`pkg/block/metadata/markers.go`). They lie in the block's folder, and a block is not changed by them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::BlockId;
use crate::bucket::{Bucket, Created};
use crate::{Error, ErrorKind, Result};

/// A mark with more bytes than this is not read.
pub const MAX_MARK_BYTES: u64 = 1 << 20;

/// The version of all marks.
const VERSION: u32 = 1;

/// A mark of one kind.
pub trait Mark: Serialize + DeserializeOwned + Send + Sync {
    /// The name of its object.
    const FILE: &'static str;

    /// The block and the version that it says it is of.
    fn of(&self) -> (BlockId, u32);
}

/// The block will be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionMark {
    /// The block.
    pub id: BlockId,
    /// 1.
    pub version: u32,
    /// Why, for people.
    #[serde(default)]
    pub details: String,
    /// When it was marked, in s since 1970.
    pub deletion_time: i64,
    /// The block that has all its samples; Stoa's own field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<BlockId>,
}

/// The block is not to be compacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoCompactMark {
    /// The block.
    pub id: BlockId,
    /// 1.
    pub version: u32,
    /// Why, for people.
    #[serde(default)]
    pub details: String,
    /// When it was marked, in s since 1970.
    pub no_compact_time: i64,
    /// Why, by a word: `manual`, …
    #[serde(default)]
    pub reason: String,
}

/// The block is not to be downsampled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoDownsampleMark {
    /// The block.
    pub id: BlockId,
    /// 1.
    pub version: u32,
    /// Why, for people.
    #[serde(default)]
    pub details: String,
    /// When it was marked, in s since 1970.
    pub no_downsample_time: i64,
    /// Why, by a word: `manual`, …
    #[serde(default)]
    pub reason: String,
}

impl DeletionMark {
    /// The mark that block `id` gets at `now` (ms since 1970).
    pub fn new(id: BlockId, details: &str, replaced_by: Option<BlockId>, now: i64) -> Self {
        let deletion_time = now.div_euclid(1000);
        Self { id, version: VERSION, details: details.to_owned(), deletion_time, replaced_by }
    }
}

impl NoCompactMark {
    /// The mark that block `id` gets at `now` (ms since 1970).
    pub fn new(id: BlockId, reason: &str, details: &str, now: i64) -> Self {
        let no_compact_time = now.div_euclid(1000);
        let (reason, details) = (reason.to_owned(), details.to_owned());
        Self { id, version: VERSION, details, no_compact_time, reason }
    }
}

impl NoDownsampleMark {
    /// The mark that block `id` gets at `now` (ms since 1970).
    pub fn new(id: BlockId, reason: &str, details: &str, now: i64) -> Self {
        let no_downsample_time = now.div_euclid(1000);
        let (reason, details) = (reason.to_owned(), details.to_owned());
        Self { id, version: VERSION, details, no_downsample_time, reason }
    }
}

impl Mark for DeletionMark {
    const FILE: &'static str = "deletion-mark.json";

    fn of(&self) -> (BlockId, u32) {
        (self.id, self.version)
    }
}

impl Mark for NoCompactMark {
    const FILE: &'static str = "no-compact-mark.json";

    fn of(&self) -> (BlockId, u32) {
        (self.id, self.version)
    }
}

impl Mark for NoDownsampleMark {
    const FILE: &'static str = "no-downsample-mark.json";

    fn of(&self) -> (BlockId, u32) {
        (self.id, self.version)
    }
}

/// Reads a mark of block `id`, which lies in `folder`; nothing if there is none.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) for a mark that makes no sense; else the store did not answer.
pub async fn read<M: Mark>(bucket: &Bucket, folder: &str, id: BlockId) -> Result<Option<M>> {
    let path = format!("{folder}/{}", M::FILE);
    let text = match bucket.get_at_most(&path, MAX_MARK_BYTES).await {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mark: M = serde_json::from_slice(&text)
        .map_err(|e| Error::corrupt(format!("{} cannot be read", M::FILE)).with_source(e))?;
    if mark.of() != (id, VERSION) {
        return Err(Error::corrupt(format!("{} has another id or version", M::FILE)));
    }
    Ok(Some(mark))
}

/// Puts a mark into the `folder` of its block; whether there was none. One that is there stays as it is.
pub async fn put<M: Mark>(bucket: &Bucket, folder: &str, mark: &M) -> Result<bool> {
    let path = format!("{folder}/{}", M::FILE);
    let text = serde_json::to_vec_pretty(mark)
        .map_err(|e| Error::internal(path.clone()).with_source(e))?;
    Ok(bucket.create(&path, text.into()).await? == Created::New)
}

/// Takes a mark away; whether there was one.
pub async fn remove<M: Mark>(bucket: &Bucket, folder: &str) -> Result<bool> {
    let path = format!("{folder}/{}", M::FILE);
    match bucket.head(&path).await {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    }
    bucket.delete(&path).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn id(number: u128) -> BlockId {
        BlockId(ulid::Ulid::from_parts(5, number))
    }

    fn json(mark: &impl Mark) -> String {
        serde_json::to_string(mark).unwrap()
    }

    #[test]
    fn marks_are_written_as_thanos_writes_them() {
        let ulid = id(1);
        assert_eq!(
            json(&DeletionMark::new(ulid, "why", None, 7_999)),
            format!(r#"{{"id":"{ulid}","version":1,"details":"why","deletion_time":7}}"#)
        );
        assert_eq!(
            json(&NoCompactMark::new(ulid, "manual", "why", 7_999)),
            format!(
                r#"{{"id":"{ulid}","version":1,"details":"why","no_compact_time":7,"reason":"manual"}}"#
            )
        );
        assert_eq!(
            json(&NoDownsampleMark::new(ulid, "manual", "", 7_999)),
            format!(
                r#"{{"id":"{ulid}","version":1,"details":"","no_downsample_time":7,"reason":"manual"}}"#
            )
        );
    }

    #[tokio::test]
    async fn the_first_mark_stays() {
        let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
        let first = DeletionMark::new(id(1), "first", Some(id(2)), 1_000);
        assert!(put(&bucket, "b", &first).await.unwrap());
        assert!(put(&bucket, "b", &first).await.is_ok_and(|new| !new));
        let second = DeletionMark::new(id(1), "second", None, 9_000);
        assert!(!put(&bucket, "b", &second).await.unwrap());
        assert_eq!(read(&bucket, "b", id(1)).await.unwrap(), Some(first));
        let error = read::<DeletionMark>(&bucket, "b", id(3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(remove::<DeletionMark>(&bucket, "b").await.unwrap());
        assert!(!remove::<DeletionMark>(&bucket, "b").await.unwrap());
        assert_eq!(read::<DeletionMark>(&bucket, "b", id(1)).await.unwrap(), None);
    }
}
