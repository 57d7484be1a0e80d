//! The flags of `stoa sidecar`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use engine::model::{Labels, Moment};
use ingest::sidecar::{HttpConfig, Prometheus, ReloaderSettings, ShipperSettings, Trigger};

use crate::cli::duration;
use crate::cli::objstore::ObjstoreArgs;
use crate::cli::server::ServerArgs;
use crate::cli::time;

/// The flags, in groups.
#[derive(Debug, clap::Args)]
pub(crate) struct SidecarArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) objstore: ObjstoreArgs,
    #[command(flatten)]
    pub(super) prometheus: PrometheusArgs,
    /// Data folder of Prometheus.
    #[arg(long = "tsdb.path", value_name = "DIR", default_value = "./data")]
    pub(super) tsdb_path: PathBuf,
    #[command(flatten)]
    pub(super) reloader: ReloaderArgs,
    #[command(flatten)]
    pub(super) shipper: ShipperArgs,
    /// Earliest time that StoreAPI serves: RFC 3339, or relative to now as in -1d.
    #[arg(
        long = "min-time",
        value_name = "TIME",
        default_value = "0000-01-01T00:00:00Z",
        value_parser = time::moment,
        allow_hyphen_values = true
    )]
    pub(super) min_time: Moment,
    /// Most series that a request may match; 0 is no limit.
    #[arg(long = "store.limits.request-series", default_value = "0")]
    pub(super) series_limit: usize,
    /// Most samples that a request may read; 0 is no limit.
    #[arg(long = "store.limits.request-samples", default_value = "0")]
    pub(super) samples_limit: usize,
}

/// How to reach the Prometheus.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PrometheusArgs {
    /// URL of the Prometheus.
    #[arg(long = "prometheus.url", value_name = "URL", default_value = "http://localhost:9090")]
    url: String,
    /// The longest time that uploads wait for the Prometheus to start.
    #[arg(
        long = "prometheus.ready_timeout",
        default_value = "10m",
        value_parser = duration::parse
    )]
    pub(super) ready_timeout: Duration,
    /// How often external labels and times of the Prometheus are looked at.
    #[arg(
        long = "prometheus.get_config_interval",
        default_value = "30s",
        value_parser = duration::parse
    )]
    pub(super) interval: Duration,
    /// The longest time that such a look may take.
    #[arg(
        long = "prometheus.get_config_timeout",
        default_value = "30s",
        value_parser = duration::parse
    )]
    pub(super) timeout: Duration,
    /// How to reach the Prometheus, as YAML: credentials, TLS.
    #[arg(
        long = "prometheus.http-client",
        value_name = "YAML",
        conflicts_with = "http_client_file"
    )]
    http_client: Option<String>,
    /// Path of a file with that YAML.
    #[arg(long = "prometheus.http-client-file", value_name = "PATH")]
    http_client_file: Option<PathBuf>,
}

/// What the reloader looks at.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReloaderArgs {
    /// Configuration of Prometheus to watch.
    #[arg(
        long = "reloader.config-file",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    config_file: String,
    /// Where it is written with $(VARIABLES) of the environment filled in.
    #[arg(
        long = "reloader.config-envsubst-file",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    envsubst_file: String,
    /// Folder of rules to watch; repeatable.
    #[arg(long = "reloader.rule-dir", value_name = "DIR")]
    rule_dirs: Vec<PathBuf>,
    /// How often configuration and rules are read, whether they seem changed or not.
    #[arg(long = "reloader.watch-interval", default_value = "3m", value_parser = duration::parse)]
    watch_interval: Duration,
    /// How often a reload that failed is tried again.
    #[arg(long = "reloader.retry-interval", default_value = "5s", value_parser = duration::parse)]
    retry_interval: Duration,
    /// How Prometheus is told to reload.
    #[arg(long = "reloader.method", value_enum, default_value = "http")]
    method: ReloadMethod,
    /// Name of the process that gets the signal.
    #[arg(long = "reloader.process-name", value_name = "NAME", default_value = "prometheus")]
    process_name: String,
}

/// `--reloader.method`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReloadMethod {
    Http,
    Signal,
}

/// How blocks are shipped.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ShipperArgs {
    /// Ship blocks that Prometheus has compacted too, where nothing of their time is shipped yet.
    #[arg(long = "shipper.upload-compacted")]
    upload_compacted: bool,
    /// Name of the record of shipped blocks in the data folder.
    #[arg(
        long = "shipper.meta-file-name",
        value_name = "NAME",
        default_value = "thanos.shipper.json"
    )]
    pub(super) meta_file_name: String,
    /// Upload each block as Prometheus wrote it too: Thanos can read it.
    #[arg(long = "shipper.also-upload-tsdb")]
    also_upload_tsdb: bool,
    /// How many files of such a block are uploaded at once.
    #[arg(long = "shipper.upload-concurrency", default_value = "0")]
    upload_concurrency: usize,
    /// Go on with newer blocks when one could not be uploaded.
    #[arg(long = "shipper.allow-out-of-order-uploads", hide = true)]
    allow_out_of_order: bool,
    /// Do not insist on a Prometheus that does not compact.
    #[arg(long = "shipper.ignore-unequal-block-size", hide = true)]
    pub(super) ignore_unequal_block_size: bool,
}

impl PrometheusArgs {
    /// The client.
    pub(super) fn client(&self) -> anyhow::Result<Prometheus> {
        let yaml = match (&self.http_client, &self.http_client_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).with_context(|| {
                format!("--prometheus.http-client-file: read {}", path.display())
            })?,
            (None, None) => String::new(),
        };
        let config = HttpConfig::from_yaml(&yaml).context("--prometheus.http-client")?;
        Prometheus::new(&self.url, config).context("--prometheus.url")
    }
}

impl ReloaderArgs {
    /// What the reloader looks at, and how it reaches `prometheus`.
    pub(super) fn settings(&self, prometheus: &Prometheus) -> (ReloaderSettings, Trigger) {
        let given = |path: &str| (!path.is_empty()).then(|| PathBuf::from(path));
        let settings = ReloaderSettings {
            config_file: given(&self.config_file),
            output_file: given(&self.envsubst_file),
            rule_dirs: self.rule_dirs.clone(),
            watch_interval: self.watch_interval,
            retry_interval: self.retry_interval,
        };
        let trigger = match self.method {
            ReloadMethod::Http => Trigger::Http(prometheus.clone()),
            ReloadMethod::Signal => Trigger::Signal(prometheus.clone(), self.process_name.clone()),
        };
        (settings, trigger)
    }
}

impl ShipperArgs {
    /// How the blocks of `data_dir` are shipped.
    pub(super) fn settings(&self, data_dir: &PathBuf, labels: Labels) -> ShipperSettings {
        ShipperSettings {
            upload_compacted: self.upload_compacted,
            record_file: self.meta_file_name.clone(),
            also_upload_tsdb: self.also_upload_tsdb,
            upload_concurrency: self.upload_concurrency,
            allow_out_of_order: self.allow_out_of_order,
            ..ShipperSettings::new(data_dir, labels)
        }
    }
}
