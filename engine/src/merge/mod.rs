//! Blocks of one replica that overlap in time become one sequence of samples.
//!
//! Runs come from the scan by (series, replica, block). Almost always the blocks of a replica follow
//! each other, the plan knows it, and batches pass untouched. Where they overlap (a block and the
//! blocks it was made from, an upload done twice), the runs of a series and replica are merged
//! sample by sample: of samples with equal timestamps the one of the higher compaction level is
//! taken, then the one of the later block id.
//!
//! ```text
//! block 1, level 1    0   15   30   45
//! block 2, level 2             30   45   60
//! merged              0   15   30₂  45₂  60₂
//! ```
//!
//! Thanos' penalty dedup wants overlapping pieces as they are (`dedup.NewOverlapSplit` deals them to
//! pseudo replicas): then nothing is merged here but the floats and the native histograms of one
//! block, which lie in two files and follow each other in time.

mod algo;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use algo::{Sorted, Taken, merge};
pub use stream::MergeExec;
pub(crate) use stream::Passing;
