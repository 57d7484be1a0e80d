//! The compactor: blocks of a bucket are merged, downsampled and retired, and no sample is lost.
//!
//! | module | holds |
//! |---|---|
//! | [`rewrite`] | several blocks to one: scan, merge and dedup as queries have them, then a writer |

pub mod rewrite;
