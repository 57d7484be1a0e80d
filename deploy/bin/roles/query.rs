//! `stoa query`: answers PromQL over HTTP from a bucket, deduplicated over replicas.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use engine::bucket::Bucket;
use engine::catalog::CatalogSettings;
use engine::source::{DedupFunc, SelectOptions, SeriesSource};
use flight::grpc::GrpcMetrics;
use flight::http::{Querier, Readiness, Settings, process, router};
use flight::storeapi::server::{InfoSettings, StoreSettings};
use prometheus_client::registry::Registry;
use promql::Engine;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::blocks::Blocks;
use super::serving::{Listeners, Served, end_on_signals, store_services};
use super::threads::{self, Threads};
use crate::cli::duration;
use crate::cli::objstore::ObjstoreArgs;
use crate::cli::server::ServerArgs;

/// The flags of `stoa query`.
#[derive(Debug, clap::Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    objstore: ObjstoreArgs,
    #[command(flatten)]
    pub(crate) querier: QuerierArgs,
}

/// The flags of a querier, wherever its bucket comes from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct QuerierArgs {
    /// Label that tells replicas apart; repeatable, commas separate too.
    #[arg(long = "query.replica-label", value_name = "LABEL", value_delimiter = ',')]
    pub(crate) replica_labels: Vec<String>,
    /// How replicas are made one.
    #[arg(long = "deduplication.func", value_enum, default_value = "coverage")]
    deduplication_func: DedupName,
    /// Answer with a warning, not an error, where a block cannot be read.
    #[arg(long = "query.partial-response", default_value = "true")]
    partial_response: bool,
    /// The most time that a query gets.
    #[arg(long = "query.timeout", default_value = "2m", value_parser = duration::parse)]
    timeout: Duration,
    /// How many queries run at once.
    #[arg(long = "query.max-concurrent", default_value = "20")]
    max_concurrent: usize,
    /// How far an instant selector looks back.
    #[arg(long = "query.lookback-delta", default_value = "5m", value_parser = duration::parse)]
    lookback_delta: Duration,
    /// Step of subqueries that name none.
    #[arg(
        long = "query.default-evaluation-interval",
        default_value = "1m",
        value_parser = duration::parse
    )]
    default_evaluation_interval: Duration,
    /// Least step of range queries that name none.
    #[arg(long = "query.default-step", default_value = "1s", value_parser = duration::parse)]
    default_step: Duration,
    /// Range of metadata requests without times; 0s is all time.
    #[arg(
        long = "query.metadata.default-time-range",
        default_value = "0s",
        value_parser = duration::parse
    )]
    metadata_default_range: Duration,
    /// Most series that a selector may match; 0 is the built-in limit of 500,000.
    #[arg(long = "store.limits.request-series", default_value = "0")]
    series_limit: usize,
    /// Most samples that a query may read; 0 is the built-in limit of 500,000,000.
    #[arg(long = "store.limits.request-samples", default_value = "0")]
    samples_limit: usize,
    /// Path under which API and page lie (default: the path of --web.external-prefix).
    #[arg(long = "web.route-prefix", default_value = "", hide_default_value = true)]
    route_prefix: String,
    /// Path under which a proxy shows API and page.
    #[arg(long = "web.external-prefix", default_value = "", hide_default_value = true)]
    external_prefix: String,
    /// Send no CORS headers.
    #[arg(long = "web.disable-cors")]
    disable_cors: bool,
    /// How often the bucket is looked at for new blocks.
    #[arg(long = "sync-block-duration", default_value = "1m", value_parser = duration::parse)]
    pub(crate) sync_interval: Duration,
    /// How long after its deletion mark a block is still read.
    #[arg(
        long = "ignore-deletion-marks-delay",
        default_value = "24h",
        value_parser = duration::parse
    )]
    ignore_deletion_marks_delay: Duration,
    /// How many meta.json are read at once.
    #[arg(long = "block-meta-fetch-concurrency", default_value = "32")]
    meta_fetch_concurrency: usize,
}

/// `--deduplication.func`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DedupName {
    Coverage,
    Penalty,
    Chain,
}

impl From<DedupName> for DedupFunc {
    fn from(name: DedupName) -> Self {
        match name {
            DedupName::Coverage => Self::Coverage,
            DedupName::Penalty => Self::Penalty,
            DedupName::Chain => Self::Chain,
        }
    }
}

/// Runs the querier until it is told to end.
pub(crate) async fn run(args: QueryArgs) -> anyhow::Result<ExitCode> {
    let bucket = Bucket::from_yaml(&args.objstore.required_yaml()?).context("--objstore.config")?;
    let listeners = Listeners::bind(&args.server).await?;
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;
    let queries = Threads::start("query")?;
    let parts = Parts::new(&args.querier, bucket, queries.handle(), Registry::default())?;
    let sync = tokio::spawn(parts.keep_in_sync(args.querier.sync_interval, end.clone()));
    listeners.serve(&args.server, parts.served, end).await?;
    sync.await.context("the sync of blocks")?;
    Ok(ExitCode::SUCCESS)
}

