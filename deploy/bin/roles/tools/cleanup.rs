//! `stoa tools bucket cleanup`: removes marked blocks and what uploads left unfinished.

use std::process::ExitCode;
use std::time::Duration;

use engine::bucket::Bucket;
use engine::compact::work::{CompactMetrics, CompactSettings, Compactor, Turn};

use super::{ended, now};
use crate::cli::duration;

/// The flags of `stoa tools bucket cleanup`.
#[derive(Debug, clap::Args)]
pub(super) struct CleanupArgs {
    /// Time between a block's deletion mark and its removal.
    #[arg(long = "delete-delay", default_value = "48h", value_parser = duration::parse)]
    delete_delay: Duration,
}

/// Runs the tool.
pub(super) async fn run(args: CleanupArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let settings = CompactSettings {
        delete_delay_ms: i64::try_from(args.delete_delay.as_millis()).unwrap_or(i64::MAX),
        ..CompactSettings::idle(std::env::temp_dir())
    };
    let compactor = Compactor::new(bucket.clone(), settings, CompactMetrics::default());
    let mut turn = Turn::default();
    compactor.clean(now(), &mut turn).await?;
    ended(&turn)
}
