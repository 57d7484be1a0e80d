//! The compactor: blocks of a bucket are merged, downsampled and retired, and no sample is lost.
//!
//! | module | holds |
//! |---|---|
//! | [`clean`] | what is removed |
//! | [`downsample`] | samples to windows, windows to longer ones |
//! | [`group`] | which blocks belong together |
//! | [`live`] | the list of live files |
//! | [`log`] | who works on a group |
//! | [`plan`] | what is to be done, by the blocks and the time |
//! | [`retention`] | which blocks are old enough to go |
//! | [`rewrite`] | several blocks to one: scan, merge and dedup as queries have them, then a writer |
//! | [`work`] | turn after turn: plan, do, prove, commit, mark |

pub mod clean;
pub mod downsample;
pub mod group;
pub mod live;
pub mod log;
pub mod plan;
pub mod retention;
pub mod rewrite;
pub mod work;
