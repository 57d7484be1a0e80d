//! `stoa query`: answers PromQL over HTTP from a bucket and from endpoints, deduplicated over
//! replicas.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use engine::bucket::Bucket;
use engine::catalog::CatalogSettings;
use engine::source::{DedupFunc, FanoutSource, SelectOptions, SeriesSource};
use flight::endpoints::discovery::Discovery;
use flight::endpoints::endpoint::INFO_INTERVAL;
use flight::endpoints::{Connections, Endpoints, WatchSettings};
use flight::grpc::GrpcMetrics;
use flight::http::{
    ActiveQueries, PartialResponses, Querier, Readiness, Settings, process, router,
};
use flight::query_api::QueryService;
use flight::storeapi::client::{Budget, ClientSettings};
use flight::storeapi::server::{InfoSettings, StoreSettings};
use prometheus_client::registry::Registry;
use promql::{Engine, EngineSettings};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::blocks::Blocks;
use super::serving::{Listeners, Served, end_on_signals, store_services};
use super::threads::{self, Threads};
use crate::cli::duration;
use crate::cli::endpoints::EndpointArgs;
use crate::cli::features::FeatureArgs;
use crate::cli::limits::LimitArgs;
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
    endpoints: EndpointArgs,
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
    /// Folder of a file with the queries that run now; after a crash its queries are logged.
    #[arg(
        long = "query.active-query-path",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    active_query_path: String,
    /// Log queries that take longer; 0s is none.
    #[arg(
        long = "query.log-queries-longer-than",
        default_value = "0s",
        value_parser = duration::parse
    )]
    log_queries_longer_than: Duration,
    /// How far an instant selector looks back.
    #[arg(long = "query.lookback-delta", default_value = "5m", value_parser = duration::parse)]
    lookback_delta: Duration,
    #[command(flatten)]
    downsampling: DownsamplingArgs,
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
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    features: FeatureArgs,
    /// Most series that a selector or a StoreAPI request may match; 0 is 500,000 for a selector.
    #[arg(long = "store.limits.request-series", default_value = "0")]
    series_limit: usize,
    /// Most samples of a StoreAPI request, and of a query if that may read more; 0 is no limit.
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
    #[command(flatten)]
    partial: PartialArgs,
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

/// Whether an endpoint that fails is a warning where others than samples are asked for.
#[derive(Debug, Clone, clap::Args)]
struct PartialArgs {
    /// Of rules and alerts.
    #[arg(long = "rule.partial-response", default_value = "true", hide = true)]
    rules: bool,
    /// Of targets.
    #[arg(long = "target.partial-response", default_value = "true", hide = true)]
    targets: bool,
    /// Of metadata.
    #[arg(long = "metric-metadata.partial-response", default_value = "true", hide = true)]
    metadata: bool,
    /// Of exemplars.
    #[arg(long = "exemplar.partial-response", default_value = "true", hide = true)]
    exemplars: bool,
    /// Of statistics.
    #[arg(long = "status.partial-response", default_value = "true", hide = true)]
    status: bool,
}

impl PartialArgs {
    fn settings(&self) -> PartialResponses {
        let &Self { rules, targets, metadata, exemplars, status } = self;
        PartialResponses { rules, targets, metadata, exemplars, status }
    }
}

