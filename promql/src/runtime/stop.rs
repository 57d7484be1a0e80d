//! Tells running operators that nobody waits for their query any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Error, ErrorKind, Result};

/// Whether a query is to end early. Tasks are ended where they wait, and a plan on samples that are
/// there already hardly ever does; so operators look here, once a batch, and once a row where a row may
/// take long.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// What ends the query when it is dropped.
    pub(crate) fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// Goes on, or ends the query.
    ///
    /// # Errors
    /// [`Cancelled`](ErrorKind::Cancelled) if nobody waits for it.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            let text = "query was canceled in expression evaluation";
            return Err(Error::new(ErrorKind::Cancelled, text));
        }
        Ok(())
    }
}

/// Held by who waits for a query.
pub(crate) struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
