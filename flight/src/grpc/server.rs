//! The server: connections until the end is asked for, then a grace period.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::incoming::incoming;
use super::metrics::GrpcMetrics;
use super::services::Services;
use super::snappy::SnappyLayer;
use super::tls::{Tls, TlsFiles};
use crate::http::Readiness;

/// How often a silent client is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What the flags say.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// When a connection is closed gracefully, so that clients spread anew
    /// (`--grpc-server-max-connection-age`).
    pub max_connection_age: Duration,
    /// How long open calls get at the end (`--grpc-grace-period`).
    pub grace: Duration,
    /// Certificates, if TLS is spoken (`--grpc-server-tls-…`).
    pub tls: Option<TlsFiles>,
}

/// Serves `services` on `listener` until `end` is cancelled. Health follows `readiness`.
pub async fn serve(
    listener: TcpListener,
    services: Services,
    settings: ServerSettings,
    metrics: GrpcMetrics,
    readiness: Readiness,
    end: CancellationToken,
) -> io::Result<()> {
    let tls = settings.tls.map(Tls::new).transpose()?.map(Arc::new);
    let health = services.health.clone();
    let report = async move {
        let mut changes = readiness.changes();
        loop {
            let status = if readiness.is_ready() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            // "" stands for the server as a whole.
            health.set_service_status("", status).await;
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    let server = Server::builder()
        .max_connection_age(settings.max_connection_age)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(metrics)
        .layer(SnappyLayer)
        .add_routes(services.into_routes())
        .serve_with_incoming_shutdown(
            incoming(listener, tls, end.clone()),
            end.clone().cancelled_owned(),
        );
    let over = async {
        end.cancelled().await;
        tokio::time::sleep(settings.grace).await;
    };
    tokio::select! {
        biased;
        served = server => served.map_err(io::Error::other),
        () = over => {
            tracing::warn!("closing gRPC connections whose grace is over");
            Ok(())
        }
        () = report => Ok(()),
    }
}