/// Where downsampled samples may answer.
#[derive(Debug, Clone, clap::Args)]
struct DownsamplingArgs {
    /// Answer range queries with downsampled samples where there are five of them a step.
    #[arg(long = "query.auto-downsampling")]
    auto: bool,
    /// The coarsest resolution of instant queries with --query.auto-downsampling.
    #[arg(
        long = "query.instant.default.max_source_resolution",
        default_value = "0s",
        value_parser = duration::parse,
        hide = true
    )]
    instant: Duration,
    /// Look back further where samples may be downsampled.
    #[arg(long = "query.dynamic-lookback-delta", default_value = "true", hide = true)]
    dynamic_lookback: bool,
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
pub(crate) async fn run(args: QueryArgs, flags: Vec<(String, String)>) -> anyhow::Result<ExitCode> {
    let sources = args.endpoints.sources()?;
    let bucket = match args.objstore.yaml()? {
        Some(yaml) => Some(Bucket::from_yaml(&yaml).context("--objstore.config")?),
        None if sources.is_empty() => bail!(
            "no bucket and no endpoint: give --objstore.config, --objstore.config-file or --endpoint"
        ),
        None => None,
    };
    let listeners = Listeners::bind(&args.server).await?;
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;
    let queries = Threads::start("query")?;
    let (endpoints, handle) = (&args.endpoints, queries.handle());
    let endpoints = (!sources.is_empty()).then_some(endpoints);
    let settings = Settings { flags, ..args.querier.settings()? };
    let parts =
        Parts::new(&args.querier, settings, bucket, endpoints, handle, Registry::default())?;
    // Before the endpoints have been asked once an answer would lack them without saying so.
    let known = CancellationToken::new();
    let discovery = parts.discovery(endpoints, &args.querier)?.map(|discovery| {
        let known = known.clone();
        tokio::spawn(discovery.run(end.clone(), move || known.cancel()))
    });
    if discovery.is_none() {
        known.cancel();
    }
    let sync = parts.keep_in_sync(args.querier.sync_interval, end.clone());
    let ended = end.clone();
    let sync = tokio::spawn(async move {
        tokio::select! {
            () = known.cancelled() => sync.await,
            () = ended.cancelled() => {}
        }
    });
    listeners.serve(&args.server, parts.served, end).await?;
    sync.await.context("the sync of blocks")?;
    if let Some(discovery) = discovery {
        discovery.await.context("the discovery of endpoints")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Bytes of label columns and tails of blocks that are kept in memory.
const BLOCK_CACHE: u64 = 256 << 20;

/// Bytes of encoded answers of endpoints that are held at the same time.
const ANSWERS: usize = 2 << 30;

/// A querier, put together.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What it serves.
    pub(crate) served: Served,
    blocks: Option<Blocks>,
    endpoints: Endpoints,
}

impl Parts {
    /// Puts a querier of `bucket` and of `endpoints` together; queries run on `runtime`, metrics go to
    /// `registry`.
    pub(crate) fn new(
        args: &QuerierArgs,
        settings: Settings,
        bucket: Option<Bucket>,
        endpoints: Option<&EndpointArgs>,
        runtime: Handle,
        mut registry: Registry,
    ) -> anyhow::Result<Self> {
        process::register(&mut registry);
        let readiness = Readiness::default();
        let blocks = bucket.map(|bucket| {
            let catalog = CatalogSettings {
                concurrency: args.meta_fetch_concurrency.max(1),
                ignore_deletion_marks_delay: args.ignore_deletion_marks_delay,
                ..CatalogSettings::default()
            };
            Blocks::new(bucket, catalog, BLOCK_CACHE, readiness.clone(), &mut registry)
        });
        let first = blocks.as_ref().map_or_else(|| Arc::new(Vec::new()) as _, Blocks::children);
        let registered = Endpoints::new(first);
        let source: Arc<dyn SeriesSource> = match (&blocks, endpoints) {
            (Some(blocks), None) => blocks.source(),
            _ => {
                // What the others gave must still be computed within the query's time.
                let patience = args.timeout.mul_f64(0.75);
                Arc::new(FanoutSource::new(Arc::new(registered.clone()), patience))
            }
        };
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
            InfoSettings { query: true, ..InfoSettings::store("query") },
            &readiness,
            Arc::default(),
            runtime.clone(),
        );
        if let Some(args) = endpoints {
            let counted = Connections::new(registered.clone(), args.connection_labels());
            registry.register_collector(Box::new(counted));
        }
        let grpc_metrics = GrpcMetrics::new(&mut registry);
        let querier = Querier::new(
            settings,
            Engine::new(EngineSettings {
                features: args.features.features(),
                ..args.limits.engine()
            }),
            source,
            readiness.clone(),
            runtime,
            &mut registry,
        )
        .with_endpoints(registered.clone());
        let querier = match &blocks {
            Some(blocks) => querier.with_metadata(blocks.metadata()),
            None => querier,
        };
        let querier = Arc::new(querier);
        let services = services.with(QueryService::new(Arc::clone(&querier)).into_server());
        let app = router(querier, Arc::new(registry));
        let served = Served { app, services, grpc_metrics, readiness };
        Ok(Self { served, blocks, endpoints: registered })
    }

    /// What keeps the endpoints.
    fn discovery(
        &self,
        args: Option<&EndpointArgs>,
        querier: &QuerierArgs,
    ) -> anyhow::Result<Option<Discovery>> {
        let Some(args) = args else { return Ok(None) };
        let response_timeout = match args.response_timeout {
            Duration::ZERO => querier.timeout / 2,
            given => given,
        };
        let client = ClientSettings { response_timeout, budget: Arc::new(Budget::new(ANSWERS)) };
        let watch = WatchSettings {
            info_interval: INFO_INTERVAL,
            info_timeout: args.info_timeout,
            unhealthy_timeout: args.unhealthy_timeout,
            runs: args.runs,
            client,
        };
        let endpoints = self.endpoints.clone();
        Ok(Some(Discovery::new(endpoints, args.sources()?, watch, args.dns()?)?))
    }

    /// Looks at the bucket every `interval` until `end`; the first success makes the querier ready.
    /// Without a bucket it is ready at once.
    pub(crate) fn keep_in_sync(
        &self,
        interval: Duration,
        end: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let sync = self.blocks.as_ref().map(|blocks| blocks.keep_in_sync(interval, end));
        let readiness = self.served.readiness.clone();
        async move {
            match sync {
                Some(sync) => sync.await,
                None => readiness.ready(),
            }
        }
    }
}

