//! Replica deduplication against Thanos' own package.
