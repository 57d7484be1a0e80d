//! `stoa demo`: everything in one process, for the first five minutes.

use std::process::ExitCode;

use anyhow::bail;

/// The flags of `stoa demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {}

/// Runs the demo until it is told to end.
pub(crate) async fn run(_args: DemoArgs) -> anyhow::Result<ExitCode> {
    bail!("stoa demo: not built yet")
}
