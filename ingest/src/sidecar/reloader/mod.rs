//! The reloader: prepares a Prometheus' configuration and tells the server when it, or a rule file,
//! has changed.
//!
//! ```text
//! config file ─ gunzip ─ $(VAR) ─▶ envsubst file ─┐
//! rule folders ───────────────────────────────────┴─▶ hash ─ changed? ─▶ POST /-/reload or SIGHUP
//! ```
//!
//! A look is taken when the file system says so (the folders are watched, so that the swap of a
//! ConfigMap's `..data` link is seen), and at each watch interval, because it does not always say so.
//! A reload that fails is tried again at each retry interval. What cannot be read or filled in is
//! logged and counted, and nothing else is disturbed: what was written before stays.
//!
//! Behaviour, hash and metrics are those of Thanos' `pkg/reloader`; unlike there, an unusable
//! configuration does not end the process, and an output that would not change is not written.

mod expand;
mod input;
mod metrics;
#[cfg(test)]
mod tests;
mod trigger;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::{Error, Result};
use tokio_util::sync::CancellationToken;

pub use metrics::ReloaderMetrics;
pub use trigger::Trigger;

use expand::expand;
use watch::Watch;

/// What a reloader looks at.
#[derive(Debug, Clone, Default)]
pub struct ReloaderSettings {
    /// The configuration (`--reloader.config-file`).
    pub config_file: Option<PathBuf>,
    /// Where it is written with its variables filled in (`--reloader.config-envsubst-file`).
    pub output_file: Option<PathBuf>,
    /// Folders with rules (`--reloader.rule-dir`).
    pub rule_dirs: Vec<PathBuf>,
    /// The longest time between two looks (`--reloader.watch-interval`); zero is one look at the
    /// start, without a reload.
    pub watch_interval: Duration,
    /// The time between two attempts to reload (`--reloader.retry-interval`).
    pub retry_interval: Duration,
}

/// The SHA-256 of all that a Prometheus reads.
type Hash = [u8; 32];

/// Watches, writes, reloads.
#[derive(Debug)]
pub struct Reloader {
    settings: Arc<ReloaderSettings>,
    trigger: Trigger,
    metrics: ReloaderMetrics,
    /// What the server was last told to read.
    told: Option<Hash>,
}

impl Reloader {
    /// A reloader of the server that `trigger` reaches.
    pub fn new(settings: ReloaderSettings, trigger: Trigger, metrics: ReloaderMetrics) -> Self {
        metrics.method(trigger.name());
        Self { settings: Arc::new(settings), trigger, metrics, told: None }
    }

    /// Works until `stop`; returns at once if there is nothing to look at.
    pub async fn run(mut self, stop: CancellationToken) {
        let settings = Arc::clone(&self.settings);
        if settings.config_file.is_none() && settings.rule_dirs.is_empty() {
            tracing::info!("reloader: nothing to be watched");
            return;
        }
        if settings.watch_interval.is_zero() {
            if let Err(error) = self.prepare().await {
                tracing::error!(err = %error, "reloader");
            }
            return;
        }
        let watch = Watch::start(&settings, &self.metrics);
        loop {
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                done = self.apply() => done,
            };
            let pause = match done {
                Ok(()) => settings.watch_interval,
                Err(error) => {
                    tracing::error!(err = %error, "reloader");
                    settings.retry_interval.min(settings.watch_interval)
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = watch.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look: writes the configuration if it has changed, and has the server read what it was not
    /// told of yet.
    pub async fn apply(&mut self) -> Result<()> {
        self.metrics.apply.inc();
        let hash = match self.prepare().await {
            Ok(hash) => hash,
            Err(error) => {
                self.metrics.apply_failed.inc();
                return Err(error);
            }
        };
        if self.told == Some(hash) {
            return Ok(());
        }
        self.metrics.reloads.inc();
        match self.trigger.reload().await {
            Ok(()) => {
                tracing::info!("reloader: the server has read its configuration");
                self.metrics.reloaded();
                self.told = Some(hash);
                Ok(())
            }
            Err(error) => {
                self.metrics.reload_failed();
                Err(error.context("reload"))
            }
        }
    }

    /// Writes the output and returns the hash of everything.
    async fn prepare(&self) -> Result<Hash> {
        let settings = Arc::clone(&self.settings);
        let expansion_errors = self.metrics.expansion_errors.clone();
        tokio::task::spawn_blocking(move || {
            let mut read = None;
            if let Some(config) = &settings.config_file {
                let kept = read.insert((config.as_path(), input::read(config)?)).1.as_slice();
                let text = input::unpacked(kept, config)?;
                if let Some(output) = &settings.output_file {
                    let variable = |name: &str| std::env::var_os(name);
                    let expanded = expand(&text, variable);
                    expansion_errors.set(i64::from(expanded.is_err()));
                    let expanded = expanded.map_err(|e| e.context(config.display()))?;
                    input::replace(output, &expanded)?;
                }
            }
            let read = read.as_ref().map(|(config, kept)| (*config, kept.as_slice()));
            input::hash(read, &settings.rule_dirs)
        })
        .await
        .map_err(|e| Error::internal("reading a configuration").with_source(e))?
    }
}
