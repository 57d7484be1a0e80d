//! `stoa tools bucket downsample`: downsamples all blocks that are old enough.

use std::path::PathBuf;
use std::process::ExitCode;

use engine::bucket::Bucket;
use engine::compact::plan::{DownsampleAges, PlanSettings};
use engine::compact::work::{CompactMetrics, CompactSettings, Compactor, Turn};

use super::{ended, now};

/// The flags of `stoa tools bucket downsample`.
#[derive(Debug, clap::Args)]
pub(super) struct DownsampleArgs {
    /// Folder for blocks in the making.
    #[arg(long = "data-dir", value_name = "PATH", default_value = "./data")]
    data_dir: PathBuf,
    /// How many groups are downsampled at once.
    #[arg(long = "downsample.concurrency", default_value = "1")]
    downsamplings: usize,
}

/// Runs the tool.
pub(super) async fn run(args: DownsampleArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let idle = CompactSettings::idle(args.data_dir.join("downsample"));
    let settings = CompactSettings {
        downsamplings: args.downsamplings.max(1),
        plan: PlanSettings {
            downsample: Some(DownsampleAges::default()),
            consistency_delay_ms: 0,
            ..idle.plan
        },
        ..idle
    };
    let compactor = Compactor::new(bucket.clone(), settings, CompactMetrics::default());
    let mut all = Turn::default();
    loop {
        let turn = compactor.turn(&now).await?;
        all.downsampled += turn.downsampled;
        all.marked += turn.marked;
        all.failed += turn.failed;
        if !turn.more || turn.failed > 0 {
            return ended(&all);
        }
    }
}
