//! Everything that brings samples in: Prometheus' blocks, their conversion to Stoa's, and the
//! sidecar that ships them.
//!
//! | module | holds |
//! |---|---|
//! | [`tsdb`] | reader of Prometheus' blocks, in a folder or a bucket |
//! | [`native`] | Prometheus' and Thanos' blocks in a bucket as a source of samples, unconverted |
//! | [`convert`] | a block of Prometheus becomes a block of Stoa |
//! | [`sidecar`] | ships a running Prometheus' blocks to the bucket |

pub mod convert;
pub mod native;
pub mod sidecar;
pub mod tsdb;
