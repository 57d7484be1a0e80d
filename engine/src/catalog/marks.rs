//! The marks of a block, read when they come and forgotten when they go.

use super::listing::Listed;
use crate::block::mark::{self, DeletionMark, Mark, NoCompactMark, NoDownsampleMark};
use crate::block::{BlockId, BlockMeta};
use crate::bucket::Bucket;
use crate::{ErrorKind, Result};

/// The marks of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// That it will be deleted.
    pub deletion: Option<DeletionMark>,
    /// That it is not to be compacted.
    pub no_compact: Option<NoCompactMark>,
    /// That it is not to be downsampled.
    pub no_downsample: Option<NoDownsampleMark>,
}

/// When each mark was written, in ms: what was read of them holds as long as these do.
pub(super) type Stamps = [Option<i64>; 3];

/// The marks that a listing has of a block; none of all is `None`.
pub(super) fn stamps(listed: &Listed) -> Option<Stamps> {
    let stamp = |file| listed.get(file).map(|object| object.modified);
    let stamps = [DeletionMark::FILE, NoCompactMark::FILE, NoDownsampleMark::FILE].map(stamp);
    (stamps != Stamps::default()).then_some(stamps)
}

/// Reads those marks of block `id` that are there. A deletion mark that makes no sense marks nothing, because
/// reading a block too long is the smaller mistake; one that forbids something forbids it all the same.
pub(super) async fn read(bucket: &Bucket, id: BlockId, stamps: Stamps) -> Result<Marks> {
    let folder = BlockMeta::folder(id);
    let mut marks = Marks::default();
    if stamps[0].is_some() {
        let read = mark::read::<DeletionMark>(bucket, &folder, id).await;
        marks.deletion = sensible(id, read)?.ok().flatten();
    }
    if let Some(time) = stamps[1] {
        let read = mark::read::<NoCompactMark>(bucket, &folder, id).await;
        let unreadable = |why: String| Some(NoCompactMark::new(id, "unreadable", &why, time));
        marks.no_compact = sensible(id, read)?.unwrap_or_else(unreadable);
    }
    if let Some(time) = stamps[2] {
        let read = mark::read::<NoDownsampleMark>(bucket, &folder, id).await;
        let unreadable = |why: String| Some(NoDownsampleMark::new(id, "unreadable", &why, time));
        marks.no_downsample = sensible(id, read)?.unwrap_or_else(unreadable);
    }
    Ok(marks)
}

/// What was read, or why it makes no sense; an error is one of the store.
fn sensible<M>(id: BlockId, read: Result<Option<M>>) -> Result<Result<Option<M>, String>> {
    match read {
        Ok(mark) => Ok(Ok(mark)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!(block = %id, %error, "a mark cannot be read");
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}
