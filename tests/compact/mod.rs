//! The compactor over a bucket that fails: whatever happens, no sample is lost, altered or doubled.

mod kills;
mod store;
mod weeks;
pub(crate) mod world;
