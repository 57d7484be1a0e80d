//! Whether the Prometheus is there, and what it is: asked before anything is served, and again and
//! again after.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use engine::Result;
use engine::model::Moment;
use flight::http::Readiness;
use ingest::sidecar::{Peer, Prometheus, PrometheusFlags};
use prometheus_client::metrics::gauge::Gauge;
use tokio_util::sync::CancellationToken;

/// The block duration that everybody recommends.
const RECOMMENDED: &str = "2h";

/// What the shipper needs of a Prometheus.
#[derive(Debug, Clone)]
pub(super) struct Requirements {
    /// The record of shipped blocks, which Prometheus may read.
    pub(super) record: PathBuf,
    /// Whether a Prometheus that compacts is accepted all the same.
    pub(super) ignore_unequal_block_size: bool,
}

/// Asks the Prometheus.
#[derive(Debug)]
pub(super) struct Heartbeat {
    pub(super) prometheus: Prometheus,
    pub(super) peer: Arc<Peer>,
    pub(super) readiness: Readiness,
    /// `thanos_sidecar_prometheus_up`.
    pub(super) up: Gauge,
    /// Set if blocks are shipped.
    pub(super) requirements: Option<Requirements>,
    pub(super) min_time: Moment,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    /// Cancelled when the sidecar may serve.
    pub(super) started: CancellationToken,
}

impl Heartbeat {
    /// Beats until `end`; an error ends the sidecar.
    pub(super) async fn run(self, end: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            () = end.cancelled() => Ok(()),
            ended = self.beat() => ended,
        }
    }

    async fn beat(&self) -> anyhow::Result<()> {
        if let Some(requirements) = &self.requirements {
            self.retry("validate Prometheus' flags", async || {
                match self.prometheus.flags().await? {
                    Some(flags) => requirements.check(&flags),
                    None => {
                        tracing::warn!("Prometheus does not tell its flags; they are not checked");
                        Ok(())
                    }
                }
            })
            .await;
        }
        self.retry("get Prometheus' version", async || {
            let version = self.prometheus.version().await?;
            tracing::info!(version, "Prometheus answers");
            self.peer.set_version(version);
            Ok(())
        })
        .await;
        self.retry("get Prometheus' external labels and earliest time", async || {
            Ok(self.refresh().await?)
        })
        .await;
        let labels = self.peer.labels();
        ensure!(
            !labels.is_empty(),
            "no external labels are configured on the Prometheus: labels that identify it are needed"
        );
        tracing::info!(external_labels = %labels, "ready: the Prometheus is known");
        self.up.set(1);
        self.readiness.ready();
        self.started.cancel();
        loop {
            tokio::time::sleep(self.interval).await;
            match self.in_time(self.refresh()).await {
                Ok(()) => {
                    self.up.set(1);
                    self.readiness.ready();
                }
                Err(error) => {
                    tracing::warn!(err = %error, "heartbeat: Prometheus does not answer");
                    self.up.set(0);
                    self.readiness.not_ready();
                }
            }
        }
    }

    async fn refresh(&self) -> Result<()> {
        self.peer.refresh(&self.prometheus, self.min_time.ms()).await
    }

    /// Tries until it works.
    async fn retry(&self, what: &str, attempt: impl AsyncFn() -> anyhow::Result<()>) {
        while let Err(error) = self.in_time(attempt()).await {
            let err = format!("{error:#}");
            tracing::warn!(err, "failed to {what}; is it running? Trying again");
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn in_time<E: Into<anyhow::Error>>(
        &self,
        attempt: impl Future<Output = Result<(), E>>,
    ) -> anyhow::Result<()> {
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => bail!("no answer within {:?}", self.timeout),
        }
    }
}

impl Requirements {
    /// A Prometheus that compacts blocks before they are shipped loses them to the bucket, so it must
    /// not, or must wait for the record of shipped blocks (Thanos' `validatePrometheus`).
    fn check(&self, flags: &PrometheusFlags) -> anyhow::Result<()> {
        let (min, max) = (&flags.min_block_duration, &flags.max_block_duration);
        if !flags.delay_compact_file.is_empty() {
            let theirs = Path::new(&flags.delay_compact_file);
            ensure!(
                same_path(theirs, &self.record),
                "Prometheus waits for --storage.tsdb.delay-compact-file.path={}, the sidecar writes {}: \
                 both must be the same path",
                theirs.display(),
                self.record.display()
            );
        } else if min != max {
            ensure!(
                self.ignore_unequal_block_size,
                "Prometheus' longest block is {max} and its shortest {min}: it compacts, and must not \
                 (--storage.tsdb.min-block-duration = --storage.tsdb.max-block-duration)"
            );
            tracing::warn!(
                "Prometheus compacts: a block that is not shipped before may be missing in the bucket"
            );
        }
        if min != RECOMMENDED {
            tracing::warn!(min, "Prometheus' blocks are not of 2h, which is recommended");
        }
        Ok(())
    }
}

/// Whether two paths are the same without a look at the file system (Go's `filepath.Clean`).
fn same_path(a: &Path, b: &Path) -> bool {
    clean(a) == clean(b)
}

fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(cleaned.components().next_back(), Some(Component::Normal(_))) =>
            {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(min: &str, max: &str, delay: &str) -> PrometheusFlags {
        PrometheusFlags {
            min_block_duration: min.to_owned(),
            max_block_duration: max.to_owned(),
            delay_compact_file: delay.to_owned(),
        }
    }

    fn check(flags: &PrometheusFlags, ignore: bool) -> Result<(), String> {
        let record = PathBuf::from("/prometheus/thanos.shipper.json");
        let requirements = Requirements { record, ignore_unequal_block_size: ignore };
        requirements.check(flags).map_err(|error| error.to_string())
    }

    #[test]
    fn a_prometheus_that_compacts_is_refused() {
        assert_eq!(check(&flags("2h", "2h", ""), false), Ok(()));
        assert_eq!(check(&flags("1h", "1h", ""), false), Ok(()));
        let error = check(&flags("2h", "1d12h", ""), false).unwrap_err();
        assert!(
            error.starts_with("Prometheus' longest block is 1d12h and its shortest 2h"),
            "{error}"
        );
        assert_eq!(check(&flags("2h", "1d12h", ""), true), Ok(()));
    }

    #[test]
    fn unless_it_waits_for_the_record() {
        for same in ["/prometheus/thanos.shipper.json", "/prometheus//x/../thanos.shipper.json"] {
            assert_eq!(check(&flags("2h", "1d12h", same), false), Ok(()), "{same}");
        }
        let error = check(&flags("2h", "2h", "/prometheus/other.json"), true).unwrap_err();
        assert!(error.ends_with("both must be the same path"), "{error}");
    }
}
