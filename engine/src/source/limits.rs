//! What a query may read, counted over all its selectors and all sources.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, ErrorKind, Result};

/// How many samples and bytes a query may read, and how many it has read. Clones count together.
///
/// Samples are counted where they are decoded, each replica and each reading of its own; bytes are
/// those of pages and chunks as they are stored or sent.
#[derive(Debug, Clone)]
pub struct ReadLimits {
    samples: Counter,
    bytes: Counter,
}

impl ReadLimits {
    /// The limits of a query that has read nothing.
    pub fn new(samples: usize, bytes: u64) -> Self {
        let counter = |most| Counter { most, read: Arc::default() };
        Self { samples: counter(samples as u64), bytes: counter(bytes) }
    }

    /// No limits.
    pub fn none() -> Self {
        Self::new(usize::MAX, u64::MAX)
    }

    /// The same limits for a query that has read nothing.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.most_samples(), self.bytes.most)
    }

    /// The most samples.
    pub fn most_samples(&self) -> usize {
        usize::try_from(self.samples.most).unwrap_or(usize::MAX)
    }

    /// The most bytes.
    pub fn most_bytes(&self) -> u64 {
        self.bytes.most
    }

    /// Counts samples that were read.
    ///
    /// # Errors
    /// [`ResourcesExhausted`](ErrorKind::ResourcesExhausted) if these are too many.
    pub fn spend_samples(&self, samples: usize) -> Result<()> {
        self.samples.spend(samples as u64, "samples")
    }

    /// Counts bytes that were read.
    ///
    /// # Errors
    /// [`ResourcesExhausted`](ErrorKind::ResourcesExhausted) if these are too many.
    pub fn spend_bytes(&self, bytes: usize) -> Result<()> {
        self.bytes.spend(bytes as u64, "bytes")
    }
}

impl Default for ReadLimits {
    /// 500 million samples, 2 GiB.
    fn default() -> Self {
        Self::new(500_000_000, 2 << 30)
    }
}

#[derive(Debug, Clone)]
struct Counter {
    most: u64,
    read: Arc<AtomicU64>,
}

impl Counter {
    fn spend(&self, more: u64, what: impl Display) -> Result<()> {
        let before = self.read.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) <= self.most {
            return Ok(());
        }
        let text = format!("the query reads more than {} {what}", self.most);
        Err(Error::new(ErrorKind::ResourcesExhausted, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_a_new_query_from_nothing() {
        let limits = ReadLimits::new(10, 100);
        let other = limits.clone();
        limits.spend_samples(6).unwrap();
        other.spend_samples(4).unwrap();
        let error = other.spend_samples(1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
        assert_eq!(error.message(), "the query reads more than 10 samples");
        limits.anew().spend_samples(10).unwrap();
        other.spend_bytes(100).unwrap();
        assert!(limits.spend_bytes(1).unwrap_err().message().ends_with("more than 100 bytes"));
        ReadLimits::none().spend_bytes(usize::MAX).unwrap();
    }
}
