//! `stoa query`: answers PromQL over HTTP from a bucket, deduplicated over replicas.

use std::process::ExitCode;

use anyhow::bail;

use crate::cli::objstore::ObjstoreArgs;
use crate::cli::server::ServerArgs;

/// The flags of `stoa query`.
#[derive(Debug, clap::Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    objstore: ObjstoreArgs,
}

/// Runs the querier until it is told to end.
pub(crate) async fn run(args: QueryArgs) -> anyhow::Result<ExitCode> {
    args.objstore.required_yaml()?;
    bail!("stoa query: not built yet ({})", args.server.http_address)
}
