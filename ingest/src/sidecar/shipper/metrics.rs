//! The shipper's metrics, by Thanos' names.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters of a shipper. The default is seen by nobody.
#[derive(Debug, Clone, Default)]
pub struct ShipperMetrics {
    pub(super) dir_syncs: Counter,
    pub(super) dir_sync_failures: Counter,
    pub(super) uploads: Counter,
    pub(super) upload_failures: Counter,
    pub(super) corrupted_blocks: Counter,
    pub(super) upload_compacted_done: Gauge,
}

impl ShipperMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            ("dir_syncs", "Total number of dir syncs", &metrics.dir_syncs),
            ("dir_sync_failures", "Total number of failed dir syncs", &metrics.dir_sync_failures),
            ("uploads", "Total number of uploaded blocks", &metrics.uploads),
            ("upload_failures", "Total number of block upload failures", &metrics.upload_failures),
            ("corrupted_blocks", "Total number of corrupted blocks", &metrics.corrupted_blocks),
        ];
        for (name, help, counter) in counters {
            registry.register(format!("thanos_shipper_{name}"), help, counter.clone());
        }
        registry.register(
            "thanos_shipper_upload_compacted_done",
            "If 1 it means shipper uploaded all compacted blocks from the filesystem",
            metrics.upload_compacted_done.clone(),
        );
        metrics
    }

    /// How many blocks have been uploaded.
    pub fn uploads(&self) -> u64 {
        self.uploads.get()
    }
}
