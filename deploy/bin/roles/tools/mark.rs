//! `stoa tools bucket mark`: puts a mark on blocks, or takes one away.

use std::process::ExitCode;

use clap::ValueEnum;
use engine::block::mark::{self, DeletionMark, Mark, NoCompactMark, NoDownsampleMark};
use engine::block::{BlockId, BlockMeta};
use engine::bucket::Bucket;

use super::now;

/// The flags of `stoa tools bucket mark`.
#[derive(Debug, clap::Args)]
pub(super) struct MarkArgs {
    /// The block. May be repeated.
    #[arg(long = "id", required = true, value_name = "ULID")]
    ids: Vec<BlockId>,
    /// The mark.
    #[arg(long = "marker", required = true, value_enum)]
    marker: Marker,
    /// Why, for people.
    #[arg(long = "details", default_value = "", hide_default_value = true)]
    details: String,
    /// Take the mark away.
    #[arg(long = "remove")]
    remove: bool,
}

/// Thanos' names of the marks.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Marker {
    #[value(name = "deletion-mark.json")]
    Deletion,
    #[value(name = "no-compact-mark.json")]
    NoCompact,
    #[value(name = "no-downsample-mark.json")]
    NoDownsample,
}

/// Runs the tool.
pub(super) async fn run(args: MarkArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(args.remove || !args.details.is_empty(), "--details: say why");
    for &id in &args.ids {
        let details = &args.details;
        match (args.marker, args.remove) {
            (Marker::Deletion, true) => remove::<DeletionMark>(bucket, id).await?,
            (Marker::NoCompact, true) => remove::<NoCompactMark>(bucket, id).await?,
            (Marker::NoDownsample, true) => remove::<NoDownsampleMark>(bucket, id).await?,
            (Marker::Deletion, false) => {
                put(bucket, id, &DeletionMark::new(id, details, None, now())).await?;
            }
            (Marker::NoCompact, false) => {
                put(bucket, id, &NoCompactMark::new(id, "manual", details, now())).await?;
            }
            (Marker::NoDownsample, false) => {
                put(bucket, id, &NoDownsampleMark::new(id, "manual", details, now())).await?;
            }
        }
    }
    tracing::info!("marking done");
    Ok(ExitCode::SUCCESS)
}

async fn put<M: Mark>(bucket: &Bucket, id: BlockId, mark: &M) -> anyhow::Result<()> {
    match mark::put(bucket, &BlockMeta::folder(id), mark).await? {
        true => tracing::info!(block = %id, marker = M::FILE, "block marked"),
        false => tracing::warn!(block = %id, marker = M::FILE, "the block has this mark"),
    }
    Ok(())
}

async fn remove<M: Mark>(bucket: &Bucket, id: BlockId) -> anyhow::Result<()> {
    match mark::remove::<M>(bucket, &BlockMeta::folder(id)).await? {
        true => tracing::info!(block = %id, marker = M::FILE, "mark removed"),
        false => tracing::warn!(block = %id, marker = M::FILE, "the block has no such mark"),
    }
    Ok(())
}
