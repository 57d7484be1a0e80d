//! The blocks of a bucket as a source of series, kept up to date.

use std::sync::Arc;
use std::time::Duration;

use engine::bucket::{Bucket, BucketMetrics};
use engine::catalog::{Catalog, CatalogMetrics, CatalogSettings};
use engine::scan::BlockCache;
use engine::source::{BucketSource, SeriesSource};
use flight::http::Readiness;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

/// The pause before a first sync that failed is tried again.
const FIRST_SYNC_RETRY: Duration = Duration::from_secs(5);

/// The blocks of a bucket.
#[derive(Debug)]
pub(crate) struct Blocks {
    catalog: Arc<Catalog>,
    cache: BlockCache,
    readiness: Readiness,
}

impl Blocks {
    /// The blocks that `bucket` has, as far as `settings` let them in; about `cache` bytes of their
    /// label columns and tails stay in memory. The first sync makes `readiness` ready.
    pub(crate) fn new(
        bucket: Bucket,
        settings: CatalogSettings,
        cache: u64,
        readiness: Readiness,
        registry: &mut Registry,
    ) -> Self {
        let bucket = bucket.with_metrics(BucketMetrics::new(registry));
        let metrics = CatalogMetrics::new(registry);
        let catalog = Arc::new(Catalog::new(bucket.clone(), settings).with_metrics(metrics));
        Self { catalog, cache: BlockCache::new(bucket, cache), readiness }
    }

    /// The source.
    pub(crate) fn source(&self) -> Arc<dyn SeriesSource> {
        Arc::new(BucketSource::new(Arc::clone(&self.catalog), self.cache.clone()))
    }

    /// The list of blocks.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    /// Looks at the bucket every `interval` until `end`; the first success makes the role ready.
    pub(crate) fn keep_in_sync(
        &self,
        interval: Duration,
        end: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (catalog, readiness) = (Arc::clone(&self.catalog), self.readiness.clone());
        async move {
            loop {
                let pause = match catalog.sync().await {
                    Ok(()) => {
                        if readiness.is_starting() {
                            let blocks = catalog.snapshot().blocks.len();
                            tracing::info!(blocks, "ready: the bucket is read");
                        }
                        readiness.ready();
                        interval
                    }
                    Err(error) => {
                        tracing::error!(err = %error, "sync blocks");
                        if readiness.is_starting() {
                            FIRST_SYNC_RETRY.min(interval)
                        } else {
                            interval
                        }
                    }
                };
                tokio::select! {
                    biased;
                    () = end.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
    }
}
