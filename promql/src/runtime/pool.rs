//! A query's memory: a limit of its own under that of the process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};

/// A pool that takes from its parent, up to a limit of its own.
#[derive(Debug)]
pub(crate) struct ChildPool {
    parent: Arc<dyn MemoryPool>,
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl ChildPool {
    /// A pool of at most `limit` bytes under `parent`.
    pub(crate) fn new(parent: Arc<dyn MemoryPool>, limit: usize) -> Self {
        Self { parent, limit, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// The most bytes that were in use at any time.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

impl fmt::Display for ChildPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query(used: {}, limit: {})", self.reserved(), self.limit)
    }
}

impl MemoryPool for ChildPool {
    fn name(&self) -> &str {
        "query"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.parent.grow(reservation, additional);
        let before = self.used.fetch_add(additional, Ordering::Relaxed);
        self.peak.fetch_max(before + additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used.fetch_sub(shrink, Ordering::Relaxed);
        self.parent.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let fits = |used: usize| used.checked_add(additional).filter(|&used| used <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|used| {
            resources_datafusion_err!(
                "query needs more than its {} bytes of memory: {} asks for {additional}, {used} are in use",
                self.limit,
                reservation.consumer().name()
            )
        })?;
        match self.parent.try_grow(reservation, additional) {
            Ok(()) => {
                self.peak.fetch_max(self.reserved(), Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.used.fetch_sub(additional, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer};

    use super::*;

    #[test]
    fn both_limits_hold_and_everything_is_given_back() {
        let process: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let child = |limit| Arc::new(ChildPool::new(Arc::clone(&process), limit));
        let peak = child(80);
        let (one, two): (Arc<dyn MemoryPool>, Arc<dyn MemoryPool>) =
            (Arc::clone(&peak) as _, child(80));
        let first = MemoryConsumer::new("first").register(&one);
        let second = MemoryConsumer::new("second").register(&two);
        assert!(first.try_grow(81).is_err(), "more than the query's limit");
        first.try_grow(60).unwrap();
        first.shrink(30);
        first.try_grow(40).unwrap();
        assert!(second.try_grow(40).is_err(), "more than the process' limit");
        assert_eq!((one.reserved(), two.reserved(), process.reserved()), (70, 0, 70));
        drop(first);
        assert_eq!(peak.peak(), 70);
        second.try_grow(40).unwrap();
        drop(second);
        assert_eq!((one.reserved(), two.reserved(), process.reserved()), (0, 0, 0));
    }
}
