//! The blocks of a bucket as a source of series, kept up to date.

use std::sync::Arc;
use std::time::Duration;

use engine::block::BlockMeta;
use engine::bucket::{Bucket, BucketMetrics};
use engine::catalog::{Candidate, Catalog, CatalogMetrics, CatalogSettings, choose};
use engine::model::TimeRange;
use engine::scan::BlockCache;
use engine::source::{
    BlockMetadata, BucketSource, Child, Children, DownsampledSource, FanoutSource, MetadataSource,
    SeriesSource,
};
use flight::http::Readiness;
use ingest::native::{NativeCatalog, NativeSource};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

/// The pause before a first sync that failed is tried again.
const FIRST_SYNC_RETRY: Duration = Duration::from_secs(5);

/// The blocks of a bucket.
#[derive(Debug)]
pub(crate) struct Blocks {
    catalog: Arc<Catalog>,
    native: Arc<NativeCatalog>,
    cache: BlockCache,
    readiness: Readiness,
}

/// The blocks of a bucket as sources: the raw ones of Stoa, each of its downsampled ones, and each native one
/// that is read in place.
#[derive(Debug)]
struct BlockSources {
    catalog: Arc<Catalog>,
    stoa: BucketSource,
    native: Arc<NativeCatalog>,
}

impl BlockSources {
    /// The blocks that answer for `range`: Stoa's raw ones as one source, and each of the others.
    fn chosen(
        &self,
        mut native: Vec<Arc<NativeSource>>,
        range: TimeRange,
        max_resolution: i64,
    ) -> (BucketSource, Vec<DownsampledSource>, Vec<Arc<NativeSource>>) {
        native.retain(|block| {
            let meta = block.meta();
            meta.resolution_ms() <= max_resolution && meta.range().overlaps(&range)
        });
        let snapshot = self.catalog.snapshot();
        let resolution = |meta: &BlockMeta| meta.thanos.downsample.resolution;
        let is_downsampled = |meta: &Arc<BlockMeta>| {
            (1..=max_resolution).contains(&resolution(meta)) && meta.range().overlaps(&range)
        };
        let all_raw = native.iter().all(|block| block.meta().resolution_ms() == 0);
        if all_raw && !snapshot.blocks.iter().any(is_downsampled) {
            return (self.stoa.clone(), Vec::new(), native);
        }
        let of_stoa = snapshot.blocks.iter().map(|meta| Candidate {
            labels: &meta.thanos.labels,
            resolution: resolution(meta),
            range: meta.range(),
        });
        let of_native = native.iter().map(|block| Candidate {
            labels: block.meta().labels(),
            resolution: block.meta().resolution_ms(),
            range: block.meta().range(),
        });
        let candidates: Vec<Candidate<'_>> = of_stoa.chain(of_native).collect();
        let chosen = choose(&candidates, range, max_resolution);
        let (of_stoa, of_native) = chosen.split_at(snapshot.blocks.len());
        let stoa = || snapshot.blocks.iter().zip(of_stoa);
        let left_out = stoa().filter(|(_, chosen)| !**chosen).map(|(meta, _)| meta.ulid).collect();
        let downsampled = stoa().filter(|(meta, chosen)| **chosen && resolution(meta) > 0);
        let downsampled =
            downsampled.map(|(meta, _)| DownsampledSource::new(&self.stoa, Arc::clone(meta)));
        let native = native.iter().zip(of_native).filter(|(_, chosen)| **chosen);
        let native = native.map(|(block, _)| Arc::clone(block)).collect();
        (self.stoa.without(left_out), downsampled.collect(), native)
    }
}

impl Children for BlockSources {
    fn children(&self, range: TimeRange, max_resolution: i64) -> Vec<Child> {
        let (stoa, downsampled, native) = self.chosen(self.native.sources(), range, max_resolution);
        let stoa = Child {
            name: "bucket".to_owned(),
            source: Arc::new(stoa),
            deduplicates: true,
            remote: false,
        };
        let downsampled = downsampled.into_iter().map(|source| Child {
            name: format!("block {}", source.meta().ulid),
            source: Arc::new(source),
            deduplicates: false,
            remote: false,
        });
        let native = native.into_iter().map(|source| Child {
            name: format!("block {}", source.meta().ulid),
            source,
            deduplicates: false,
            remote: false,
        });
        std::iter::once(stoa).chain(downsampled).chain(native).collect()
    }

    fn missing(&self) -> Vec<String> {
        let aside = self.native.set_aside();
        aside.into_iter().map(|aside| format!("block {}: {}", aside.block, aside.reason)).collect()
    }
}

impl Blocks {
    /// The blocks that `bucket` has, as far as `settings` let them in; about `cache` bytes of their
    /// label columns and tails stay in memory, half of Stoa's and half of native ones. The first sync
    /// makes `readiness` ready.
    pub(crate) fn new(
        bucket: Bucket,
        settings: CatalogSettings,
        cache: u64,
        readiness: Readiness,
        registry: &mut Registry,
    ) -> Self {
        let bucket = bucket.with_metrics(BucketMetrics::new(registry));
        let metrics = CatalogMetrics::new(registry);
        let native = Arc::new(NativeCatalog::new(bucket.clone(), settings.clone(), cache / 2));
        let catalog = Arc::new(Catalog::new(bucket.clone(), settings).with_metrics(metrics));
        Self { catalog, native, cache: BlockCache::new(bucket, cache / 2), readiness }
    }

    /// The sources that there are.
    pub(crate) fn children(&self) -> Arc<dyn Children> {
        let (catalog, native) = (Arc::clone(&self.catalog), Arc::clone(&self.native));
        let stoa = BucketSource::new(Arc::clone(&catalog), self.cache.clone());
        Arc::new(BlockSources { catalog, stoa, native })
    }

    /// All of them as one.
    pub(crate) fn source(&self) -> Arc<dyn SeriesSource> {
        Arc::new(FanoutSource::of_parts(self.children()))
    }

    /// What the blocks say of their metrics.
    pub(crate) fn metadata(&self) -> Arc<dyn MetadataSource> {
        Arc::new(BlockMetadata::new(Arc::clone(&self.catalog)))
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
        let native = Arc::clone(&self.native);
        async move {
            loop {
                let pause = match sync(&catalog, &native).await {
                    Ok(()) => {
                        if readiness.is_starting() {
                            let blocks = catalog.snapshot().blocks.len();
                            let native_blocks = native.sources().len();
                            tracing::info!(blocks, native_blocks, "ready: the bucket is read");
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

/// Lists Stoa's blocks, then the native ones that these do not make superfluous.
async fn sync(catalog: &Catalog, native: &NativeCatalog) -> engine::Result<()> {
    catalog.sync().await?;
    native.sync(&catalog.snapshot()).await
}
