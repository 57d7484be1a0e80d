//! `stoa tools bucket retention`: marks the blocks that are past their retention.

use std::process::ExitCode;

use engine::bucket::Bucket;
use engine::compact::plan::{DownsampleAges, PlanSettings};
use engine::compact::work::{CompactMetrics, CompactSettings, Compactor, Turn};

use super::{ended, now};
use crate::roles::compact::RetentionArgs;

/// The flags of `stoa tools bucket retention`.
#[derive(Debug, clap::Args)]
pub(super) struct ToolRetentionArgs {
    #[command(flatten)]
    retention: RetentionArgs,
    /// Blocks are not downsampled: those that are too old go although they never were.
    #[arg(long = "downsampling.disable")]
    no_downsampling: bool,
}

/// Runs the tool.
pub(super) async fn run(args: ToolRetentionArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let idle = CompactSettings::idle(std::env::temp_dir());
    let downsample = (!args.no_downsampling).then(DownsampleAges::default);
    let settings = CompactSettings {
        retention: args.retention.policy()?,
        plan: PlanSettings { downsample, ..idle.plan },
        ..idle
    };
    let compactor = Compactor::new(bucket.clone(), settings, CompactMetrics::default());
    let mut turn = Turn::default();
    compactor.retire(now(), &mut turn).await?;
    ended(&turn)
}
