//! The metrics of a catalog, by Thanos' names (`block.FetcherMetrics`, `store.bucketStoreMetrics`).

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

/// What became of the blocks of a listing. The sum of all is the number of block folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) loaded: usize,
    pub(super) no_meta: usize,
    pub(super) corrupted: usize,
    pub(super) set_aside: usize,
    pub(super) marked: usize,
    pub(super) excluded_by_time: usize,
    pub(super) excluded_by_labels: usize,
    pub(super) duplicate: usize,
}

/// The metrics of a catalog.
#[derive(Debug, Clone)]
pub struct CatalogMetrics {
    pub(super) syncs: Counter,
    pub(super) sync_failures: Counter,
    pub(super) sync_seconds: Histogram,
    synced: Family<State, Gauge>,
    pub(super) block_loads: Counter,
    pub(super) block_load_failures: Counter,
    pub(super) block_drops: Counter,
    blocks_loaded: Gauge,
    pub(super) last_loaded: Gauge<f64, AtomicU64>,
}

impl Default for CatalogMetrics {
    /// Metrics that nobody sees.
    fn default() -> Self {
        Self {
            syncs: Counter::default(),
            sync_failures: Counter::default(),
            sync_seconds: Histogram::new([0.01, 1., 10., 100., 300., 600., 1000.]),
            synced: Family::default(),
            block_loads: Counter::default(),
            block_load_failures: Counter::default(),
            block_drops: Counter::default(),
            blocks_loaded: Gauge::default(),
            last_loaded: Gauge::default(),
        }
    }
}

impl CatalogMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "thanos_blocks_meta_syncs",
            "Total blocks metadata synchronization attempts",
            new.syncs.clone(),
        );
        registry.register(
            "thanos_blocks_meta_sync_failures",
            "Total blocks metadata synchronization failures",
            new.sync_failures.clone(),
        );
        registry.register(
            "thanos_blocks_meta_sync_duration_seconds",
            "Duration of the blocks metadata synchronization in seconds",
            new.sync_seconds.clone(),
        );
        registry.register(
            "thanos_blocks_meta_synced",
            "Number of block metadata synced, by what became of the block",
            new.synced.clone(),
        );
        registry.register(
            "thanos_bucket_store_block_loads",
            "Total number of block metadata loading attempts",
            new.block_loads.clone(),
        );
        registry.register(
            "thanos_bucket_store_block_load_failures",
            "Total number of failed block metadata loading attempts",
            new.block_load_failures.clone(),
        );
        registry.register(
            "thanos_bucket_store_block_drops",
            "Total number of blocks that left the list",
            new.block_drops.clone(),
        );
        registry.register(
            "thanos_bucket_store_blocks_loaded",
            "Number of blocks that queries read",
            new.blocks_loaded.clone(),
        );
        registry.register(
            "thanos_bucket_store_blocks_last_loaded_timestamp_seconds",
            "Timestamp when the last block got loaded",
            new.last_loaded.clone(),
        );
        new
    }

    pub(super) fn set_counts(&self, counts: &Counts) {
        for (state, number) in [
            ("loaded", counts.loaded),
            ("no-meta-json", counts.no_meta),
            ("corrupted-meta-json", counts.corrupted),
            ("set-aside", counts.set_aside),
            ("marked-for-deletion", counts.marked),
            ("time-excluded", counts.excluded_by_time),
            ("label-excluded", counts.excluded_by_labels),
            ("duplicate", counts.duplicate),
        ] {
            self.synced.get_or_create(&State { state }).set(number as i64);
        }
        self.blocks_loaded.set(counts.loaded as i64);
    }
}
