//! `stoa tools`: looks at and works on buckets by hand.
//!
//! Results go to standard output, everything else to standard error.

mod cleanup;
mod downsample;
mod inspect;
mod labels;
mod ls;
mod mark;
mod progress;
mod retention;
mod spelling;
mod table;
mod upload_blocks;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Subcommand;
use engine::bucket::Bucket;
use engine::catalog::{Catalog, CatalogSettings, Survey};
use engine::compact::work::Turn;

use crate::cli::objstore::ObjstoreArgs;

/// The flags of `stoa tools`.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Works on a bucket.
    Bucket(BucketArgs),
}

#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct BucketArgs {
    #[command(flatten)]
    objstore: ObjstoreArgs,
    #[command(subcommand)]
    tool: BucketTool,
}

#[derive(Debug, Subcommand)]
enum BucketTool {
    /// Lists the blocks of the bucket.
    Ls(ls::LsArgs),
    /// Shows the blocks of the bucket as a table.
    Inspect(inspect::InspectArgs),
    /// Reads blocks whole and names everything that is wrong with them.
    Verify(verify::VerifyArgs),
    /// Converts blocks of a Prometheus and uploads them.
    UploadBlocks(upload_blocks::UploadBlocksArgs),
    /// Marks blocks: to be deleted, not to be compacted, not to be downsampled.
    Mark(mark::MarkArgs),
    /// Removes marked blocks and what uploads left unfinished.
    Cleanup(cleanup::CleanupArgs),
    /// Marks the blocks that are past their retention.
    Retention(retention::ToolRetentionArgs),
    /// Downsamples the blocks that are old enough.
    Downsample(downsample::DownsampleArgs),
}

/// Runs a tool to its end.
pub(crate) async fn run(args: ToolsArgs) -> anyhow::Result<ExitCode> {
    let Tool::Bucket(args) = args.tool;
    let bucket = Bucket::from_yaml(&args.objstore.required_yaml()?).context("--objstore.config")?;
    match args.tool {
        BucketTool::Ls(args) => ls::run(args, &bucket).await,
        BucketTool::Inspect(args) => inspect::run(args, &bucket).await,
        BucketTool::Verify(args) => verify::run(args, &bucket).await,
        BucketTool::UploadBlocks(args) => upload_blocks::run(args, &bucket).await,
        BucketTool::Mark(args) => mark::run(args, &bucket).await,
        BucketTool::Cleanup(args) => cleanup::run(args, &bucket).await,
        BucketTool::Retention(args) => retention::run(args, &bucket).await,
        BucketTool::Downsample(args) => downsample::run(args, &bucket).await,
    }
}

/// What a tool did, and whether all of it succeeded.
fn ended(turn: &Turn) -> anyhow::Result<ExitCode> {
    let Turn { downsampled, marked, removed, failed, .. } = *turn;
    tracing::info!(downsampled, marked, removed, failed, "done");
    if failed > 0 {
        bail!("{failed} pieces of work failed");
    }
    Ok(ExitCode::SUCCESS)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What is in the bucket; an error if that takes longer than `timeout` (`--timeout`).
async fn survey(bucket: &Bucket, timeout: Duration) -> anyhow::Result<Survey> {
    let catalog = Catalog::new(bucket.clone(), CatalogSettings::default());
    let Ok(survey) = tokio::time::timeout(timeout, catalog.survey()).await else {
        bail!("--timeout: the bucket's blocks were not listed within {timeout:?}");
    };
    Ok(survey?)
}

/// Writes to standard output. A reader that has seen enough (`… | head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}
