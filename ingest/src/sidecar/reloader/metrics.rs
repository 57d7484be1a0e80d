//! The reloader's metrics, by the names that they have in Thanos' sidecar.

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Metrics of a reloader. The default is seen by nobody.
#[derive(Debug, Clone, Default)]
pub struct ReloaderMetrics {
    pub(super) reloads: Counter,
    reloads_failed: Counter,
    last_successful: Gauge,
    last_success_seconds: Gauge<f64, AtomicU64>,
    pub(super) apply: Counter,
    pub(super) apply_failed: Counter,
    pub(super) expansion_errors: Gauge,
    pub(super) watches: Gauge,
    pub(super) watch_events: Counter,
    pub(super) watch_errors: Counter,
    info: Family<Vec<(&'static str, &'static str)>, Gauge>,
}

impl ReloaderMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let name = |name: &str| format!("thanos_sidecar_reloader_{name}");
        let counters = [
            ("reloads", "Total number of reload requests", &metrics.reloads),
            (
                "reloads_failed",
                "Total number of reload requests that failed",
                &metrics.reloads_failed,
            ),
            ("config_apply_operations", "Total number of config apply operations", &metrics.apply),
            (
                "config_apply_operations_failed",
                "Total number of config apply operations that failed",
                &metrics.apply_failed,
            ),
            (
                "watch_events",
                "Total number of events received by the reloader from the watcher",
                &metrics.watch_events,
            ),
            (
                "watch_errors",
                "Total number of errors received by the reloader from the watcher",
                &metrics.watch_errors,
            ),
        ];
        for (suffix, help, counter) in counters {
            registry.register(name(suffix), help, counter.clone());
        }
        let gauges = [
            (
                "last_reload_successful",
                "Whether the last reload attempt was successful",
                &metrics.last_successful,
            ),
            (
                "config_environment_variable_expansion_errors",
                "Number of environment variable expansions that failed during the last operation",
                &metrics.expansion_errors,
            ),
            ("watches", "Number of resources watched by the reloader", &metrics.watches),
        ];
        for (suffix, help, gauge) in gauges {
            registry.register(name(suffix), help, gauge.clone());
        }
        registry.register(
            name("last_reload_success_timestamp_seconds"),
            "Timestamp of the last successful reload",
            metrics.last_success_seconds.clone(),
        );
        registry.register(
            name("info"),
            "A metric with a constant '1' value labeled by reload method",
            metrics.info.clone(),
        );
        metrics
    }

    pub(super) fn method(&self, name: &'static str) {
        self.info.get_or_create(&vec![("method", name)]).set(1);
    }

    pub(super) fn reloaded(&self) {
        self.last_successful.set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success_seconds.set(now.as_secs_f64());
    }

    pub(super) fn reload_failed(&self) {
        self.reloads_failed.inc();
        self.last_successful.set(0);
    }
}
