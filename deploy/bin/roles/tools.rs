//! `stoa tools`: looks at and works on buckets by hand.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

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
    Ls,
}

/// Runs a tool to its end.
pub(crate) async fn run(args: ToolsArgs) -> anyhow::Result<ExitCode> {
    let Tool::Bucket(bucket) = args.tool;
    bucket.objstore.required_yaml()?;
    match bucket.tool {
        BucketTool::Ls => bail!("stoa tools bucket ls: not built yet"),
    }
}
