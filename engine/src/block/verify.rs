//! Re-reads a whole block and names everything that is wrong with it.

use super::{BlockId, Digest};
use crate::bucket::Bucket;
use crate::{Error, Result};

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Problems, each with the file and the place. Empty means that the block is sound.
    pub problems: Vec<String>,
    /// Series read.
    pub series: u64,
    /// Samples read, histograms included.
    pub samples: u64,
    /// Bytes read.
    pub bytes: u64,
    /// The digest of the samples read.
    pub digest: Digest,
}

/// Re-reads the block `id`: CRCs, counts, order, runs and digest. An error means that storage did not
/// answer or that there is no such block; damage is in the report.
pub async fn verify(bucket: &Bucket, id: BlockId) -> Result<VerifyReport> {
    let _ = (bucket, id);
    Err(Error::unsupported("block verify"))
}
