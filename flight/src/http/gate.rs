//! How many queries run at once (Thanos' `pkg/gate`).

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A gate through which a fixed number of queries fits.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    in_flight: Gauge<i64, AtomicI64>,
    total: Counter,
    waited: Histogram,
}

/// A place behind the gate; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    in_flight: Gauge<i64, AtomicI64>,
}

impl Gate {
    pub(super) fn new(max_concurrent: usize, registry: &mut Registry) -> Self {
        let max = Gauge::<i64, AtomicI64>::default();
        max.set(i64::try_from(max_concurrent).unwrap_or(i64::MAX));
        let seconds = [0.01, 0.05, 0.1, 0.25, 0.6, 1.0, 2.0, 3.5, 5.0, 10.0];
        let gate = Self {
            places: Arc::new(Semaphore::new(max_concurrent.clamp(1, Semaphore::MAX_PERMITS))),
            in_flight: Gauge::default(),
            total: Counter::default(),
            waited: Histogram::new(seconds),
        };
        let name = |suffix: &str| format!("thanos_query_concurrent_gate_queries_{suffix}");
        registry.register(name("max"), "Maximum number of concurrent queries", max);
        registry.register(
            name("in_flight"),
            "Number of queries that are currently in flight",
            gate.in_flight.clone(),
        );
        registry.register(
            "thanos_query_concurrent_gate_queries",
            "Total number of queries",
            gate.total.clone(),
        );
        registry.register(
            name("duration_seconds"),
            "How many seconds it took for queries to wait at the gate",
            gate.waited.clone(),
        );
        gate
    }

    /// Waits for a place. Dropping the future gives the turn to the next.
    pub(super) async fn enter(&self) -> Option<Place> {
        let arrived = Instant::now();
        let permit = Arc::clone(&self.places).acquire_owned().await.ok()?;
        self.waited.observe(arrived.elapsed().as_secs_f64());
        self.total.inc();
        self.in_flight.inc();
        Some(Place { _permit: permit, in_flight: self.in_flight.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_flight.dec();
    }
}
