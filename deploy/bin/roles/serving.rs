//! What every role that serves does: listen on HTTP and gRPC, tell whether it is ready, end cleanly.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use engine::source::SeriesSource;
use flight::grpc::{self, GrpcMetrics, Services};
use flight::http::{Readiness, server};
use flight::runs::RunsService;
use flight::storeapi::server::{
    InfoService, InfoSettings, StoreService, StoreSettings, TaskContext,
};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::server::{HttpArgs, ServerArgs};

/// What a role serves.
#[derive(Debug)]
pub(crate) struct Served {
    /// Over HTTP.
    pub(crate) app: Router,
    /// Over gRPC.
    pub(crate) services: Services,
    /// What counts the calls over gRPC.
    pub(crate) grpc_metrics: GrpcMetrics,
    /// Whether the role can answer.
    pub(crate) readiness: Readiness,
}

/// The sockets of a role, bound before anything else is done, so that a taken port ends the process
/// at once.
#[derive(Debug)]
pub(crate) struct Listeners {
    http: TcpListener,
    grpc: Grpc,
}

/// The socket of gRPC.
#[derive(Debug)]
enum Grpc {
    Bound(TcpListener),
    /// It is bound when this is cancelled.
    When(CancellationToken),
}

impl Listeners {
    /// Binds both addresses.
    pub(crate) async fn bind(args: &ServerArgs) -> anyhow::Result<Self> {
        let http = bind("http", &args.http.address).await?;
        let grpc = Grpc::Bound(bind("grpc", &args.grpc_address).await?);
        Ok(Self { http, grpc })
    }

    /// Binds HTTP; nobody can call over gRPC before `started` is cancelled.
    pub(crate) async fn bind_http(
        args: &ServerArgs,
        started: CancellationToken,
    ) -> anyhow::Result<Self> {
        let http = bind("http", &args.http.address).await?;
        Ok(Self { http, grpc: Grpc::When(started) })
    }

    /// Serves until `end` is cancelled. Then the role is not ready any more, takes no connection,
    /// and gives those that are open their grace.
    pub(crate) async fn serve(
        self,
        args: &ServerArgs,
        served: Served,
        end: CancellationToken,
    ) -> anyhow::Result<()> {
        let Served { app, services, grpc_metrics, readiness } = served;
        let settings = args.grpc()?;
        announce("http", &self.http)?;
        let stopping = {
            let (readiness, end) = (readiness.clone(), end.clone());
            async move {
                end.cancelled().await;
                readiness.stopping();
            }
        };
        let grpc = async {
            let end_grpc = end.clone();
            let served = match self.grpc.listen(args, &end).await {
                Ok(Some(socket)) => {
                    grpc::serve(socket, services, settings, grpc_metrics, readiness, end_grpc)
                        .await
                        .context("serve gRPC")
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            // Without gRPC the role is nothing: HTTP ends too.
            end.cancel();
            served
        };
        let http = server::serve(self.http, app, end.clone(), args.http.grace_period);
        let ((), (), grpc) = tokio::join!(stopping, http, grpc);
        grpc
    }
}

impl Grpc {
    /// The socket, when it is time; `None` if the end comes before.
    async fn listen(
        self,
        args: &ServerArgs,
        end: &CancellationToken,
    ) -> anyhow::Result<Option<TcpListener>> {
        let socket = match self {
            Self::Bound(socket) => socket,
            Self::When(started) => tokio::select! {
                biased;
                () = end.cancelled() => return Ok(None),
                () = started.cancelled() => bind("grpc", &args.grpc_address).await?,
            },
        };
        announce("grpc", &socket)?;
        Ok(Some(socket))
    }
}

fn announce(protocol: &str, socket: &TcpListener) -> anyhow::Result<()> {
    let address = socket.local_addr()?;
    tracing::info!(protocol, %address, "listening for requests");
    Ok(())
}

/// The socket of a role that speaks HTTP alone.
pub(crate) async fn bind_http(args: &HttpArgs) -> anyhow::Result<TcpListener> {
    let http = bind("http", &args.address).await?;
    announce("http", &http)?;
    Ok(http)
}

/// StoreAPI, run batches and Info over `source`.
pub(crate) fn store_services(
    source: Arc<dyn SeriesSource>,
    store: StoreSettings,
    info: InfoSettings,
    readiness: &Readiness,
    context: Arc<TaskContext>,
    runtime: Handle,
) -> Services {
    let info = InfoService::new(Arc::clone(&source), info, readiness.clone());
    let runs = RunsService::new(
        Arc::clone(&source),
        store.clone(),
        readiness.clone(),
        Arc::clone(&context),
        runtime.clone(),
    );
    let store = StoreService::new(source, store, readiness.clone(), context, runtime);
    Services::new().with(store.into_server()).with(runs.into_server()).with(info.into_server())
}

/// Binds an address as Go writes it: `:10902` is every address of the machine.
async fn bind(protocol: &str, address: &str) -> anyhow::Result<TcpListener> {
    let full =
        if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
    TcpListener::bind(&full)
        .await
        .with_context(|| format!("--{protocol}-address: listen on {address}"))
}

/// Cancels `end` at the first SIGTERM or SIGINT, and ends the process at the second.
pub(crate) fn end_on_signals(end: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::spawn(async move {
        let name = next_of(&mut terminate, &mut interrupt).await;
        tracing::info!(signal = name, "ending");
        end.cancel();
        let name = next_of(&mut terminate, &mut interrupt).await;
        tracing::warn!(signal = name, "ending at once");
        std::process::exit(1);
    });
    Ok(())
}

async fn next_of(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
