//! Whether a server can answer: not before its first complete sync, and not while it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// The state behind `/-/ready`. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Everything is there that an answer needs.
    pub fn ready(&self) {
        // A server that stops never becomes ready again.
        let _ = self.0.compare_exchange(STARTING, READY, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The server ends: it asks for no more requests, and answers those that come all the same.
    pub fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    /// Whether requests are welcome.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == READY
    }

    /// Whether an answer would lack what has not been read yet.
    pub fn is_starting(&self) -> bool {
        self.0.load(Ordering::Acquire) == STARTING
    }
}
