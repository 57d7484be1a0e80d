//! Metrics of object storage operations, by Thanos' names.

use prometheus_client::registry::Registry;

/// The metrics of a bucket.
#[derive(Debug, Clone, Default)]
pub struct BucketMetrics {}

impl BucketMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(_registry: &mut Registry) -> Self {
        Self::default()
    }
}
