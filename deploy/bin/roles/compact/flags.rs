//! The flags of `stoa compact`, by Thanos' names (`cmd/thanos/compact.go`).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use engine::compact::log::Holder;
use engine::compact::plan::windows::DAY_MS;
use engine::compact::plan::{DownsampleAges, PlanSettings};
use engine::compact::retention::{Retention, RetentionPolicy};
use engine::compact::work::CompactSettings;
use engine::model::{Bounds, Moment};
use engine::source::DedupFunc;

use crate::cli::objstore::ObjstoreArgs;
use crate::cli::selector::SelectorArgs;
use crate::cli::server::HttpArgs;
use crate::cli::{duration, size, time};

/// How long a lease of a group lasts without being renewed.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// The flags of `stoa compact`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    pub(super) http: HttpArgs,
    #[command(flatten)]
    pub(super) objstore: ObjstoreArgs,
    #[command(flatten)]
    selector: SelectorArgs,
    /// Folder for blocks in the making, and for what memory does not hold.
    #[arg(long = "data-dir", value_name = "PATH", default_value = "./data")]
    data_dir: PathBuf,
    /// Do not exit when all is done, but wait for new work.
    #[arg(short = 'w', long = "wait")]
    pub(super) wait: bool,
    /// Wait so long between looks at the bucket.
    #[arg(long = "wait-interval", default_value = "5m", value_parser = duration::parse)]
    pub(super) wait_interval: Duration,
    /// How often marked blocks and unfinished uploads are removed, besides at each turn; 0 is never.
    #[arg(long = "compact.cleanup-interval", default_value = "5m", value_parser = duration::parse)]
    pub(super) cleanup_interval: Duration,
    #[command(flatten)]
    retention: RetentionArgs,
    /// Age of a fresh block before it is worked on.
    #[arg(long = "consistency-delay", default_value = "30m", value_parser = duration::parse)]
    consistency_delay: Duration,
    /// Time between a block's deletion mark and its removal. Readers leave marked blocks out sooner.
    #[arg(long = "delete-delay", default_value = "48h", value_parser = duration::parse)]
    delete_delay: Duration,
    /// How many groups are compacted at once.
    #[arg(long = "compact.concurrency", default_value = "1")]
    compactions: usize,
    /// How many groups are downsampled at once, beside compactions.
    #[arg(long = "downsample.concurrency", default_value = "1")]
    downsamplings: usize,
    /// How many meta.json are read at once.
    #[arg(long = "block-meta-fetch-concurrency", default_value = "32")]
    _meta_fetch_concurrency: usize,
    /// Leave downsampling out. Then retention does not wait for it.
    #[arg(long = "downsampling.disable")]
    no_downsampling: bool,
    /// Label that tells replicas apart: they are made one, and lose it. May be repeated.
    #[arg(long = "deduplication.replica-label", value_name = "LABEL")]
    replica_labels: Vec<String>,
    /// How replicas are made one. Empty is Thanos' default: all samples of all replicas.
    #[arg(long = "deduplication.func", value_enum, default_value = "coverage")]
    dedup: Dedup,
    /// Only blocks from this time on are worked on; a time, or a duration before now.
    #[arg(
        long = "min-time",
        default_value = "0000-01-01T00:00:00Z",
        value_parser = time::moment,
        allow_hyphen_values = true
    )]
    min_time: Moment,
    /// Only blocks up to this time are worked on.
    #[arg(
        long = "max-time",
        default_value = "9999-12-31T23:59:59Z",
        value_parser = time::moment,
        allow_hyphen_values = true
    )]
    max_time: Moment,
    /// Length of the windows, counted from 1970, that raw blocks are merged to.
    #[arg(long = "compact.range", default_value = "1d", value_parser = duration::parse)]
    range: Duration,
    /// Bytes that a compaction may hold besides label columns; beyond it, disk is used.
    #[arg(long = "compact.memory-limit", default_value = "256MB", value_parser = size::parse)]
    memory: u64,
    /// Age of raw samples that are downsampled to five minutes.
    #[arg(long = "downsample.raw-age", default_value = "40h", value_parser = duration::parse)]
    raw_age: Duration,
    /// Age of samples of five minutes that are downsampled to an hour.
    #[arg(long = "downsample.5m-age", default_value = "10d", value_parser = duration::parse)]
    five_minutes_age: Duration,
}

