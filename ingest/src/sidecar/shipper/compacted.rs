//! A compacted block is shipped only where nothing of its time is in the bucket: its parts may have
//! been shipped before, and would then be there twice (Thanos' `lazyOverlapChecker`).

use engine::block::BlockMeta;
use engine::bucket::{BLOCKS_PREFIX, Bucket};
use engine::model::Labels;
use engine::{Error, ErrorKind, Result};

use crate::tsdb::TsdbMeta;
use crate::tsdb::meta::META_FILE;

/// An [`Invalid`](ErrorKind::Invalid) error if a block of the same external labels overlaps `block`.
pub async fn check(bucket: &Bucket, block: &TsdbMeta, labels: &Labels) -> Result<()> {
    for name in bucket.list_dirs(BLOCKS_PREFIX).await? {
        let path = format!("{BLOCKS_PREFIX}/{name}/{META_FILE}");
        let bytes = match bucket.get(&path).await {
            Ok(bytes) => bytes,
            // Begun, and not committed.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let other = BlockMeta::from_json(&bytes).map_err(|e| e.context(&path))?;
        let apart = other.max_time <= block.min_time || block.max_time <= other.min_time;
        if !apart && other.external_labels()? == *labels {
            return Err(Error::invalid(format!(
                "compacted block {} overlaps {} in the bucket",
                block.ulid, other.ulid
            )));
        }
    }
    Ok(())
}
