//! `stoa sidecar`: stands beside a Prometheus.
//!
//! ```text
//!             heartbeat ──▶ labels, times, readiness ──▶ StoreAPI, Info over remote read
//! Prometheus ◀── reloader       │                        Rules, Targets, Metadata, Exemplars, Status
//!     │                         ▼
//!     └─ finished blocks ──▶ shipper ──▶ bucket
//! ```
//!
//! In order, as Thanos' sidecar: HTTP is there at once; Prometheus' flags are checked (if blocks are
//! shipped), its version and its external labels asked for, each until it answers; then the sidecar is
//! ready, and only then listens for gRPC and ships.

mod flags;
mod heartbeat;
mod upstream;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use engine::bucket::{Bucket, BucketMetrics};
use engine::model::TimeRange;
use flight::grpc::{GrpcMetrics, Services};
use flight::http::component::{self, Component};
use flight::http::{Readiness, process};
use flight::prometheus::PrometheusServices;
use flight::storeapi::server::{InfoSettings, StoreSettings, memory_limited};
use ingest::sidecar::{
    Peer, Prometheus, Reloader, ReloaderMetrics, RemoteRead, Shipper, ShipperMetrics,
};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::serving::{Listeners, Served, end_on_signals, store_services};
use super::threads::{self, Threads};
use flags::PrometheusArgs;
use heartbeat::{Heartbeat, Requirements};
use upstream::PeerUpstream;

pub(crate) use flags::SidecarArgs;

/// How often the data folder is looked at, as in Thanos.
const SHIP_EACH: Duration = Duration::from_secs(30);
/// Bytes that all answers together may hold while they are decoded.
const ANSWERS: u64 = 2 << 30;

/// Runs the sidecar until it is told to end.
pub(crate) async fn run(args: SidecarArgs) -> anyhow::Result<ExitCode> {
    let prometheus = args.prometheus.client()?;
    let bucket = args.objstore.yaml()?.map(|yaml| Bucket::from_yaml(&yaml)).transpose();
    let bucket = bucket.context("--objstore.config")?;
    if bucket.is_none() {
        tracing::info!("no bucket is configured: blocks are not shipped");
    }
    let started = CancellationToken::new();
    let listeners = Listeners::bind_http(&args.server, started.clone()).await?;
    let end = CancellationToken::new();
    end_on_signals(end.clone())?;
    let mut registry = Registry::default();
    process::register(&mut registry);
    let peer = Arc::new(Peer::default());
    let readiness = Readiness::default();

    let up = Gauge::default();
    registry.register(
        "thanos_sidecar_prometheus_up",
        "Boolean indicator whether the sidecar can reach its Prometheus peer",
        up.clone(),
    );
    let requirements = bucket.is_some().then(|| Requirements {
        record: args.tsdb_path.join(&args.shipper.meta_file_name),
        ignore_unequal_block_size: args.shipper.ignore_unequal_block_size,
    });
    let heartbeat = Heartbeat {
        prometheus: prometheus.clone(),
        peer: Arc::clone(&peer),
        readiness: readiness.clone(),
        up,
        requirements,
        min_time: args.min_time,
        interval: args.prometheus.interval,
        timeout: args.prometheus.timeout,
        started: started.clone(),
    };
    let (reloader, trigger) = args.reloader.settings(&prometheus);
    let reloader = Reloader::new(reloader, trigger, ReloaderMetrics::new(&mut registry));
    let shipping = {
        let bucket = bucket.map(|b| b.with_metrics(BucketMetrics::new(&mut registry)));
        let metrics = ShipperMetrics::new(&mut registry);
        let (args, peer, started) = (&args, Arc::clone(&peer), started.clone());
        let (prometheus, end) = (prometheus.clone(), end.clone());
        async move {
            match bucket {
                Some(bucket) => ship(args, bucket, prometheus, metrics, &peer, started, end).await,
                None => Ok(()),
            }
        }
    };
    let decoding = Threads::start("store")?;
    let services = services(&args, &prometheus, &peer, &readiness, &decoding)?;
    let grpc_metrics = GrpcMetrics::new(&mut registry);
    let app = component::router(Component {
        version: env!("CARGO_PKG_VERSION"),
        readiness: readiness.clone(),
        registry: Arc::new(registry),
        blocks: None,
    });
    let served = Served { app, services, grpc_metrics, readiness };
    let (served, beaten, shipped, ()) = tokio::join!(
        or_end(listeners.serve(&args.server, served, end.clone()), &end),
        or_end(heartbeat.run(end.clone()), &end),
        or_end(shipping, &end),
        reloader.run(end.clone()),
    );
    beaten?;
    shipped?;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// Where one part fails, all end.
async fn or_end<T>(
    part: impl Future<Output = anyhow::Result<T>>,
    end: &CancellationToken,
) -> anyhow::Result<T> {
    let done = part.await;
    if done.is_err() {
        end.cancel();
    }
    done
}

/// Ships finished blocks from when the Prometheus is known until `end`.
async fn ship(
    args: &SidecarArgs,
    bucket: Bucket,
    prometheus: Prometheus,
    metrics: ShipperMetrics,
    peer: &Peer,
    started: CancellationToken,
    end: CancellationToken,
) -> anyhow::Result<()> {
    let PrometheusArgs { ready_timeout, .. } = args.prometheus;
    let wal = args.tsdb_path.join("wal");
    if !wal.is_dir() {
        tracing::error!(path = %wal.display(), "no WAL there: is --tsdb.path the folder of this Prometheus?");
    }
    tokio::select! {
        biased;
        () = end.cancelled() => return Ok(()),
        known = tokio::time::timeout(ready_timeout, started.cancelled()) => ensure!(
            known.is_ok(),
            "--prometheus.ready_timeout: no external labels of the Prometheus after {ready_timeout:?}"
        ),
    }
    let settings = args.shipper.settings(&args.tsdb_path, peer.labels());
    let mut shipper = Shipper::new(bucket, settings, metrics)?.with_metadata_of(prometheus);
    shipper.run(SHIP_EACH, || peer.labels(), end).await;
    Ok(())
}

/// All that is served over gRPC.
fn services(
    args: &SidecarArgs,
    prometheus: &Prometheus,
    peer: &Arc<Peer>,
    readiness: &Readiness,
    decoding: &Threads,
) -> anyhow::Result<Services> {
    let source = Arc::new(RemoteRead::new(prometheus.clone(), Arc::clone(peer)));
    let store = StoreSettings {
        series_limit: args.series_limit,
        samples_limit: args.samples_limit,
        // What is earlier than --min-time, the source does not ask for.
        served: TimeRange::ALL.into(),
        partitions: threads::count(),
        ..StoreSettings::default()
    };
    let info = InfoSettings {
        rules: true,
        targets: true,
        metadata: true,
        exemplars: true,
        status: true,
        ..InfoSettings::store("sidecar")
    };
    let context = memory_limited(ANSWERS)?;
    let upstream = PeerUpstream::new(prometheus.clone(), Arc::clone(peer));
    let own = PrometheusServices::new(Arc::new(upstream));
    Ok(store_services(source, store, info, readiness, context, decoding.handle())
        .with(own.rules_server())
        .with(own.targets_server())
        .with(own.metadata_server())
        .with(own.exemplars_server())
        .with(own.status_server()))
}
