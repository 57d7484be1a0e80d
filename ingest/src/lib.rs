//! Everything that brings samples in: Prometheus' blocks, their conversion to Stoa's, and the
//! sidecar that ships them.
//!
//! | module | holds |
//! |---|---|
//! | [`tsdb`] | reader of Prometheus' blocks, in a folder or a bucket |

pub mod tsdb;
