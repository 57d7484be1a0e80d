//! A `stoa sidecar` under test.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use proto::thanos::info::info_client::InfoClient;
use proto::thanos::info::{InfoRequest, InfoResponse};

use crate::support::{Server, free_address, http, stoa};

/// What a change may take on a loaded machine.
const WITHIN: Duration = Duration::from_secs(60);

/// The process and where it listens.
#[derive(Debug)]
pub(super) struct Sidecar {
    pub(super) server: Server,
    pub(super) grpc: SocketAddr,
}

/// A command line of a sidecar that looks at its Prometheus often.
pub(super) fn command(prometheus: &str, http: SocketAddr, grpc: SocketAddr) -> Command {
    let mut command = Command::new(stoa());
    command
        .args(["sidecar", "--prometheus.get_config_interval=100ms"])
        .arg(format!("--prometheus.url={prometheus}"))
        .arg(format!("--http-address={http}"))
        .arg(format!("--grpc-address={grpc}"));
    command
}

/// A FILESYSTEM bucket in `folder`, and the data folder that is shipped.
pub(super) fn shipping(command: &mut Command, data: &Path, bucket: &Path) {
    let objstore = format!("{{type: FILESYSTEM, config: {{directory: {}}}}}", bucket.display());
    command.arg(format!("--objstore.config={objstore}"));
    command.arg(format!("--tsdb.path={}", data.display()));
}

impl Sidecar {
    /// Starts one and waits until HTTP answers.
    pub(super) async fn start(prometheus: &str, change: impl FnOnce(&mut Command)) -> Self {
        let (http, grpc) = (free_address(), free_address());
        let mut command = command(prometheus, http, grpc);
        change(&mut command);
        Self { server: Server::start(&mut command, http, "/-/healthy").await, grpc }
    }

    pub(super) async fn status(&self, path: &str) -> u16 {
        http::get(&self.server.url(path)).await.status
    }

    /// Waits until `/-/ready` answers `status`.
    pub(super) async fn becomes(&self, status: u16) {
        self.until("/-/ready", async || self.status("/-/ready").await == status).await;
    }

    /// Waits until `done`.
    pub(super) async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + WITHIN;
        while !done().await {
            assert!(Instant::now() < deadline, "{what}:\n{}", self.server.output());
            tokio::task::yield_now().await;
        }
    }

    /// The value of a metric.
    pub(super) async fn metric(&self, name: &str) -> Option<f64> {
        let text = http::get(&self.server.url("/metrics")).await.body;
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// What Info says.
    pub(super) async fn info(&self) -> Result<InfoResponse, tonic::Status> {
        let client = InfoClient::connect(format!("http://{}", self.grpc)).await;
        let mut client = client.map_err(|e| tonic::Status::unavailable(e.to_string()))?;
        Ok(client.info(InfoRequest {}).await?.into_inner())
    }

    /// The external labels that Info says.
    pub(super) async fn labels(&self) -> String {
        let Ok(info) = self.info().await else { return String::new() };
        let sets = info.label_sets.iter().flat_map(|set| &set.labels);
        sets.map(|label| format!("{}={}", label.name, label.value)).collect::<Vec<_>>().join(",")
    }
}
