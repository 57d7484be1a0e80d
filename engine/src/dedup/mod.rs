//! Replica deduplication on runs.
