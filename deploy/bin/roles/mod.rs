//! The roles: what a process of each kind is put together from.

mod blocks;
pub(crate) mod compact;
pub(crate) mod demo;
pub(crate) mod memory;
pub(crate) mod query;
mod serving;
pub(crate) mod sidecar;
pub(crate) mod store;
mod threads;
pub(crate) mod tools;

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::Role;

/// Runs a role to its end; `flags` are its flags, to be shown.
pub(crate) fn run(role: Role, flags: Vec<(String, String)>) -> anyhow::Result<ExitCode> {
    let not_built =
        |name: &str| -> anyhow::Result<ExitCode> { bail!("stoa {name}: not built yet") };
    match role {
        Role::Query(args) => block_on(query::run(*args, flags)),
        Role::Store(args) => block_on(store::run(*args)),
        Role::Compact(args) => block_on(compact::run(*args)),
        Role::Demo(args) => block_on(demo::run(*args)),
        Role::Tools(args) => block_on(tools::run(*args)),
        Role::Sidecar(args) => block_on(sidecar::run(*args)),
        Role::QueryFrontend(_) => not_built("query-frontend"),
        Role::Rule(_) => not_built("rule"),
        Role::Receive(_) => not_built("receive"),
        Role::Sql(_) => not_built("sql"),
    }
}

fn block_on(role: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(role)
}
