//! The block format: what is written is read back to the bit, by the same bytes every time;
//! committed buckets stay readable, damage is found; other engines read it.

mod committed;
mod damage;
mod format;
mod metadata;
mod readers;
mod round_trip;
pub(crate) mod samples;
pub(crate) mod served;
mod written;
