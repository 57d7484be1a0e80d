//! The command line: Thanos' flags, kingpin's spelling.
//!
//! Every role is a subcommand with the flags of Thanos' command of that name. What kingpin does and
//! clap does not is in [`flags`]; flags of Thanos that mean nothing here are in [`unused`].

pub(crate) mod duration;
pub(crate) mod endpoints;
pub(crate) mod features;
pub(crate) mod flags;
pub(crate) mod limits;
pub(crate) mod logging;
pub(crate) mod objstore;
pub(crate) mod selector;
pub(crate) mod server;
pub(crate) mod size;
pub(crate) mod time;
pub(crate) mod unused;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::roles;

/// Long-term storage and query of Prometheus metrics, as open Parquet columns in a bucket.
#[derive(Debug, Parser)]
#[command(
    name = "stoa",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    logging: logging::LoggingArgs,
    #[command(subcommand)]
    role: Role,
}

/// What the process is.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Stands beside a Prometheus: uploads its blocks and serves its recent samples.
    Sidecar(Box<roles::sidecar::SidecarArgs>),
    /// Serves the blocks of a bucket over StoreAPI.
    Store(Box<roles::store::StoreArgs>),
    /// Answers PromQL over HTTP, deduplicated over replicas.
    Query(Box<roles::query::QueryArgs>),
    /// Splits, retries and caches queries in front of a querier.
    QueryFrontend(NotBuilt),
    /// Merges, downsamples and retires the blocks of a bucket.
    Compact(Box<roles::compact::CompactArgs>),
    /// Evaluates recording and alerting rules.
    Rule(NotBuilt),
    /// Takes samples by remote write.
    Receive(NotBuilt),
    /// Looks at and works on buckets and rules by hand.
    Tools(Box<roles::tools::ToolsArgs>),
    /// Answers SQL over Arrow Flight.
    Sql(NotBuilt),
    /// Watches a set-up come up, asks it questions and tells what they prove.
    Demo(Box<roles::demo::DemoArgs>),
}

/// The arguments of a role that is not built yet: anything, since none is looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct NotBuilt {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

/// A command line, understood.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// How to log.
    pub(crate) logging: logging::LoggingArgs,
    /// What to be.
    pub(crate) role: Role,
    /// The role's flags with their values, secrets left out.
    pub(crate) flags: Vec<(String, String)>,
    /// The flags given that mean nothing here.
    pub(crate) without_effect: Vec<&'static unused::Flag>,
}

/// Understands a command line; the error prints itself and exits as kingpin does (code 2, help 0).
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, clap::Error> {
    let mut command = command();
    let arguments = flags::spell_out(&command, arguments);
    let matches = command.try_get_matches_from_mut(arguments)?;
    let without_effect = unused::given(&mut command, &matches)?;
    let flags = flags::values(&command, &matches);
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok(Invocation { logging: cli.logging, role: cli.role, flags, without_effect })
}

fn command() -> clap::Command {
    flags::boolean_values(unused::declare(Cli::command()))
}
