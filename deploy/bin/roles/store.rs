//! `stoa store`: serves the blocks of a bucket over StoreAPI.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use engine::bucket::Bucket;
use engine::catalog::CatalogSettings;
use engine::model::{Bounds, Moment};
use flight::grpc::GrpcMetrics;
use flight::http::component::{self, Component};
use flight::http::{Readiness, process};
use flight::storeapi::server::{InfoSettings, StoreSettings, memory_limited};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::blocks::Blocks;
use super::serving::{Listeners, Served, end_on_signals, store_services};
use super::threads::{self, Threads};
use crate::cli::objstore::ObjstoreArgs;
use crate::cli::selector::SelectorArgs;
use crate::cli::server::ServerArgs;
use crate::cli::{duration, size, time};

/// The flags of `stoa store`.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    objstore: ObjstoreArgs,
    #[command(flatten)]
    selector: SelectorArgs,
    /// Folder for what may be kept on disk; nothing is, so far.
    #[arg(long = "data-dir", value_name = "PATH", default_value = "./data")]
    _data_dir: PathBuf,
    /// Only blocks and samples from this time on are served; a time, or a duration before now.
    #[arg(
        long = "min-time",
        default_value = "0000-01-01T00:00:00Z",
        value_parser = time::moment,
        allow_hyphen_values = true
    )]
    min_time: Moment,
    /// Only blocks and samples up to this time are served.
    #[arg(
        long = "max-time",
        default_value = "9999-12-31T23:59:59Z",
        value_parser = time::moment,
        allow_hyphen_values = true
    )]
    max_time: Moment,
    /// How often the bucket is looked at for new blocks.
    #[arg(long = "sync-block-duration", default_value = "15m", value_parser = duration::parse)]
    sync_interval: Duration,
    /// How long after its deletion mark a block is still served.
    #[arg(
        long = "ignore-deletion-marks-delay",
        default_value = "24h",
        value_parser = duration::parse
    )]
    ignore_deletion_marks_delay: Duration,
    /// How many meta.json are read at once.
    #[arg(long = "block-meta-fetch-concurrency", default_value = "32")]
    meta_fetch_concurrency: usize,
    /// Most series that a request may match; 0 is no limit.
    #[arg(long = "store.limits.request-series", default_value = "0")]
    series_limit: usize,
    /// Most samples that a request may read; 0 is no limit.
    #[arg(long = "store.limits.request-samples", default_value = "0")]
    samples_limit: usize,
    /// How many Series requests are answered at once.
    #[arg(long = "store.grpc.series-max-concurrency", default_value = "20")]
    max_concurrent: usize,
    /// Bytes of label columns and page indexes of blocks that stay in memory, half for Stoa's blocks
    /// and half for native ones.
    #[arg(long = "index-cache-size", default_value = "250MB", value_parser = size::parse)]
    index_cache_size: u64,
    /// Bytes of samples that all requests together may hold.
    #[arg(long = "chunk-pool-size", default_value = "2GB", value_parser = size::parse)]
    chunk_pool_size: u64,
}

/// Runs the store until it is told to end.
pub(crate) async fn run(args: StoreArgs) -> anyhow::Result<ExitCode> {
    let served = Bounds { min: args.min_time, max: args.max_time };
    ensure!(!served.range().is_empty(), "--min-time must not be after --max-time");
    let bucket = Bucket::from_yaml(&args.objstore.required_yaml()?).context("--objstore.config")?;
    let selector = args.selector.selector()?;
    let listeners = Listeners::bind(&args.server).await?;
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;
    let decoding = Threads::start("store")?;
    let mut registry = Registry::default();
    process::register(&mut registry);
    let catalog = CatalogSettings {
        concurrency: args.meta_fetch_concurrency.max(1),
        ignore_deletion_marks_delay: args.ignore_deletion_marks_delay,
        range: served,
        selector,
    };
    let readiness = Readiness::default();
    let cache = args.index_cache_size;
    let blocks = Blocks::new(bucket, catalog, cache, readiness.clone(), &mut registry);
    let store = StoreSettings {
        series_limit: args.series_limit,
        samples_limit: args.samples_limit,
        max_concurrent: args.max_concurrent.max(1),
        served,
        partitions: threads::count(),
    };
    let info = InfoSettings { served, ..InfoSettings::store("store") };
    let context = memory_limited(args.chunk_pool_size).context("--chunk-pool-size")?;
    let services =
        store_services(blocks.source(), store, info, &readiness, context, decoding.handle());
    let grpc_metrics = GrpcMetrics::new(&mut registry);
    let app = component::router(Component {
        version: env!("CARGO_PKG_VERSION"),
        readiness: readiness.clone(),
        registry: Arc::new(registry),
        blocks: Some(blocks.catalog()),
    });
    let sync = tokio::spawn(blocks.keep_in_sync(args.sync_interval, end.clone()));
    let served = Served { app, services, grpc_metrics, readiness };
    listeners.serve(&args.server, served, end).await?;
    sync.await.context("the sync of blocks")?;
    Ok(ExitCode::SUCCESS)
}
