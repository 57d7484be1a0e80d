//! The block format: committed buckets stay readable, damage is found.

mod readers;