impl QuerierArgs {
    /// What the flags say about the HTTP API, checked.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
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
            limits: self.limits.reading(self.samples_limit),
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
            dynamic_lookback: self.downsampling.dynamic_lookback,
            auto_downsampling: self.downsampling.auto,
            instant_max_resolution: self.downsampling.instant,
            default_evaluation_interval: self.default_evaluation_interval,
            default_step: self.default_step,
            metadata_default_range: self.metadata_default_range,
            partial: self.partial.settings(),
            active_queries: self.active_queries()?,
            log_queries_longer_than: self.log_queries_longer_than,
            cors: !self.disable_cors,
            route_prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
            ..Settings::new(env!("CARGO_PKG_VERSION"))
        })
    }
}

impl QuerierArgs {
    fn active_queries(&self) -> anyhow::Result<Option<Arc<ActiveQueries>>> {
        if self.active_query_path.is_empty() {
            return Ok(None);
        }
        let (queries, unfinished) =
            ActiveQueries::create(Path::new(&self.active_query_path), self.max_concurrent)
                .context("--query.active-query-path")?;
        if !unfinished.is_empty() {
            tracing::info!(?unfinished, "these queries did not end when this last ran");
        }
        Ok(Some(Arc::new(queries)))
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
        let given =
            ["--query.auto-downsampling", "--query.instant.default.max_source_resolution=1h"];
        let with = settings(&given);
        assert!(with.auto_downsampling && with.dynamic_lookback);
        assert_eq!(with.instant_max_resolution, Duration::from_secs(3600));
        assert!(!settings(&[]).auto_downsampling);
        let given = ["--deduplication.func=penalty", "--store.limits.request-series=7"];
        let select = settings(&given).select;
        assert_eq!((select.dedup_func, select.series_limit), (DedupFunc::Penalty, 7));
        assert_eq!(select.limits.most_samples(), 500_000_000);
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
