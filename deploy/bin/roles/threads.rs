//! Threads for work that computes: apart from those of connections and probes, so that a heavy query
//! delays no health check.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// How many threads compute: as many as the machine (or its cgroup) has processors.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// A runtime with threads called `name`.
pub(crate) fn runtime(name: &str) -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(count())
        .thread_name(name)
        .enable_all()
        .build()
        .with_context(|| format!("start the {name} threads"))
}
