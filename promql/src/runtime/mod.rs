//! Where queries run: their own threads, apart from I/O and servers, and their own memory.

mod pool;
mod stop;

use std::future::Future;
use std::sync::OnceLock;

use engine::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

pub(crate) use pool::ChildPool;
pub(crate) use stop::Stop;

/// Stack of a query thread. Plans are as deep as expressions, which [`crate::parse`] limits, and
/// are walked and polled by recursion. Only what is touched becomes memory.
const STACK: usize = 64 << 20;

/// The threads of queries; started with the first.
#[derive(Debug, Default)]
pub(crate) struct QueryRuntime {
    threads: usize,
    runtime: OnceLock<Runtime>,
}

impl QueryRuntime {
    /// A runtime of `threads` threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), runtime: OnceLock::new() }
    }

    fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(self.threads.max(1))
            .thread_name("query")
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .map_err(|e| Error::internal("query threads do not start").with_source(e))?;
        // Two first queries at once: the second runtime is dropped without waiting for it.
        if let Err(second) = self.runtime.set(runtime) {
            second.shutdown_background();
        }
        self.runtime.get().ok_or_else(|| Error::internal("query threads do not start"))
    }

    /// Runs `work` on the query threads; it is cancelled when the returned future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut task = CancelOnDrop(self.runtime()?.spawn(work));
        match (&mut task.0).await {
            Ok(result) => result,
            Err(error) if error.is_cancelled() => {
                Err(Error::new(ErrorKind::Cancelled, "query was canceled in expression evaluation"))
            }
            Err(error) => Err(Error::internal(format!("query panicked: {error}"))),
        }
    }
}

impl Drop for QueryRuntime {
    /// A runtime may be dropped inside another only without waiting.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct CancelOnDrop<T>(JoinHandle<T>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
