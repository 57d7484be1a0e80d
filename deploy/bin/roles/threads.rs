//! Threads for work that computes: apart from those of connections and probes, so that a heavy query
//! delays no health check.

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};

/// How many threads compute: as many as the machine (or its cgroup) has processors.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Threads that compute. What still runs on them when they are dropped is left where it is: nobody
/// waits for it any more.
#[derive(Debug)]
pub(crate) struct Threads {
    handle: Handle,
    /// Taken when dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts threads called `name`.
    pub(crate) fn start(name: &str) -> anyhow::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(count()).thread_name(name).enable_all();
        let runtime = builder.build().with_context(|| format!("start the {name} threads"))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime that is just dropped waits for its threads, which asynchronous code must not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