/// Bytes of label columns and tails of blocks that are kept in memory.
const BLOCK_CACHE: u64 = 128 << 20;

/// A querier over a bucket, put together.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What it serves.
    pub(crate) served: Served,
    blocks: Blocks,
}

impl Parts {
    /// Puts a querier of `bucket` together; queries run on `runtime`, metrics go to `registry`.
    pub(crate) fn new(
        args: &QuerierArgs,
        bucket: Bucket,
        runtime: Handle,
        mut registry: Registry,
    ) -> anyhow::Result<Self> {
        process::register(&mut registry);
        let catalog = CatalogSettings {
            concurrency: args.meta_fetch_concurrency.max(1),
            ignore_deletion_marks_delay: args.ignore_deletion_marks_delay,
            ..CatalogSettings::default()
        };
        let readiness = Readiness::default();
        let blocks = Blocks::new(bucket, catalog, BLOCK_CACHE, readiness.clone(), &mut registry);
        let source: Arc<dyn SeriesSource> = blocks.source();
        let settings = args.settings()?;
        let store = StoreSettings {
            // The limits of PromQL are not those of Thanos' clients.
            series_limit: args.series_limit,
            samples_limit: args.samples_limit,
            partitions: settings.select.partitions,
            ..StoreSettings::default()
        };
        let services = store_services(
            Arc::clone(&source),
            store,
            InfoSettings::store("query"),
            &readiness,
            Arc::default(),
            runtime.clone(),
        );
        let grpc_metrics = GrpcMetrics::new(&mut registry);
        let querier = Querier::new(
            settings,
            Engine::default(),
            source,
            readiness.clone(),
            runtime,
            &mut registry,
        );
        let app = router(Arc::new(querier), Arc::new(registry));
        Ok(Self { served: Served { app, services, grpc_metrics, readiness }, blocks })
    }

    /// Looks at the bucket every `interval` until `end`; the first success makes the querier ready.
    pub(crate) fn keep_in_sync(
        &self,
        interval: Duration,
        end: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.blocks.keep_in_sync(interval, end)
    }
}

impl QuerierArgs {
    fn settings(&self) -> anyhow::Result<Settings> {
        ensure!(!self.lookback_delta.is_zero(), "--query.lookback-delta: must be positive");
        ensure!(
            !self.default_evaluation_interval.is_zero(),
            "--query.default-evaluation-interval: must be positive"
        );
        ensure!(self.max_concurrent > 0, "--query.max-concurrent: must be positive");
        let built_in = SelectOptions::default();
        let select = SelectOptions {
            dedup: true,
            dedup_func: self.deduplication_func.into(),
            replica_labels: self.replica_labels.clone(),
            partial_response: self.partial_response,
            series_limit: or_default(self.series_limit, built_in.series_limit),
            samples_limit: or_default(self.samples_limit, built_in.samples_limit),
            partitions: threads::count(),
            ..built_in
        };
        let prefix = match self.route_prefix.as_str() {
            "" => path_of(&self.external_prefix),
            given => given,
        };
        let prefix = prefix.trim_matches('/');
        Ok(Settings {
            select,
            timeout: self.timeout,
            max_concurrent: self.max_concurrent,
            lookback: self.lookback_delta,
            default_evaluation_interval: self.default_evaluation_interval,
            default_step: self.default_step,
            metadata_default_range: self.metadata_default_range,
            cors: !self.disable_cors,
            route_prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
            ..Settings::new(env!("CARGO_PKG_VERSION"))
        })
    }
}

fn or_default(given: usize, default: usize) -> usize {
    if given == 0 { default } else { given }
}

/// The path of `https://host/path`, or of `/path`.
fn path_of(prefix: &str) -> &str {
    match prefix.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => prefix,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        querier: QuerierArgs,
    }

    fn settings(flags: &[&str]) -> Settings {
        let flags = ["x"].iter().chain(flags);
        Line::try_parse_from(flags).expect("the flags are known").querier.settings().expect("valid")
    }

    #[test]
    fn flags_become_settings() {
        let given = ["--query.replica-label=a,b", "--query.replica-label", "c"];
        assert_eq!(settings(&given).select.replica_labels, ["a", "b", "c"]);
        let given = ["--deduplication.func=penalty", "--store.limits.request-series=7"];
        let select = settings(&given).select;
        assert_eq!((select.dedup_func, select.series_limit), (DedupFunc::Penalty, 7));
        assert_eq!(select.samples_limit, 500_000_000);
        for (flags, prefix) in [
            (&["--web.route-prefix=/a/"][..], "/a"),
            (&["--web.external-prefix=https://x/b/c"], "/b/c"),
            (&["--web.external-prefix=/b", "--web.route-prefix=/"], ""),
            (&[], ""),
        ] {
            assert_eq!(settings(flags).route_prefix, prefix);
        }
    }
}
