//! Several blocks become one: the samples of each series once, in the order of a block.
//!
//! A block is sorted by metric, then time bucket, then series; what scan, merge and dedup give is
//! sorted by series, then time. So rows are chosen first and read afterwards:
//!
//! ```text
//! choose   MergeExec, DedupExec  over timestamps    ──▶  picks: (file, first row, rows) by (metric, bucket)
//! write    ValuesExec ◀ ScanExec over the picks     ──▶  BlockWriter
//! account  ValuesExec ◀ ScanExec over all the rest  ──▶  digests of what was left out
//! ```
//!
//! Nothing is sorted, and no sample is held longer than a page: memory is that of the label indexes and
//! of the picks, which go to local files where a metric has more of them than the budget allows. Where
//! neither replicas nor overlapping blocks have to be merged, the label index says what to pick, and
//! the first step reads nothing.
//!
//! Every sample of the sources is accounted for: it is in the result, or it is among those left out, and
//! the digests of both together are those that the sources' own `meta.json` has ([`Account`]).

mod account;
mod choose;
mod picks;
mod rows;
mod sources;
#[cfg(test)]
mod tests;
mod units;
mod windows;
mod write;

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::TaskContext;

pub use self::account::{Account, SourceAccount};
use self::choose::Buckets;
use self::sources::Sources;
use self::write::{read_only, write};
use crate::Result;
use crate::block::{BlockMeta, BlockSettings};
use crate::catalog::Catalog;
use crate::scan::BlockCache;
use crate::source::DedupFunc;

/// How blocks are rewritten.
#[derive(Debug, Clone)]
pub struct RewriteOptions {
    /// What the result is.
    pub settings: BlockSettings,
    /// How sources of different external labels, which are replicas, are made one; none if all sources
    /// have the same.
    pub dedup: Option<DedupFunc>,
    /// Bytes of picks that are held in memory.
    pub pick_bytes: usize,
}

/// A block that was made of others.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// Its `meta.json`; files and `meta.json` lie in the folder.
    pub meta: BlockMeta,
    /// Where the samples of the sources went.
    pub account: Account,
}

/// Makes one block of the blocks `sources`, which are of one resolution, in the existing, empty folder
/// `dir`. If the result is of a coarser resolution, their samples are downsampled.
///
/// Memory is accounted in the pool of `context`. Reading waits for the bucket; the writing is done on
/// a thread that may block.
///
/// # Errors
/// - [`Corrupt`](crate::ErrorKind::Corrupt): a source is damaged, or has other samples than its
///   `meta.json` says. It is set aside in `catalog`, and named.
/// - [`ResourcesExhausted`](crate::ErrorKind::ResourcesExhausted): the memory does not suffice.
/// - [`Unavailable`](crate::ErrorKind::Unavailable): the bucket does not answer, or the disk is full.
pub async fn rewrite(
    catalog: &Arc<Catalog>,
    cache: &BlockCache,
    sources: &[Arc<BlockMeta>],
    options: RewriteOptions,
    dir: &Path,
    context: &Arc<TaskContext>,
) -> Result<Rewritten> {
    let sources = Sources::open(catalog, cache, sources, options.dedup).await?;
    let resolution = options.settings.resolution_ms;
    let (meta, account) = write(&sources, options, dir, context).await?;
    // Of raw samples that are downsampled those of one replica are read.
    let is_raw = |meta: &Arc<BlockMeta>| meta.thanos.downsample.resolution == 0;
    if resolution == 0 || !sources.blocks.iter().any(|(meta, _)| is_raw(meta)) {
        account.check(catalog)?;
    }
    Ok(Rewritten { meta, account })
}

/// Reads the committed block `meta` back, every sample of it, and holds their digest against that in
/// `meta`. Local files go to `dir`, if there are any.
///
/// # Errors
/// As [`rewrite`]; [`Corrupt`](crate::ErrorKind::Corrupt) too if the digests differ.
pub async fn read_back(
    catalog: &Arc<Catalog>,
    cache: &BlockCache,
    meta: &Arc<BlockMeta>,
    pick_bytes: usize,
    dir: &Path,
    context: &Arc<TaskContext>,
) -> Result<()> {
    let sources = Sources::open(catalog, cache, std::slice::from_ref(meta), None).await?;
    let buckets = Buckets { min_time: meta.min_time, bucket_ms: meta.stoa.bucket_ms.max(1) };
    read_only(&sources, buckets, pick_bytes, dir, context).await?.check(catalog)
}