/// How long samples are kept.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RetentionArgs {
    /// How long raw samples are kept; 0d is for ever.
    #[arg(long = "retention.resolution-raw", default_value = "0d", value_parser = duration::parse)]
    raw: Duration,
    /// How long samples of five minutes are kept; 0d is for ever.
    #[arg(long = "retention.resolution-5m", default_value = "0d", value_parser = duration::parse)]
    five_minutes: Duration,
    /// How long samples of an hour are kept; 0d is for ever.
    #[arg(long = "retention.resolution-1h", default_value = "0d", value_parser = duration::parse)]
    hour: Duration,
    /// Rules by external labels, as YAML: a list of matchers, resolution-raw, resolution-5m and
    /// resolution-1h. The first that fits a block holds, else the flags do.
    #[arg(
        long = "retention.config",
        value_name = "YAML",
        conflicts_with = "retention_config_file"
    )]
    retention_config: Option<String>,
    /// Path of a file with such rules.
    #[arg(long = "retention.config-file", value_name = "PATH")]
    retention_config_file: Option<PathBuf>,
}

/// How replicas are made one.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dedup {
    Coverage,
    Penalty,
    Chain,
    #[value(name = "")]
    Thanos,
}

impl RetentionArgs {
    /// What is kept.
    pub(crate) fn policy(&self) -> anyhow::Result<RetentionPolicy> {
        let default = Retention {
            raw_ms: ms(self.raw),
            five_minutes_ms: ms(self.five_minutes),
            hour_ms: ms(self.hour),
        };
        let text = match (&self.retention_config, &self.retention_config_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .with_context(|| format!("--retention.config-file: read {}", path.display()))?,
            (None, None) => String::new(),
        };
        RetentionPolicy::from_yaml(&text, default, &promql::parse::selector)
            .context("--retention.config")
    }
}

impl CompactArgs {
    /// How the bucket is looked after.
    pub(super) fn settings(&self) -> anyhow::Result<CompactSettings> {
        let range = Bounds { min: self.min_time, max: self.max_time }.range();
        ensure!(!range.is_empty(), "--min-time must not be after --max-time");
        ensure!(ms(self.range) > 0, "--compact.range must be positive");
        ensure!(
            DAY_MS % ms(self.range) == 0 || ms(self.range) % DAY_MS == 0,
            "--compact.range must be a part of a day or a number of days"
        );
        let ages =
            DownsampleAges { raw_ms: ms(self.raw_age), five_minutes_ms: ms(self.five_minutes_age) };
        let downsample = (!self.no_downsampling).then_some(ages);
        let retention = self.retention.policy()?;
        if let Some(ages) = downsample {
            retention.check(ages)?;
        }
        Ok(CompactSettings {
            plan: PlanSettings {
                compact: true,
                consistency_delay_ms: ms(self.consistency_delay),
                raw_range_ms: ms(self.range),
                replica_labels: self.replica_labels.clone(),
                downsample,
                range,
            },
            dedup: match self.dedup {
                Dedup::Coverage => DedupFunc::Coverage,
                Dedup::Penalty => DedupFunc::Penalty,
                Dedup::Chain | Dedup::Thanos => DedupFunc::Chain,
            },
            retention,
            delete_delay_ms: ms(self.delete_delay),
            selector: self.selector.selector()?,
            compactions: self.compactions.max(1),
            downsamplings: self.downsamplings.max(1),
            memory: usize::try_from(self.memory).unwrap_or(usize::MAX),
            dir: self.data_dir.join("compact"),
            holder: Holder::new(ms(LEASE)),
        })
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
