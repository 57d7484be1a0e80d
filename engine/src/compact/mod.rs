//! The compactor: blocks of a bucket are merged, downsampled and retired, and no sample is lost.
//!
//! | module | holds |
//! |---|---|
//! | [`group`] | which blocks belong together |
//! | [`plan`] | what is to be done, by the blocks and the time |
//! | [`rewrite`] | several blocks to one: scan, merge and dedup as queries have them, then a writer |

pub mod group;
pub mod plan;
pub mod rewrite;
