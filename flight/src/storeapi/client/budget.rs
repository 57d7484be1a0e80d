//! Memory that the answers of all endpoints take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes that may be held at the same time.
#[derive(Debug)]
pub struct Budget {
    total: usize,
    /// The most that one answer may hold.
    share: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of `total` bytes, of which one answer gets at most half.
    pub fn new(total: usize) -> Self {
        Self { total, share: total / 2, used: AtomicUsize::new(0) }
    }

    /// The bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A lease without bytes.
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        Lease { budget: Arc::clone(self), bytes: 0 }
    }
}

/// Bytes of a budget; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Lease {
    /// Takes more bytes, if they are there; the error says what is exhausted.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), String> {
        let Budget { total, share, .. } = *self.budget;
        if self.bytes.saturating_add(bytes) > share {
            return Err(format!("an answer of more than {share} bytes"));
        }
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > total {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(format!("answers take more than {total} bytes together"));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
