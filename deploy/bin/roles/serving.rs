//! What every role that serves does: listen on HTTP and gRPC, tell whether it is ready, end cleanly.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use flight::http::{Readiness, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;

use crate::cli::server::ServerArgs;

/// The sockets of a role, bound before anything else is done, so that a taken port ends the process
/// at once.
#[derive(Debug)]
pub(crate) struct Listeners {
    http: TcpListener,
    grpc: TcpListener,
}

impl Listeners {
    /// Binds both addresses.
    pub(crate) async fn bind(args: &ServerArgs) -> anyhow::Result<Self> {
        let http = bind("http", &args.http_address).await?;
        let grpc = bind("grpc", &args.grpc_address).await?;
        Ok(Self { http, grpc })
    }

    /// The port of HTTP, also if any was asked for.
    pub(crate) fn http_port(&self) -> anyhow::Result<u16> {
        Ok(self.http.local_addr()?.port())
    }

    /// Serves until `end` is cancelled. Then the role is not ready any more, takes no connection,
    /// and gives those that are open their grace.
    pub(crate) async fn serve(
        self,
        args: &ServerArgs,
        app: Router,
        readiness: Readiness,
        end: CancellationToken,
    ) -> anyhow::Result<()> {
        for (protocol, listener) in [("http", &self.http), ("grpc", &self.grpc)] {
            let address = listener.local_addr()?;
            tracing::info!(protocol, %address, "listening for requests");
        }
        let (health, health_service) = tonic_health::server::health_reporter();
        let not_serving = {
            let (health, readiness, end) = (health.clone(), readiness.clone(), end.clone());
            async move {
                end.cancelled().await;
                readiness.stopping();
                // "" stands for the server as a whole.
                health.set_service_status("", ServingStatus::NotServing).await;
            }
        };
        let grpc = Server::builder()
            .max_connection_age(args.grpc_max_connection_age)
            .add_service(health_service)
            .serve_with_incoming_shutdown(
                TcpIncoming::from(self.grpc),
                end.clone().cancelled_owned(),
            );
        let grpc = within_grace(grpc, end.clone(), args.grpc_grace_period);
        let http = server::serve(self.http, app, end, args.http_grace_period);
        let ((), (), grpc) = tokio::join!(not_serving, http, grpc);
        grpc.context("serve gRPC")
    }
}

/// Runs a server to its end, or until `grace` after the end was asked for.
async fn within_grace(
    server: impl Future<Output = Result<(), tonic::transport::Error>>,
    end: CancellationToken,
    grace: Duration,
) -> Result<(), tonic::transport::Error> {
    let over = async {
        end.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        biased;
        result = server => result,
        () = over => Ok(()),
    }
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
