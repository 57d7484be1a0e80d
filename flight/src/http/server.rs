//! Connections: accepted until the end is asked for, then drained for a grace period.

use std::io;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The time in which a client must have sent the head of a request; idle connections end with it
/// too. Longer than the idle time of Go's and Grafana's clients (90 s), which then close first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(300);

/// How long accepting rests when the process has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` until `end` is cancelled; then no connection is taken any more, and
/// those that are open get `grace` to end their requests.
pub async fn serve(listener: TcpListener, app: Router, end: CancellationToken, grace: Duration) {
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let service = TowerToHyperService::new(app);
    loop {
        let stream = tokio::select! {
            biased;
            () = end.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_if_exhausted(&error).await;
                    continue;
                }
            },
        };
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let (service, end, abort) = (service.clone(), end.clone(), abort.clone());
        connections.spawn(async move {
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            builder.http2().timer(TokioTimer::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                biased;
                () = abort.cancelled() => return,
                result = connection.as_mut() => return log_end(result),
                () = end.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                biased;
                () = abort.cancelled() => {}
                result = connection => log_end(result),
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "closing connections whose grace is over");
        abort.cancel();
        connections.wait().await;
    }
}

/// A client that goes away is no error of ours.
fn log_end(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(err = %error, "connection ended");
    }
}

async fn pause_if_exhausted(error: &io::Error) {
    let of_the_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !of_the_client {
        tracing::error!(err = %error, "accept a connection");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
